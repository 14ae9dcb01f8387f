"""Bring data, look at it, split it, name groups of users."""
