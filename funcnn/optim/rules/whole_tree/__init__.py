"""Rules that look at a whole leaf, or at all of them, and not at each number by itself."""
