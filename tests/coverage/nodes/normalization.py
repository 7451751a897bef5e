"""Normalization."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import funcnn as fn
from tests.coverage.bridge import run, unless
from tests.coverage.onnx_samples import node
from tests.coverage.operators import normalization
from tests.coverage.operators.layout import alone


@node("BatchNormalization")
def batch_norm(attributes: dict[str, Any], x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Any:
    """Of training ONNX keeps the biased variance."""
    training = bool(attributes.get("training_mode", 0))
    unless(training, "running variances that are biased")
    return normalization.batch_norm(x, mean, var, scale, bias, training, eps=attributes.get("epsilon", 1e-5))


@node("LayerNormalization")
def layer_norm(attributes: dict[str, Any], x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    axis = attributes.get("axis", -1) % x.dim()
    return normalization.layer_norm(x, x.shape[axis:], weight, bias, attributes.get("epsilon", 1e-5))


@node("RMSNormalization")
def rms_norm(attributes: dict[str, Any], x: Tensor, weight: Tensor) -> Any:
    axis = attributes.get("axis", -1) % x.dim()
    return normalization.rms_norm(x, x.shape[axis:], weight, attributes.get("epsilon", 1e-5))


@node("GroupNormalization")
def group_norm(attributes: dict[str, Any], x: Tensor, weight: Tensor, bias: Tensor) -> Any:
    return normalization.group_norm(x, attributes["num_groups"], weight, bias, attributes.get("epsilon", 1e-5))


@node("InstanceNormalization")
def instance_norm(attributes: dict[str, Any], x: Tensor, weight: Tensor, bias: Tensor) -> Any:
    return normalization.instance_norm(x, None, None, weight, bias, eps=attributes.get("epsilon", 1e-5))


@node("LpNormalization")
def lp_normalization(attributes: dict[str, Any], x: Tensor) -> Any:
    unless(attributes.get("p", 2) != 2, "lengths other than Euclid's")
    axis = attributes.get("axis", -1)
    return alone(fn.unit_norm(axis + 1 if axis >= 0 else axis), x)


@node("LRN")
def local_response_norm(attributes: dict[str, Any], x: Tensor) -> Any:
    size = attributes["size"]
    before = (size - 1) // 2
    unless(size % 2 == 0, "an even window of which more comes after")
    layer = fn.local_response_norm(
        before + size // 2 + 1,
        alpha=attributes.get("alpha", 1e-4) / size,
        beta=attributes.get("beta", 0.75),
        k=attributes.get("bias", 1.0),
    )
    return run(layer, x.movedim(1, -1)).movedim(-1, 1)
