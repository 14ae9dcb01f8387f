"""Plans and readouts of experiments as tables, charts and documents."""
