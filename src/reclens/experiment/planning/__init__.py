"""What is decided before the data are seen: metrics, size, duration, the rule."""
