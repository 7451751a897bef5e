"""Self-attention and attention to a memory."""
