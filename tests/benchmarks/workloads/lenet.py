"""LeNet-5 with rectifiers and maximum pooling: small convolutions, much overhead."""

from tests.benchmarks.conv import training

WORKLOAD = training(
    "lenet",
    "28x28x1: conv 5x5x6 pad 2, relu, max pool 2, conv 5x5x16, relu, max pool 2, dense 120, 84, 10; batch 64",
    64,
    (28, 28, 1),
    goal=0.65,
    compared=10,
)
