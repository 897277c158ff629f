"""One reader's way through a study: the order, the steps, the clock, the answers. No Flask in here."""
