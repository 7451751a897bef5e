"""A small generative Transformer that predicts the next character: nanoGPT's setting for a CPU."""

from tests.benchmarks.gpt import Spec, training

WORKLOAD = training(
    "char-gpt", "65 characters, 4 blocks of 128 features, 4 heads, T 64, batch 12, AdamW", Spec(), goal=0.80, compared=8
)
