"""The monitor: a daily check of whether the recommender is healthy and, if not, where and why it fails."""
