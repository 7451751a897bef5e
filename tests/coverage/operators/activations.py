"""Activations, softmax and dropout."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import funcnn as fn
from tests.coverage.bridge import Inexpressible, run, unless
from tests.coverage.operators.layout import alone
from tests.coverage.translated import BAR, translates


def plain(layer: Any, *functions: Any, bar: float = BAR) -> None:
    """Register a layer without options."""

    @translates(*functions, bar=bar)
    def translator(input: Tensor, inplace: bool = False) -> Any:
        return alone(layer, input)


plain(fn.relu(), F.relu, torch.relu, torch.relu_, F.relu_)
plain(fn.relu6(), F.relu6)
plain(fn.tanh(), F.tanh, torch.tanh, Tensor.tanh)
plain(fn.sigmoid(), F.sigmoid, torch.sigmoid, Tensor.sigmoid)
plain(fn.silu(), F.silu)
plain(fn.selu(), F.selu)
plain(fn.mish(), F.mish)
plain(fn.log_sigmoid(), F.logsigmoid)
plain(fn.softsign(), F.softsign)
plain(fn.tanhshrink(), F.tanhshrink)
plain(fn.hard_sigmoid(), F.hardsigmoid, bar=1e-7)  # the slope of torch is 1/6 rounded to float32
plain(fn.hard_swish(), F.hardswish)
plain(fn.exponential(), torch.exp, Tensor.exp)


@translates(F.leaky_relu)
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    return alone(fn.leaky_relu(negative_slope), input)


@translates(F.elu)
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    return alone(fn.elu(alpha), input)


@translates(F.celu)
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    return alone(fn.celu(alpha), input)


@translates(F.hardtanh)
def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    unless(min_val >= max_val, "bounds that leave nothing between them")
    return alone(fn.hard_tanh(min_val, max_val), input)


@translates(F.threshold, torch.threshold)
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Any:
    return alone(fn.threshold(threshold, value), input)


@translates(F.softshrink, torch._C._nn.softshrink)
def softshrink(input: Tensor, lambd: float = 0.5) -> Any:
    unless(lambd <= 0, "a threshold that is not positive")
    return alone(fn.softshrink(lambd), input)


@translates(F.hardshrink, torch.hardshrink)
def hardshrink(input: Tensor, lambd: float = 0.5) -> Any:
    unless(lambd <= 0, "a threshold that is not positive")
    return alone(fn.hardshrink(lambd), input)


@translates(F.softplus, torch._C._nn.softplus)
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Any:
    return alone(fn.softplus(float(beta), threshold=float(threshold)), input)


@translates(F.gelu, torch._C._nn.gelu)
def gelu(input: Tensor, approximate: str = "none") -> Any:
    return alone(fn.gelu(approximate=approximate == "tanh"), input)


@translates(F.glu, torch._C._nn.glu)
def glu(input: Tensor, dim: int = -1) -> Any:
    return alone(fn.glu(dim + 1 if dim >= 0 else dim), input)


@translates(F.prelu, torch.prelu)
def prelu(input: Tensor, weight: Tensor) -> Any:
    if weight.numel() == 1:
        return alone(fn.prelu(shared=True), input[None], weight.reshape(1))[0]
    return run(fn.prelu(), input.movedim(1, -1), weight).movedim(-1, 1)


@translates(F.rrelu)
def rrelu(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False) -> Any:
    unless(training, "random: other numbers are drawn")
    return alone(fn.rrelu(lower, upper), input)


def of_axis(kind: Any, *functions: Any) -> None:
    """Register a layer that works along one axis."""

    @translates(*functions)
    def translator(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
        unless(dtype not in (None, torch.float64), "another precision")
        axis = dim if dim is not None else 0 if input.dim() in (0, 1, 3) else 1
        if not input.dim():
            return alone(kind(-1), input[None])[0]
        return alone(kind(axis + 1 if axis >= 0 else axis), input)


of_axis(fn.softmax, F.softmax, torch.softmax, Tensor.softmax)
of_axis(fn.log_softmax, F.log_softmax, torch.log_softmax, Tensor.log_softmax)
of_axis(fn.softmin, F.softmin)


@translates(F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)
def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    if training and p > 0:
        raise Inexpressible("random: other numbers are drawn")
    return alone(fn.dropout(min(p, 0.5)), input)
