"""The commands that run in the simulated world."""
