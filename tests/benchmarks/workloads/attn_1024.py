"""Causal attention over 1024 steps, and all its gradients: scores that are computed in blocks."""

from tests.benchmarks.attention import Spec, gradients

WORKLOAD = gradients("attn-1024", "causal self-attention, 1024 steps, 4 heads, 256 features, batch 1", Spec(1024), goal=0.95)
