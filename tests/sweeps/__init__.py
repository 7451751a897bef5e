"""Sweeps: each walks a whole class of mistakes over the package."""
