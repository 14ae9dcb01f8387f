"""The tables that leave RecLens for other tools, declared once."""
