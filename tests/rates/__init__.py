"""How often the checker errs: random functions with right and with spoiled gradients, and counts of the verdicts."""
