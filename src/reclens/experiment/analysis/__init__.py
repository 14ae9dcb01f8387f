"""From aggregates to effects, trust checks and the decision."""
