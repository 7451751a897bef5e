"""The corners of a domain: how the inputs of a case are moved there.

Every edge is applied to the floating leaves of an input; labels, indices and masks stay as the case drew them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.typing import Array


@frozen
class Edge:
    """A corner of the domain, and what it is there to find."""

    name: str
    why: str
    change: Callable[[Array], Array]

    def __call__(self, value: object) -> object:
        """Return an input moved to this corner."""
        return tree.map(lambda leaf: self.change(leaf) if leaf.dtype.kind == "f" else leaf, value)


def _zeros(leaf: Array) -> Array:
    return np.zeros_like(leaf)


def _ties(leaf: Array) -> Array:
    rounded: Array = np.round(leaf).clip(-1, 1)
    return rounded


def _strided(leaf: Array) -> Array:
    """Return the same numbers as every second of a larger array, the batch backwards."""
    spread: Array = np.zeros(tuple(2 * size for size in leaf.shape), leaf.dtype)
    view = spread[tuple(slice(None, None, -2 if axis == 0 else 2) for axis in range(leaf.ndim))]
    view[...] = leaf
    return view


def _times(factor: float) -> Callable[[Array], Array]:
    def scaled(leaf: Array) -> Array:
        product: Array = leaf * leaf.dtype.type(factor)
        return product

    return scaled


DRAWN = Edge("drawn", "the inputs as the case draws them", lambda leaf: leaf)
EDGES = (
    DRAWN,
    Edge("zeros", "kinks at 0, ties of everything with everything, variances of 0", _zeros),
    Edge("ties", "small integers: many equal entries, many exactly at a kink", _ties),
    Edge("saturated", "thirty times as large: the far tails", _times(30.0)),
    Edge("1e+8", "terms that are lost beside large numbers, overflow", _times(1e8)),
    Edge("1e-8", "absolute constants that show beside small numbers, underflow", _times(1e-8)),
    Edge("strided", "views with gaps, the batch backwards in memory", _strided),
)
"""All edges, the plain inputs first."""
