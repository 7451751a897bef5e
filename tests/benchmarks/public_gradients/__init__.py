"""The checker let loose on gradients that others wrote: ``python -m tests.benchmarks.public_gradients``."""
