"""Shared parts of the hybrids: their members, and the scaling of scores."""
