"""Losses: records of a value and its gradient, one file per family."""
