"""Optimizers with a matrix for each axis of a leaf, whose Kronecker product stands for the matrix of all its numbers."""
