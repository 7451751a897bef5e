"""Functions with a gradient by hand: wrong ones, each with its class and its leaf, and right ones that look wrong."""
