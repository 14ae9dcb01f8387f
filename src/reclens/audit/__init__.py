"""The audit: who and what is treated worse by a recommender, by how much, and how sure that is."""
