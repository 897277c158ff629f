"""Images coming in, and lying there: uploads, pools, storage, blinded bytes. No Flask in here."""
