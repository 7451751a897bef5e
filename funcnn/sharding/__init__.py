"""The parts of a batch side by side."""
