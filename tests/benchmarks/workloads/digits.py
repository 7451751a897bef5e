"""A small network on 8x8 images."""

from tests.benchmarks.mlp import Spec, training

WORKLOAD = training(
    "digits",
    "MLP 64-128-10, relu, softmax cross-entropy, batch 32",
    Spec((64, 128, 10), "relu", "softmax", 32),
    goal=0.45,
    beside=("scikit-learn", "numpy by hand"),
)
