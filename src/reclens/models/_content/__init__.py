"""Parts of the content-based recommender: features of items from columns and words."""
