"""A network as a table: layers, shapes, parameters, and the memory that training takes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import TypeVar, cast

import attrs
import numpy as np
from attrs import evolve, frozen
from numpy.typing import DTypeLike

from funcnn import tree
from funcnn.instrument import is_composed, map_layers, part_steps
from funcnn.key import Key
from funcnn.layer import AnyLayer, Forward, Init, Layer, Residuals, Train
from funcnn.layers.max_unpooling import Pooled
from funcnn.masked import Masked
from funcnn.typing import Array, Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


@frozen
class SummaryRow:
    """One layer of a network."""

    path: str
    """The path of its parameters, such as ``[2][0]``."""
    depth: int
    """How many combinations it is inside of."""
    name: str
    out_shape: Shapes
    """The shape of one output, without the batch axis."""
    params: int
    """How many numbers its parameters are."""
    nbytes: int
    """How many bytes they take."""
    composed: bool
    """Whether it is made of the layers that follow, one level deeper: its parameters are theirs."""


@frozen(repr=False)
class Summary:
    """What :func:`summary` returns; it prints as a table."""

    rows: tuple[SummaryRow, ...]
    params: int
    """How many numbers the parameters are."""
    nbytes: int
    """How many bytes they take."""
    state_nbytes: int
    """How many bytes the layers' state takes."""
    dtype: np.dtype[np.generic]
    activation_nbytes: tuple[int, int]
    """What a forward in training keeps for the backward, as (bytes of any batch, bytes of each example)."""

    def activations(self, batch_size: int) -> int:
        """Return how many bytes a forward in training keeps for the backward: an estimate for batches of the given size."""
        fixed, each = self.activation_nbytes
        return fixed + each * batch_size

    def __str__(self) -> str:
        head = ("path", "layer", "output", "parameters", "bytes")
        body = [
            (
                row.path,
                "  " * (row.depth - 1) + row.name,
                str(row.out_shape),
                "" if row.composed else f"{row.params:,}",
                "" if row.composed else f"{row.nbytes:,}",
            )
            for row in self.rows
        ]
        total = ("total", "", "", f"{self.params:,}", f"{self.nbytes:,}")
        widths = [max(map(len, column)) for column in zip(head, *body, total, strict=True)]

        def line(cells: tuple[str, ...]) -> str:
            left = [cell.ljust(width) for cell, width in zip(cells[:3], widths, strict=False)]
            return "  ".join([*left, *(cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True))]).rstrip()

        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        kept = f"{self.dtype}; training keeps about {self.activation_nbytes[1]:,} bytes of activations per example"
        return "\n".join([line(head), rule, *map(line, body), rule, line(total), kept])

    __repr__ = __str__


def summary(model: Layer[P, S, X, Y], in_shape: Shapes, *, dtype: DTypeLike = np.float64) -> Summary:
    """Return a table of a network's layers.

    Parameters
    ----------
    model : Layer
    in_shape : tuple
        The shape of one input, without the batch axis.
    dtype : dtype, optional
        The precision in which bytes are counted: that of the data.

    Returns
    -------
    Summary
        Rows, totals, and an estimate of the memory for activations, measured on batches of 2 and 4 examples.

    Raises
    ------
    ValueError
        When the network does not fit the shape, with the path of the layer.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.summary(fn.dense(16) >> fn.relu() >> fn.dense(3), (4,), dtype=np.float32)
    path   layer      output  parameters  bytes
    -------------------------------------------
    [0]    dense(16)  (16,)           80    320
    [1]    relu       (16,)            0      0
    [2]    dense(3)   (3,)            51    204
    -------------------------------------------
    total                            131    524
    float32; training keeps about 92 bytes of activations per example
    """
    made: dict[int, tuple[Shapes, int, int]] = {}
    numbers = count()

    def measure(number: int, layer: AnyLayer, key: Key, shape: Shapes) -> Init[object, object]:
        start = layer.init(key, shape)
        made[number] = start.out_shape, tree.size(start.params), tree.nbytes(tree.astype(start.params, dtype))
        return start

    measured = map_layers(lambda path, layer: evolve(layer, init=partial(measure, next(numbers), layer)), model)
    start = measured.init(Key(0), in_shape)
    params, state = tree.astype(start.params, dtype), tree.astype(start.state, dtype)
    rows = [
        SummaryRow(path, depth, layer.name, *made[number], is_composed(layer))
        for number, path, depth, layer in _outline(model, "", 0, count())
        if number in made
    ]
    root = rows[0]
    small, large = (_kept(model, params, state, in_shape, dtype, size) for size in (2, 4))
    each = (large - small) // 2
    return Summary(
        tuple(rows[1:]) if root.composed else (evolve(root, depth=1),),
        tree.size(params),
        tree.nbytes(params),
        tree.nbytes(state),
        np.dtype(dtype),
        (small - 2 * each, each),
    )


