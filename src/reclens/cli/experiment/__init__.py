"""Plan, simulate and read A/B tests of recommender changes."""
