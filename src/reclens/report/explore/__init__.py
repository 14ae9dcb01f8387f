"""Explorations in words: sentences, tables, charts and the report."""
