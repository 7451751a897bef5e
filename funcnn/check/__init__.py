"""Verification of gradients by finite differences."""
