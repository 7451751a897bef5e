"""Losses of pairs and triplets of vectors."""
