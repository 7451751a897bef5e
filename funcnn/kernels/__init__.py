"""Arithmetic that several layers share: pure functions of arrays, without state."""
