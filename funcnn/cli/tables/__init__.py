"""Runs on tables: parted, learned from, and predicted for other rows."""
