"""Finite differences with error bars, entry by entry or along directions, also at kinks."""
