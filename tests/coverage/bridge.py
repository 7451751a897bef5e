"""A layer or a loss of funcnn as a function of torch's tensors, through which torch's autograd finds its way.

So a translation between layouts is written in torch, and the gradients of all tensors that went in come out by
``torch.autograd.grad``: what stands between them is the layer's own ``backward``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np
import torch

import funcnn as fn

Tensor = torch.Tensor
Pullback = Callable[[tuple[np.ndarray, ...]], tuple[np.ndarray, ...]]
MANY = 10**9
"""Batches that a running mean has seen, where torch says nothing of them: so many that its start is forgotten."""


class Inexpressible(Exception):  # noqa: N818  # it is no error: it says why
    """There is no layer, loss or option for it; the message says which is missing."""


def unless(missing: bool, reason: str) -> None:
    """Raise when something is missing."""
    if missing:
        raise Inexpressible(reason)


class Bridge(torch.autograd.Function):
    """``function(*arrays)``, which gives arrays and their pullback, as one operation of torch."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., tuple[list[np.ndarray], Pullback]], *tensors: Tensor) -> Any:
        outputs, ctx.pullback = function(*(tensor.detach().numpy() for tensor in tensors))
        made = tuple(torch.from_numpy(np.array(output)) for output in outputs)
        ctx.mark_non_differentiable(*(tensor for tensor in made if not tensor.is_floating_point()))
        return made

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        grads = ctx.pullback(tuple(cotangent.numpy() for cotangent in cotangents))
        return None, *(None if grad is None else torch.from_numpy(np.array(grad)) for grad in grads)


def run(layer: Any, x: Any, *parameters: Tensor, state: Any = None, train: bool = False, pack: Any = None) -> Any:
    """Return what a layer makes of tensors.

    Parameters
    ----------
    layer : Layer
    x : Tensor or tuple of Tensor
        Its input; what it is besides arrays and tuples, ``pack`` makes of the arrays.
    *parameters : Tensor
        The leaves of its parameters, in their order.
    state : list of array, optional
        The leaves of its state, which are set to those of the next one.
    train : bool, optional
        Whether it is run for training.
    """
    inputs = x if isinstance(x, tuple) else (x,)
    pack = pack or (lambda *arrays: arrays if isinstance(x, tuple) else arrays[0])
    mode = fn.Train(fn.Key(0)) if train else fn.Eval()

    def function(*arrays: np.ndarray) -> tuple[list[np.ndarray], Pullback]:
        value = pack(*arrays[: len(inputs)])
        start = layer.init(fn.Key(0), shapes(value))
        params = like(start.params, iter(arrays[len(inputs) :]))
        before = start.state if state is None else like(start.state, iter(state))
        made = layer.forward(params, before, value, mode)
        if state is not None:
            state[:] = leaves(made.state)

        def pullback(cotangents: tuple[np.ndarray, ...]) -> Any:
            back = layer.backward(params, made.residuals, like(made.output, iter(cotangents), masks=False))
            found = iter(leaves(back.input)) if any(map(floating, inputs)) else iter(())
            return [next(found) if floating(tensor) else None for tensor in inputs] + leaves(back.params)

        return leaves(made.output), pullback

    outputs = Bridge.apply(function, *inputs, *parameters)
    return outputs[0] if len(outputs) == 1 else outputs


def loss(kind: Any, prediction: Any, target: Any, reduction: str, weight: Tensor | None = None) -> Tensor:
    """Return the value of a loss, or those of its examples where the reduction is "none".

    Parameters
    ----------
    kind : callable
        ``reduction -> Loss``.
    prediction : Tensor or tuple of Tensor
    target : Tensor, tuple or CTCTarget
        No gradient goes through it.
    reduction : {"mean", "sum", "none"}
    weight : Tensor, optional
        Of the examples.  The mean is then that of the losses times the weights, as torch has it.
    """
    predictions = prediction if isinstance(prediction, tuple) else (prediction,)
    wanted = target.detach().numpy() if isinstance(target, Tensor) else target
    if weight is not None:
        unless(bool((weight < 0).any()), "weights below 0")
        wanted = fn.Weighted(wanted, weight.detach().numpy())
    each = reduction == "none" or (weight is not None and reduction == "mean")

    def function(*arrays: np.ndarray) -> tuple[list[np.ndarray], Pullback]:
        value = arrays if isinstance(prediction, tuple) else arrays[0]
        if each:
            losses = fn.per_example_losses(kind(reduction="sum"))
            found = losses.forward(value, wanted)
            return [found.losses], lambda cotangents: leaves(losses.backward(found.residuals, cotangents[0]))
        whole = kind(reduction=reduction)
        made = whole.forward(value, wanted)
        return [made.value], lambda cotangents: [cotangents[0] * grad for grad in leaves(whole.backward(made.residuals))]

    (output,) = Bridge.apply(function, *predictions)
    return output.mean() if each and reduction == "mean" else output


def floating(value: Any) -> bool:
    """Tell whether a tensor has a gradient."""
    return bool(value.is_floating_point())


def leaves(value: Any) -> list[np.ndarray]:
    """Return the arrays of a tree; what has no cotangent is left out."""
    if value is None:
        return []
    if isinstance(value, (np.ndarray, np.generic)):
        return [np.asarray(value)]
    return [leaf for part in parts(value) for leaf in leaves(part)]


def like(value: Any, arrays: Iterator[np.ndarray], masks: bool = True) -> Any:
    """Return a tree of the same structure with other arrays; without masks, integers and booleans become None."""
    if isinstance(value, np.ndarray):
        array = next(arrays)
        if array.shape != value.shape:
            raise AssertionError(f"a translation gives an array {array.shape} for {value.shape}")
        return array if masks or value.dtype.kind == "f" else None
    made = [like(part, arrays, masks) for part in parts(value)]
    return tuple(made) if isinstance(value, tuple) else type(value)(*made)


def shapes(value: Any) -> Any:
    """Return the shape of an example."""
    if isinstance(value, (fn.Masked, fn.Pooled)):
        value = value.values
    if isinstance(value, np.ndarray):
        unless(0 in value.shape[1:], "axes without entries")
        return value.shape[1:]
    return tuple(map(shapes, value))


def parts(value: Any) -> tuple[Any, ...]:
    """Return the children of a tuple or a record."""
    return value if isinstance(value, tuple) else tuple(getattr(value, field.name) for field in attrs.fields(type(value)))
