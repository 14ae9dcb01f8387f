"""Who gets which arm, and whether an assignment is as planned."""
