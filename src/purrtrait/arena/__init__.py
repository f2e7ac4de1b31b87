"""The arena: several recipes on one pack, several seeds each, under one budget, ranked."""
