"""Data going out and coming back: exports, archives, the mirror, another database. No Flask in here."""
