"""Names to things: the only package that reads a recipe and the tables together."""
