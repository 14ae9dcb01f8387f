"""Studies in the simulated world as tables, charts and documents."""
