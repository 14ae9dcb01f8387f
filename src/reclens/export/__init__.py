"""Schemas and rows of the tables that RecLens exports to other tools."""
