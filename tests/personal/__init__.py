"""Personal data and what only looks like it: synthetic, from a seed, with known places."""
