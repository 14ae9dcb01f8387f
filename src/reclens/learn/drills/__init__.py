"""The drills: one file a phase."""
