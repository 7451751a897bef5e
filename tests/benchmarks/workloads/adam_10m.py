"""An optimizer alone: memory and nothing else.  Ours is compiled by Numba."""

from tests.benchmarks.optimizer import adam

WORKLOAD = adam("adam-10m", "Adam on 10 million parameters in 50 leaves, with the extra fast", 50, (400, 500), 1.0, True)
