"""Convolutions and their transposes, in one to three dimensions."""
