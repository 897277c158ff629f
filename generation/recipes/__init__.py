"""Recipes: trainings that follow each other, each with its settings, in one TOML file."""
