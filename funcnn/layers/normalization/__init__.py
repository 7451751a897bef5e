"""Normalization over features, groups of channels, and batches."""
