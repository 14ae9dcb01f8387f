"""The monitor: every morning, whether the recommender is well, and if not, where and why."""
