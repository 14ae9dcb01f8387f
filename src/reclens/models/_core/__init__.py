"""What the recommenders share: the base class, top-k, saving, kernels, the search space."""
