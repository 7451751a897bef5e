"""Rules from online learning: for streams of examples, and for games."""
