"""The image pool: made, gathered, judged and written here, before any reader sees it.

Light to import: torch is loaded only by the rooms that need it.
"""
