"""Text as tokens that are pieces of words: byte-level byte-pair encoding."""
