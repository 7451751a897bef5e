r"""The complex step: a directional derivative without a difference.

For an analytic $f$ and a real step $h$
$$ f(x + i h v) = f(x) + i h\, f'(x) v - \tfrac{h^2}{2} f''(x)[v, v] - \dots, \qquad
   f'(x) v = \frac{\operatorname{Im} f(x + i h v)}{h} + O(h^2) . $$
Nothing is subtracted, so no digit is lost, and h may be so small that $h^2$ vanishes beside 1 in any precision (Squire & Trapp
1998, doi:10.1137/S003614459631241X).  A power of two makes the product with h, and the quotient, exact: $2^{-100}$ in float64
and long double, $2^{-44}$ in float32.  There a smaller one would take longer: complex arithmetic adds products of two imaginary
parts, of the size $h^2$, to real parts in which they vanish, and below $2^{-126}$ processors need many times longer for each.  A
direction is measured first: the step is h over the power of two next to its largest entry, so that neither a long nor a short
direction leaves the range.

The formulas of layers and losses are analytic, or have the analytic continuation of their branch: where a real function has a
kink, what decides is the real part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np

from funcnn import tree
from funcnn.errors import describe, is_plain, more_precise, refuse_dtype
from funcnn.layer import Eval, Mode, Train, refuse_mode
from funcnn.typing import Array, Scalar

T = TypeVar("T")

COMPLEX: dict[str, np.dtype[Any]] = {"f": np.dtype("F"), "d": np.dtype("D"), "g": np.dtype("G")}  # Any: a complex one each
"""The complex dtype of each real precision."""

_EXPONENT = {"f": -44, "d": -100, "g": -100}


def check_real(values: object, what: str) -> None:
    """Raise a TypeError, with the path, when a leaf is complex or of half precision; integers pass."""
    if all(leaf.dtype.char in COMPLEX or leaf.dtype.kind in "iub" for leaf in tree.leaves(values)):
        return
    for path, leaf in tree.walk(values):
        if leaf.dtype.kind == "c":
            raise TypeError(
                f"{what}{path} is {describe(leaf)}: derivatives are taken of real numbers, by an imaginary step of their own;"
                " give real and imaginary parts as two arrays"
            )
        if leaf.dtype.kind not in "iub" and leaf.dtype.char not in COMPLEX:
            refuse_dtype(leaf.dtype, f"{what}{path}")


def check_mode(mode: Mode) -> None:
    """Raise unless the mode is one."""
    if not isinstance(mode, (Train, Eval)):
        refuse_mode(mode)


def directions(values: T, direction: T | None, what: str, name: str) -> list[Array | None]:
    """Return the direction of each leaf, None where there is none; raise when it is not one for these values.

    Parameters
    ----------
    values : tree
        What is to be moved, checked by :func:`check_real`.
    direction : tree or None
        Of the same structure, with None for integer leaves; None as a whole for no move at all.
    what, name : str
        What the messages call the values and the direction.
    """
    if direction is None:
        return [None] * len(tree.leaves(values))
    found: list[Array | None] = []
    for path, leaf, own in _beside(values, direction, name):
        if leaf.dtype.kind not in "f":
            if own is not None:
                raise TypeError(
                    f"{name}{path} is {describe(own)}, and {what}{path} {describe(leaf)}, which holds no real numbers and has no"
                    " direction: put None there"
                )
            found.append(None)
            continue
        if own is None:
            raise TypeError(
                f"{name}{path} is None, expected an array like {what}{path}, {describe(leaf)}: np.zeros_like for none"
            )
        if own.dtype.kind == "c":
            raise TypeError(f"{name}{path} is {describe(own)}, a complex direction: use its real or its imaginary part")
        if own.dtype.char not in COMPLEX:
            refuse_dtype(own.dtype, f"{name}{path}")
        if own.shape != leaf.shape:
            raise ValueError(f"{name}{path} has shape {own.shape}, expected that of {what}{path}, {leaf.shape}")
        if more_precise(own.dtype, leaf.dtype):
            raise TypeError(
                f"{name}{path} is {own.dtype} and {what}{path} {leaf.dtype}: a direction has no more precision than what it"
                f" moves; use fn.tree.astype({name}, np.{leaf.dtype.name})"
            )
        found.append(own)
    return found


def _beside(values: object, direction: object, name: str, path: str = "") -> Iterator[tuple[str, Array, Array | None]]:
    """Yield (path, leaf, direction of the leaf) for each leaf of the values; raise where the structures differ."""
    if is_plain(values):
        if direction is not None and not is_plain(direction):
            raise ValueError(f"{name}{path} is {_kind(direction)}, expected an array of shape {values.shape}")
        yield path, values, direction
        return
    ours = tree.children(values, path)
    theirs = tree.children(direction, f"{name}{path}") if type(values) is type(direction) else None
    if theirs is None or [step for step, _ in theirs] != [step for step, _ in ours]:
        raise ValueError(
            f"{name}{path} is {_kind(direction)}, expected {_kind(values)}: a direction has the structure of what it moves, and"
            " None at the place of integers"
        )
    for (step, one), (_, other) in zip(ours, theirs, strict=True):
        yield from _beside(one, other, name, path + step)


def _kind(node: object) -> str:
    """Return what a node of a tree is, for a message."""
    if is_plain(node):
        return f"an array of shape {node.shape}"
    if type(node) is tuple:
        return f"a tuple of {len(node)}"
    if type(node) is dict:
        return f"a dict of {sorted(map(str, node))}"
    return "None" if node is None else f"a {type(node).__name__}"


def step_length(dtype: np.dtype[np.floating]) -> Scalar:
    """Return the length of a complex step along a direction of length 1, a power of two whose square vanishes beside 1."""
    made: Scalar = np.dtype(dtype).type(2.0 ** _EXPONENT[np.dtype(dtype).char])
    return made


def step_size(values: object, along: list[Array | None]) -> float:
    """Return h for these directions: a power of two, for the coarsest precision among the leaves that are moved."""
    chars = [leaf.dtype.char for leaf in tree.leaves(values) if leaf.dtype.kind == "f"]
    exponent = max((_EXPONENT[char] for char in chars), default=_EXPONENT["d"])
    largest = max((float(max(one.max(), -one.min())) for one in along if one is not None and one.size), default=0.0)
    if not 0 < largest < np.inf:
        return float(2.0**exponent)
    return float(np.ldexp(1.0, exponent - int(np.frexp(largest)[1])))


def moved(values: T, along: list[Array | None], h: float) -> T:
    """Return ``values + i h along``: floating leaves become complex, whether they are moved or not; the others stay."""
    steps = iter(along)
    return tree.rebuild(values, iter([_moved(leaf, next(steps), h) for leaf in tree.leaves(values)]))


def _moved(leaf: Array, along: Array | None, h: float) -> Array:
    if leaf.dtype.kind != "f":
        return leaf
    shifted: Any = np.empty(leaf.shape, COMPLEX[leaf.dtype.char])
    shifted.real = leaf
    if along is None:
        shifted.imag = 0
    else:
        np.multiply(along, h, out=shifted.imag, dtype=leaf.dtype.type)
    made: Array = shifted
    return made


def as_complex(values: T) -> T:
    """Return values with their floating leaves complex; the other leaves stay, None too."""
    return tree.map_cotangents(_complex, values)


def _complex(leaf: Array) -> Array:
    made: Array = leaf.astype(COMPLEX[leaf.dtype.char]) if leaf.dtype.kind == "f" else leaf
    return made


def real_part(values: T) -> T:
    """Return the real parts of a tree's complex leaves, as arrays of their own; the other leaves stay, None too."""
    return tree.map_cotangents(_real, values)


