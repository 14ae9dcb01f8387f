"""Statistics over units: sums that add up, intervals, tests, corrections. Knows no user and no item."""
