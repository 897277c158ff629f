"""Importing and storing images: uploads, pools, storage, blinded bytes. No Flask in here."""
