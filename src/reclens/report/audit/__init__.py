"""Audits in words, charts, tables and documents."""
