"""Optimizers and schedules: frozen classes with the hyper-parameters as fields, one file per family."""
