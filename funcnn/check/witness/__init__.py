"""Witnesses beside differences: the complex step."""
