"""The same optimizer with nothing but NumPy."""

from tests.benchmarks.optimizer import adam

WORKLOAD = adam("adam-10m-plain", "Adam on 10 million parameters in 50 leaves, NumPy alone", 50, (400, 500), 1.9, False)
