"""Layers of several inputs that make one array of them: difference, mean, extremes, products."""
