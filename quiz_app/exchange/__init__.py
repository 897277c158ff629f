"""What goes out and what comes back: exports, archives, the mirror, another database. No Flask in here."""
