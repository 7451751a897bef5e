"""Causal attention over 4096 steps, and all its gradients: scores that are computed in blocks."""

from tests.benchmarks.attention import Spec, gradients

WORKLOAD = gradients("attn-4096", "causal self-attention, 4096 steps, 4 heads, 256 features, batch 1", Spec(4096), goal=0.95)
