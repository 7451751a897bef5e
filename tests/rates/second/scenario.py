"""A function with its gradient at a point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve, frozen

from funcnn.typing import Array

Gradient = Callable[..., tuple[Array, ...]]


@frozen(eq=False)
class Scenario:
    """A function of arrays, its gradient, called with the arguments and dy, and a point."""

    name: str
    function: Callable[..., Any]
    gradient: Gradient
    args: tuple[Array, ...]
    tag: str = "plain"


def in_units(one: Scenario, sizes: tuple[float, ...], result: float) -> Scenario:
    """Return a function whose arguments and result are measured in other units."""

    def inner(args: tuple[Array, ...]) -> list[Array]:
        return [np.asarray(arg / arg.dtype.type(size)) for arg, size in zip(args, sizes, strict=True)]

    def function(*args: Array) -> Any:
        made = one.function(*inner(args))
        return made * made.dtype.type(result)

    def gradient(*given: Array) -> tuple[Array, ...]:
        *args, dy = given
        found = one.gradient(*inner(tuple(args)), dy * np.asarray(dy).dtype.type(result))
        return tuple(np.asarray(slope / slope.dtype.type(size)) for slope, size in zip(found, sizes, strict=True))

    scaled = tuple(np.asarray(arg * size) for arg, size in zip(one.args, sizes, strict=True))
    return evolve(one, function=function, gradient=gradient, args=scaled, tag="units")


def in_single(one: Scenario) -> Scenario:
    """Return a function at the point rounded to single precision."""
    return evolve(one, args=tuple(arg.astype(np.float32) for arg in one.args), tag="float32")


def far_out(one: Scenario, factor: float) -> Scenario:
    """Return a function at a point farther from 0, if it is finite there."""
    args = tuple(np.asarray(arg * factor) for arg in one.args)
    with np.errstate(all="ignore"):
        finite = np.isfinite(one.function(*args)).all()
    return evolve(one, args=args, tag="far") if finite else one
