"""The rules of a study. No Flask in here: commands, views and tests can call everything."""
