"""Cross-validation: trainings that are each tested on rows which they have not seen."""
