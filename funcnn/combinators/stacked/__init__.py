"""Layers whose parameters have a leading axis: many alike, side by side or one after another."""
