"""Activations, softmax, and products with matrices."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

import funcnn as fn
from tests.coverage.bridge import unless
from tests.coverage.onnx_samples import node
from tests.coverage.operators import activations
from tests.coverage.operators.layout import alone
from tests.coverage.operators.linear import linear

PLAIN = {
    "Relu": fn.relu(),
    "Sigmoid": fn.sigmoid(),
    "Tanh": fn.tanh(),
    "Softplus": fn.softplus(),
    "Softsign": fn.softsign(),
    "Exp": fn.exponential(),
    "HardSwish": fn.hard_swish(),
    "Mish": fn.mish(),
}


def plain(operator: str, layer: Any) -> None:
    """Register a layer without options."""

    @node(operator)
    def translator(attributes: dict[str, Any], x: Tensor) -> Any:
        return alone(layer, x)


for operator, layer in PLAIN.items():
    plain(operator, layer)


def of_alpha(operator: str, kind: Any, default: float) -> None:
    """Register a layer of one number."""

    @node(operator)
    def translator(attributes: dict[str, Any], x: Tensor) -> Any:
        return alone(kind(attributes.get("alpha", default)), x)


of_alpha("Elu", fn.elu, 1.0)
of_alpha("Celu", fn.celu, 1.0)
of_alpha("LeakyRelu", fn.leaky_relu, 0.01)
of_alpha("ThresholdedRelu", lambda alpha: fn.threshold(alpha, 0.0), 1.0)


@node("Selu")
def selu(attributes: dict[str, Any], x: Tensor) -> Any:
    unless("alpha" in attributes or "gamma" in attributes, "other constants of selu")
    return alone(fn.selu(), x)


@node("Gelu")
def gelu(attributes: dict[str, Any], x: Tensor) -> Any:
    return activations.gelu(x, attributes.get("approximate", "none"))


@node("HardSigmoid")
def hard_sigmoid(attributes: dict[str, Any], x: Tensor) -> Any:
    return alone(fn.hard_sigmoid(attributes.get("alpha", 0.2), attributes.get("beta", 0.5)), x)


@node("Swish")
def swish(attributes: dict[str, Any], x: Tensor) -> Any:
    return alone(fn.silu(attributes.get("alpha", 1.0)), x)


@node("Clip")
def clip(attributes: dict[str, Any], x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Any:
    unless(not x.is_floating_point(), "integers")
    unless(low is None and high is None, "no bound")
    ends = (-math.inf if low is None else float(low), math.inf if high is None else float(high))
    return activations.hardtanh(x, *ends)


@node("Shrink")
def shrink(attributes: dict[str, Any], x: Tensor) -> Any:
    threshold, bias = attributes.get("lambd", 0.5), attributes.get("bias", 0.0)
    unless(bias not in (0, threshold), "a shrinkage by another number than the threshold")
    return alone(fn.softshrink(threshold) if bias else fn.hardshrink(threshold), x)


@node("PRelu")
def prelu(attributes: dict[str, Any], x: Tensor, slope: Tensor) -> Any:
    """A slope of each entry is one of each feature of the flattened array."""
    return alone(fn.prelu(), x.reshape(1, -1), slope.expand(x.shape).reshape(-1)).reshape(x.shape)


def of_axis(operator: str, kind: Any) -> None:
    """Register a layer that works along one axis."""

    @node(operator)
    def translator(attributes: dict[str, Any], x: Tensor) -> Any:
        axis = attributes.get("axis", -1)
        return alone(kind(axis + 1 if axis >= 0 else axis), x)


of_axis("Softmax", fn.softmax)
of_axis("LogSoftmax", fn.log_softmax)


@node("Dropout")
def dropout(attributes: dict[str, Any], x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None) -> Any:
    unless(training is not None and bool(training) and (ratio is None or float(ratio) > 0), "random: other numbers are drawn")
    return alone(fn.dropout(0.5), x)


@node("Gemm")
def gemm(attributes: dict[str, Any], a: Tensor, b: Tensor, c: Tensor | None = None) -> Any:
    """An affine map, where the product is neither scaled nor added to a matrix."""
    unless(attributes.get("alpha", 1.0) != 1 or (c is not None and attributes.get("beta", 1.0) != 1), "products times a number")
    unless(c is not None and c.dim() == 2 and len(c) > 1, "a matrix added to a product")
    rows = a.t() if attributes.get("transA") else a
    weight = b if attributes.get("transB") else b.t()
    return linear(rows, weight, None if c is None else c.reshape(-1))


@node("MatMul")
def matmul(attributes: dict[str, Any], a: Tensor, b: Tensor) -> Any:
    unless(b.dim() != 2, "batches of matrices")
    return linear(a, b.t())
