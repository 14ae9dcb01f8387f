"""Scenario questions of an interview: generated dashboards with a planted cause, one file a kind."""
