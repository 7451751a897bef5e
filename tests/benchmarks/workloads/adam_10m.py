"""An optimizer alone: memory and nothing else."""

from tests.benchmarks.optimizer import adam

WORKLOAD = adam("adam-10m", "Adam on 10 million parameters in 50 leaves", 50, (400, 500), goal=1.9)
