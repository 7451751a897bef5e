"""Layers that are defined by an equation, not by a formula: a fixed point, the solution of a differential equation."""
