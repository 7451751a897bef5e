"""A network of 3x3 convolutions with batch normalization: half products, half memory."""

from tests.benchmarks.conv import training

WORKLOAD = training(
    "convnet",
    "32x32x3: (conv 3x3x64, batch norm, relu) x2, max pool 2, (conv 3x3x128, bn, relu) x2, average pool, dense 10; batch 32",
    32,
    (32, 32, 3),
    goal=0.95,
    compared=4,
    tolerance=1e-3,
)
