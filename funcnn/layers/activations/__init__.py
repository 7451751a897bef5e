"""Activations: elementwise functions, gated units, softmax and its relatives."""
