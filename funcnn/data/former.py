"""Names that things of this package had in version 0.1."""

FORMER = {"Standardise": "Standardize", "fit_standardise": "fit_standardize"}
"""Each with what it is called now; pickles hold the first."""
