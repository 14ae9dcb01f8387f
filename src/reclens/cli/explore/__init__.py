"""Embedding spaces: embed, index, search, and move them between stores."""
