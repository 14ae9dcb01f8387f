"""The pages, one module each; see :mod:`reclens.dashboard.navigation`."""
