"""Commands that run in the simulated world."""