def _outline(layer: AnyLayer, path: str, depth: int, numbers: Iterator[int]) -> list[tuple[int, str, int, AnyLayer]]:
    """Return (number, path, depth, layer) of every layer, a combination before its parts, numbered in the order of map_layers."""
    inner: list[tuple[int, str, int, AnyLayer]] = []
    if is_composed(layer):
        for step, part in zip(part_steps(layer), layer.parts, strict=True):
            inner += _outline(part, path + step, depth + 1, numbers)
    return [(next(numbers), path, depth, layer), *inner]


def _kept(model: AnyLayer, params: object, state: object, in_shape: Shapes, dtype: DTypeLike, batch: int) -> int:
    """Return the bytes of all arrays that a forward in training keeps, parameters and state left out."""
    made = _forward(model, params, state, in_shape, dtype, batch)
    theirs = {id(_owner(leaf)) for leaf in tree.leaves((params, state))}
    owners = {id(owner): owner for owner in map(_owner, _arrays((made.output, made.residuals)))}
    return sum(owner.nbytes for number, owner in owners.items() if number not in theirs)


def _forward(
    model: AnyLayer, params: object, state: object, in_shape: Shapes, dtype: DTypeLike, batch: int
) -> Forward[object, object, Residuals]:
    """Return what the model makes of the first kind of input that it takes: its shape does not say which kind it wants."""
    *others, last = _zeros, _tokens, _masked, _pooled
    with np.errstate(all="ignore"):
        for make in others:
            try:
                return model.forward(params, state, make(in_shape, batch, dtype), Train(Key(0)))
            except TypeError:
                continue
        return model.forward(params, state, last(in_shape, batch, dtype), Train(Key(0)))


def _zeros(shape: Shapes, batch: int, dtype: DTypeLike) -> object:
    if shape and all(isinstance(inner, tuple) for inner in shape):
        return tuple([_zeros(cast(Shapes, inner), batch, dtype) for inner in shape])
    return np.zeros((batch, *cast("tuple[int, ...]", shape)), dtype)


def _tokens(shape: Shapes, batch: int, dtype: DTypeLike) -> object:
    return _zeros(shape, batch, np.intp)


def _masked(shape: Shapes, batch: int, dtype: DTypeLike) -> Masked:
    values = np.zeros((batch, *cast("tuple[int, ...]", shape)), dtype)
    return Masked(values, np.ones(values.shape[:2], bool))


def _pooled(shape: Shapes, batch: int, dtype: DTypeLike) -> Pooled:
    values = np.zeros((batch, *cast("tuple[int, ...]", shape)), dtype)
    return Pooled(values, np.zeros(values.shape, np.intp))


def _arrays(value: object) -> Iterator[Array]:
    """Yield the arrays inside of residuals, which may hold anything."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _arrays(item)
    elif isinstance(value, dict):
        yield from _arrays(tuple(value.values()))
    elif attrs.has(kind := type(value)):
        for attribute in attrs.fields(kind):
            yield from _arrays(getattr(value, attribute.name))


def _owner(array: Array) -> Array:
    """Return the array whose memory this one is a view of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
