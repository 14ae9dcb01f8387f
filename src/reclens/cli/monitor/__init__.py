"""Watch a recommender day by day: data gate, indicators, incidents, notices, weekly reports."""
