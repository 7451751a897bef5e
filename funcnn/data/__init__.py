"""Data sets, loaders, batches and preprocessing."""
