"""The rules of a study. No Flask in here: everything can be called from a command, a view or a test."""
