"""``reclens experiment``: plan, assign, read."""
