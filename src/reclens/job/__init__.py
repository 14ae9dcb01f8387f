"""Whole jobs from one TOML file."""
