"""The same Transformer, forward, for one sequence."""

from tests.benchmarks.gpt import Spec, inference

WORKLOAD = inference("infer-gpt", "the network of char-gpt, forward, batch 1", Spec(batch=1, batches=64), goal=0.9)
