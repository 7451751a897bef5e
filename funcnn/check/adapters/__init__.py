"""Checks of gradients from elsewhere: other frameworks, objects with memory, compiled code, trees of lists and dataclasses."""
