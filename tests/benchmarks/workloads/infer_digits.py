"""The digits network's answer to one image."""

from tests.benchmarks.mlp import Spec, inference

WORKLOAD = inference(
    "infer-digits", "output of MLP 64-128-10, relu, batch 1", Spec((64, 128, 10), "relu", "softmax", 1), goal=0.45
)
