"""Create, collect, check and write the image pool, before any reader sees it.

Importing this package is fast: torch is loaded only by the modules that need it.
"""
