"""Parts of the knowledge-based recommender: attributes, requirements, relaxation, critiques."""
