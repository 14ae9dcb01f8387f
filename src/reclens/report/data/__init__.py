"""Data sets and splits as charts and tables."""
