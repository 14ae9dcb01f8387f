"""What the knowledge-based recommender is made of: attributes, requirements, relaxation, critiques."""
