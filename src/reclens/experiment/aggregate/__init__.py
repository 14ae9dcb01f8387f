"""From the rows of an experiment, wherever they are, to sums that add."""
