"""Folders of published weights, as hubs lay them out: they write, and say what they see."""
