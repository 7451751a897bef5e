"""The two records of the corpus, and what its files share.

A function takes arrays (or trees of arrays) and returns an array (or a tree); its ``vjp(*args, dy)`` returns one cotangent per
argument, None for an integer one.  All of it is plain NumPy and keeps the dtype that it is given: float32, float64, long double.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import TypeAlias

import numpy as np
from attrs import frozen

from funcnn.typing import Array, IntArray

Function: TypeAlias = Callable[..., object]
Grads: TypeAlias = tuple[Array, ...]
BOTH = ("float64", "float32")


@frozen
class Wrong:
    """A mistake: the tag that it deserves and the leaves at which it must be found."""

    name: str
    f: Function
    vjp: Function
    right: Function | None
    args: tuple[object, ...]
    tag: str
    paths: tuple[str, ...]
    why: str
    dtypes: tuple[str, ...] = BOTH
    """Where it is a mistake: a float32 result is none when float32 is given."""
    make: Callable[[], tuple[Function, Function]] | None = None
    """Makes f and vjp anew, where they remember something."""

    def functions(self) -> tuple[Function, Function]:
        """Return f and vjp with a fresh memory."""
        return self.make() if self.make else (self.f, self.vjp)


@frozen
class Tricky:
    """A right gradient that a checker could take for a wrong one."""

    name: str
    f: Function
    vjp: Function
    args: tuple[object, ...]
    why: str


def wrong(
    f: Function,
    args: tuple[object, ...],
    tag: str,
    *paths: str,
    right: Function | None = None,
    dtypes: tuple[str, ...] = BOTH,
) -> Callable[[Function], Wrong]:
    """Return the decorator that makes a vjp an entry; its docstring says what the mistake is."""

    def enter(vjp: Function) -> Wrong:
        return Wrong(vjp.__name__, f, vjp, right, args, tag, paths, inspect.getdoc(vjp) or "", dtypes)

    return enter


def remembering(
    args: tuple[object, ...], tag: str, *paths: str, right: Function | None = None
) -> Callable[[Callable[[], tuple[Function, Function]]], Wrong]:
    """Return the decorator that makes an entry of a factory of f and a vjp with a memory."""

    def enter(make: Callable[[], tuple[Function, Function]]) -> Wrong:
        f, vjp = make()
        return Wrong(make.__name__, f, vjp, right, args, tag, paths, inspect.getdoc(make) or "", make=make)

    return enter


def tricky(f: Function, args: tuple[object, ...]) -> Callable[[Function], Tricky]:
    """Return the decorator that makes a right vjp an entry; its docstring says what is tricky about it."""

    def enter(vjp: Function) -> Tricky:
        return Tricky(vjp.__name__, f, vjp, args, inspect.getdoc(vjp) or "")

    return enter


def wrong_entries(*modules: ModuleType) -> tuple[Wrong, ...]:
    """Return the wrong entries of some files in the order in which they stand there."""
    return tuple(value for module in modules for value in vars(module).values() if isinstance(value, Wrong))


def tricky_entries(*modules: ModuleType) -> tuple[Tricky, ...]:
    """Return the tricky entries of some files in the order in which they stand there."""
    return tuple(value for module in modules for value in vars(module).values() if isinstance(value, Tricky))


def normal(*shape: int, seed: int = 0) -> Array:
    """Return standard normal numbers: the same ones for the same shape and seed."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def uniform(*shape: int, seed: int = 0, low: float = 0.5, high: float = 1.5) -> Array:
    """Return numbers of one sign, away from zero."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)


def integers(*shape: int, below: int, seed: int = 0) -> IntArray:
    """Return random labels or indices."""
    return np.random.default_rng([seed, *shape]).integers(0, below, shape)
