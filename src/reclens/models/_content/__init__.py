"""What the content-based recommender is made of: features of items, from words and columns."""
