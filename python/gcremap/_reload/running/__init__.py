"""A transaction: the new sources run, take effect, or are taken back."""
