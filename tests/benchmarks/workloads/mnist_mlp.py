"""A medium network on 28x28 images: half matrix products, half memory."""

from tests.benchmarks.mlp import Spec, training

WORKLOAD = training(
    "mnist-mlp",
    "MLP 784-512-512-10, relu, softmax cross-entropy, batch 128",
    Spec((784, 512, 512, 10), "relu", "softmax", 128),
    goal=0.95,
    beside=("scikit-learn", "numpy by hand", "funcnn without Numba"),
    compared=8,
)
