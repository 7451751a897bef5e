"""Checks of what ``fit`` trains on: inputs, targets, and the validation set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar, cast

import numpy as np

from funcnn import tree
from funcnn.data.dataset import Dataset, select, take
from funcnn.data.streams.rows import Rows, stand_in
from funcnn.errors import check_finite, describe, more_precise
from funcnn.layer import Layer
from funcnn.losses.loss import Loss
from funcnn.losses.weighted import Weighted
from funcnn.masked import Masked
from funcnn.typing import Array, Shapes

X = TypeVar("X")
T = TypeVar("T")
D = TypeVar("D")


def check_data(x: X, y: T, which: str) -> tuple[X, T]:
    """Return inputs and targets as plain arrays, without rows of weight 0; raise when they cannot be trained on."""
    x, y = plain(x, f"{which}x"), plain(y, f"{which}y")
    check_rows({f"{which}x": x, f"{which}y": y})
    if isinstance(y, Weighted):
        counted = y.weight.reshape(len(y.weight), -1).any(1)
        if not counted.any():
            raise ValueError(f"all weights of {which}y are 0: there is nothing to learn from")
        if not counted.all():
            x, y = select(x, np.flatnonzero(counted)), take(y, np.flatnonzero(counted))
    for name, data in (("x", x), ("y", y)):
        for path, leaf in tree.walk(looked_at(data)):
            if leaf.dtype.kind == "f":
                check_finite(leaf, f"{which}{name}{path}")
    return x, y


def check_rows(named: Mapping[str, object]) -> int:
    """Return how many rows trees of arrays have; raise when they differ, or there is none."""
    lengths: dict[str, int] = {}
    for name, data in named.items():
        check_tree(data, name)
        for path, leaf in tree.walk(seen(data)):
            if leaf.ndim == 0:
                raise ValueError(f"{name}{path} is a single number, expected one example per row")
            lengths[name + path] = len(leaf)
    found = set(lengths.values())
    if not found:
        raise ValueError(f"{' and '.join(named)} hold{'s' if len(named) == 1 else ''} no array")
    if len(found) > 1:
        told = ", ".join(f"{name} has {length} rows" for name, length in lengths.items())
        raise ValueError(f"{told}: each row is one example in all of them")
    if found == {0}:
        raise ValueError(f"{' and '.join(named)} {'is' if len(named) == 1 else 'are'} empty: expected at least one row")
    return found.pop()


def seen(data: object) -> object:
    """Return data as a tree of arrays: for rows that are read later, an array like them."""
    return stand_in(data) if isinstance(data, Rows) else data


def looked_at(data: object) -> object:
    """Return what must be finite: not the padding of sequences, nor a weighted target, of which the loss says what is seen.

    Rows that are read later are looked at by the loss of their batch.
    """
    if isinstance(data, Masked):
        return data.values[data.mask]
    if type(data) is tuple:
        return tuple([looked_at(one) for one in data])
    return () if isinstance(data, (Weighted, Rows)) else data


def plain(data: D, what: str) -> D:
    """Return a tree of arrays with every subclass of ndarray (a memory map, for one) as a plain view."""
    check_tree(data, what)
    if not tree.leaves(seen(data)):
        raise ValueError(f"{what} holds no array")
    for path, leaf in tree.walk(seen(data)):
        if leaf.dtype.kind not in "fiub":
            raise TypeError(f"{what}{path} has dtype {leaf.dtype}, expected real numbers: {advice(leaf)}")
        check_width(leaf, f"{what}{path}")
        if leaf.ndim == 0:
            raise ValueError(f"{what}{path} is a single number, expected one example per row")
    return data if isinstance(data, Rows) else tree.map(np.asarray, data)


def check_width(leaf: Array, what: str) -> None:
    """Raise a TypeError for numbers of half precision."""
    if leaf.dtype.kind == "f" and leaf.dtype.itemsize < 4:
        raise TypeError(
            f"{what} is {leaf.dtype}, and nothing is computed in half precision, whose sums overflow at 65,504 and have three"
            " digits: use .astype(np.float32)"
        )


def check_tree(data: object, what: str) -> None:
    """Raise a TypeError on one line, which names the kind of what is no array and where it stands, but does not print it."""
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(f"{what} is a masked array: use fn.Weighted for masks of targets")
    if isinstance(data, np.matrix):
        raise TypeError(f"{what} is a np.matrix, expected a plain array: use np.asarray({what})")
    if isinstance(data, (np.ndarray, Rows)):
        return
    inside = None
    if not isinstance(data, (Layer, Loss, Dataset)):  # records as well, but not of arrays alone
        with suppress(TypeError):
            inside = tree.children(data)
    if inside is None:
        raise TypeError(f"{what} is {kind_of(data)}, expected an array: {conversion(data, what)}")
    for step, child in inside:
        check_tree(child, what + step)


def kind_of(value: object) -> str:
    """Return what kind of thing a value is, in a few words."""
    if isinstance(value, type) or value is None or isinstance(value, (bool, int, float, str)):
        return " ".join(repr(value).split())[:60]
    if isinstance(value, Layer | Loss):
        return f"the {type(value).__name__} {value.name}"
    return f"a {type(value).__name__}"


def conversion(data: object, what: str) -> str:
    """Return how to make an array of something that is none."""
    name = what if what.isidentifier() else "..."
    if isinstance(data, (Layer, Loss)):
        return "are two arguments in each other's places?"
    if isinstance(data, Dataset):
        return "give its .x and its .y"
    return f"use np.asarray({name})"


def advice(leaf: Array) -> str:
    """Return what to do with an array that holds no real numbers."""
    texts = leaf.dtype.kind in "US" or (leaf.dtype.kind == "O" and leaf.size and all(isinstance(one, str) for one in leaf.flat))
    if texts:
        return "number the names of classes with names, labels = np.unique(names, return_inverse=True)"
    if leaf.dtype.kind == "O":
        return "np.array(..., dtype=float) makes them of rows of one length"
    if leaf.dtype.kind == "c":
        return "give real and imaginary parts as two features"
    return "use .astype(float)"


def row_count(data: object) -> int:
    """Return the number of rows of data that have been checked."""
    return len(data) if isinstance(data, Rows) else len(tree.leaves(data)[0])


def check_alike(expected: object, got: object, what: str) -> None:
    """Raise when the examples of the validation set are of another shape or dtype than those to train on."""
    expected, got = seen(unweighted(expected)), seen(unweighted(got))
    tree.check_structure(expected, got, f"validation {what}")
    for (path, one), other in zip(tree.walk(expected), tree.leaves(got), strict=True):
        if one.shape[1:] != other.shape[1:] or one.dtype.kind != other.dtype.kind:
            raise ValueError(
                f"validation {what}{path} is {describe(other)} and {what}{path} {describe(one)}: expected the same but"
                " for the rows"
            )
        if what == "x" and other.dtype.kind == "f" and more_precise(other.dtype, one.dtype):
            raise TypeError(
                f"validation x{path} is {other.dtype} and x{path} {one.dtype}, of less precision, which the parameters take: use"
                f" .astype(np.{one.dtype.name})"
            )


def unweighted(target: object) -> object:
    """Return the target inside of a Weighted one."""
    return target.target if isinstance(target, Weighted) else target


def in_shapes(x: object) -> Shapes:
    """Return the shape of one input, without the batch axis."""
    if isinstance(x, (np.ndarray, Rows)):
        return cast(Shapes, x.shape[1:])
    if isinstance(x, Masked):
        return x.values.shape[1:]
    if type(x) is tuple and all(isinstance(one, np.ndarray) for one in x):
        return tuple([one.shape[1:] for one in x])
    raise TypeError(f"x is {type(x).__name__}, expected an array or a tuple of arrays: the inputs of a network")


def data_dtype(x: object, y: object) -> np.dtype[Any]:
    """Return the precision of the data: that of x, or of y when x holds integers, or else float64."""
    for data in (x, unweighted(y)):
        found = [leaf.dtype for leaf in tree.leaves(seen(data)) if leaf.dtype.kind == "f"]
        if found:
            return np.result_type(*found)
    return np.dtype(np.float64)
