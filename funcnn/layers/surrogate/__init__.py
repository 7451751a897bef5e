"""Layers whose backward is, on purpose, not the derivative of their forward."""
