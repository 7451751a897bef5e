"""Layers made of layers: a combinator takes layers and returns a layer."""
