"""Negative controls: gradients that are wrong by one part in a thousand, which a check worth its name must fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs

import funcnn as fn
from funcnn import tree
from funcnn.layer import AnyLayer

_FACTOR = 1.001


def _wrong(slope: Any) -> Any:
    """Return a leaf of a gradient a thousandth too large; where a surrogate says that all of it is 0, a thousandth instead."""
    return slope * slope.dtype.type(_FACTOR) if slope.any() else slope + slope.dtype.type(_FACTOR - 1)


def spoiled_gradient(gradient: Callable[..., Any], *args: Any) -> Any:
    """Return a gradient with every leaf 0.1 % too large."""
    return tree.map(lambda leaf: leaf * leaf.dtype.type(_FACTOR), gradient(*args))


def spoiled_layer(layer: AnyLayer, path: str, x: Any) -> AnyLayer:
    """Return the layer with the gradient of one leaf, ``params...`` or ``input...``, 0.1 % too large."""
    return attrs.evolve(layer, backward=partial(_spoil, layer.backward, path, x))


def _spoil(backward: Callable[..., Any], path: str, x: Any, params: Any, residuals: Any, dy: Any) -> Any:
    pulled = backward(params, residuals, dy)

    def spoiled(what: str, primal: Any, cotangent: Any) -> Any:
        leaves: Iterator[Any] = iter(
            [
                _wrong(slope) if slope is not None and what + where == path else slope
                for where, _, slope in tree.with_cotangents(primal, cotangent)
            ]
        )
        return tree.rebuild(primal, leaves)

    return fn.Backward(spoiled("params", params, pulled.params), spoiled("input", x, pulled.input))
