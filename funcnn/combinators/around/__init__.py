"""Layers around one other layer: over further axes, or with few parameters beside it."""
