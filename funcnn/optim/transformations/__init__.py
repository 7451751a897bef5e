"""What is done to gradients before a rule, or to parameters after it."""
