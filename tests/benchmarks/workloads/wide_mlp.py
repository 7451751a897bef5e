"""A wide network: matrix products."""

from tests.benchmarks.mlp import Spec, training

WORKLOAD = training(
    "wide-mlp",
    "MLP 1024-4096-4096-1024, relu, mean squared error, batch 512",
    Spec((1024, 4096, 4096, 1024), "relu", "squared", 512, rate=1e-4, batches=2),
    goal=0.92,
    beside=("scikit-learn", "funcnn without Numba"),
    compared=5,
)
