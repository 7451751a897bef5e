"""Why a gradient is wrong: hypotheses about mistakes, each tried against the numbers."""
