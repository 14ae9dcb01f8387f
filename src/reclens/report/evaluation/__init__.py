"""Evaluations, comparisons and findings as tables, charts and one HTML report."""
