"""Networks handed to other programs."""
