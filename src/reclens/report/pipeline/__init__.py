"""Pipelines as a diagram and as a document."""
