"""Trees in files: written atomically, read without trust."""
