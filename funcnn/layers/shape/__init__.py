"""Layers that rearrange, pad, crop or resample, and compute nothing else."""
