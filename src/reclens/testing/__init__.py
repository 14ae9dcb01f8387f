"""The public contract kit: run it on a metric or a model of your own."""
