"""The training loop, metrics and files."""
