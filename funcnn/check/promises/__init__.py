"""What a gradient promises besides its numbers: linear, pure, of the right dtype and layout."""
