"""One reader a format; any source ends in the tables of the schema."""
