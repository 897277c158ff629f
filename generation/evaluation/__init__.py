"""Evaluation of a generator: features of images, distances between sets of images, and their reliability."""
