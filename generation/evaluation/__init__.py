"""A generator judged by numbers: features of images, distances between sets of them, and what they are worth here."""
