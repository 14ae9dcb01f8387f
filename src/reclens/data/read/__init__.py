"""Readers, one module per format; every source becomes the tables of the schema."""
