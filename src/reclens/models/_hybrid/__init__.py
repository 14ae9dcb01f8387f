"""What the hybrids share: their members, and how scores are brought to one scale."""