def _real(leaf: Array) -> Array:
    return leaf.real.copy() if leaf.dtype.kind == "c" else leaf


def tangent(values: T, h: float) -> T:
    """Return the imaginary parts of a tree over h: the directional derivative.  That of integers is None."""
    return tree.map_cotangents(_Tangent(h), values)


class _Tangent:
    """The imaginary part over h: zero for a leaf that took no part in the step."""

    def __init__(self, h: float) -> None:
        self.h = h

    def __call__(self, leaf: Array) -> Any:  # Any: None of integers
        if leaf.dtype.kind == "c":
            return np.asarray(leaf.imag / leaf.real.dtype.type(self.h))  # of an array without axes too
        return np.zeros_like(leaf) if leaf.dtype.kind == "f" else None


def inner(one: object, other: object) -> float:
    """Return the inner product of two trees of cotangents; None counts as nothing."""
    return sum(float(np.vdot(a, b)) for a, b in zip(parts(one), parts(other), strict=True) if a is not None and b is not None)


def inner_size(one: object, other: object) -> float:
    """Return the inner product of the absolute values: what rounding in :func:`inner` is measured by."""
    pairs = zip(parts(one), parts(other), strict=True)
    return sum(float(np.vdot(np.abs(a), np.abs(b))) for a, b in pairs if a is not None and b is not None)


def length(values: object) -> float:
    """Return the Euclidean norm of a tree of cotangents."""
    return float(np.sqrt(sum(float(np.vdot(leaf, leaf)) for leaf in parts(values) if leaf is not None)))


def rounding(eps: float, size: float, lengths: float) -> float:
    """Return how far two inner products that should be equal may be apart, for half of the digits of their terms.

    Parameters
    ----------
    eps : float
        Of the precision in which they were computed.
    size : float
        The sum of the absolute values of their terms (:func:`inner_size`).
    lengths : float
        The product of the lengths of a direction and of a gradient: along a direction in which nothing changes, such as that of
        the bias of attention's keys, the terms themselves are what rounding leaves of larger ones.
    """
    return float(np.sqrt(eps)) * size + 1e4 * eps * lengths


def parts(values: object) -> list[Array | None]:
    """Return the leaves of a tree of cotangents, with None where there is none; a list of such leaves as it is."""
    if isinstance(values, list):
        return values
    if values is None or is_plain(values):
        return [values]
    return [leaf for _, child in tree.children(values) for leaf in parts(child)]
