"""Layers that draw random numbers in training."""
