"""One reader's way through a study: order, steps, clock and answers. No Flask in here."""
