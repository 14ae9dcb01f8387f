"""Shared parts of the recommenders: base class, top-k, saving, kernels, search space."""
