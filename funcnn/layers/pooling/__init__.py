"""Pooling over windows, over the whole space, over the steps of a sequence, and its inverse."""
