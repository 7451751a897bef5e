"""The smallest network there is: nothing but overhead."""

from tests.benchmarks.mlp import Spec, training

WORKLOAD = training(
    "xor",
    "MLP 2-8-1, tanh, sigmoid cross-entropy, batch 4",
    Spec((2, 8, 1), "tanh", "sigmoid", 4),
    goal=0.6,
    beside=("scikit-learn", "numpy by hand"),
)
