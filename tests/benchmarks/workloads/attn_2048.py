"""Causal attention over 2048 steps, and all its gradients: scores that are computed in blocks."""

from tests.benchmarks.attention import Spec, gradients

WORKLOAD = gradients("attn-2048", "causal self-attention, 2048 steps, 4 heads, 256 features, batch 1", Spec(2048), goal=0.95)
