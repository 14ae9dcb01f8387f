"""Indicators: one decorated function each, in the modules of this package; see :mod:`.registry`."""
