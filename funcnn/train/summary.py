"""A network as a table: layers, shapes, parameters, and the memory that training takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import TypeVar, cast

import attrs
import numpy as np
from attrs import evolve, frozen
from numpy.typing import DTypeLike

from funcnn import tree
from funcnn.errors import check_count, shown
from funcnn.key import Key
from funcnn.layer import AnyLayer, Eval, Init, Layer, Train, check_layer
from funcnn.layer.instrument import is_composed, map_layers, part_steps
from funcnn.layers.pooling.max_unpooling import Pooled
from funcnn.masked import Masked
from funcnn.optim.optimizer import Optimizer
from funcnn.train.peak_memory import peak_nbytes
from funcnn.tree import checked_dtype
from funcnn.tree.html_table import html_table
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
    batch_size: int | None = None
    """The size of batches for which the peak was asked."""
    peak_nbytes: int | None = None
    """How many bytes training holds at its peak with batches of this size: parameters, state and what the optimizer remembers,
    old and new, gradients, activations, and the batch itself."""

    def activations(self, batch_size: int) -> int:
        """Return how many bytes a forward in training keeps for the backward: an estimate for batches of the given size."""
        fixed, each = self.activation_nbytes
        return fixed + each * batch_size

    def _lines(self, step: str) -> list[tuple[str, ...]]:
        """Return the head, the rows, indented by so much for each level, and the total."""
        body = [
            (
                row.path,
                step * (row.depth - 1) + row.name,
                str(row.out_shape),
                "" if row.composed else f"{row.params:,}",
                "" if row.composed else f"{row.nbytes:,}",
            )
            for row in self.rows
        ]
        total = ("total", "", "", f"{self.params:,}", f"{self.nbytes:,}")
        return [("path", "layer", "output", "parameters", "bytes"), *body, total]

    def _repr_html_(self) -> str:
        """Return the table as notebooks show it."""
        return html_table(self._lines("\u2003"), (3, 4))

    def __str__(self) -> str:
        head, *body, total = self._lines("  ")
        widths = [max(map(len, column)) for column in zip(head, *body, total, strict=True)]

        def line(cells: tuple[str, ...]) -> str:
            left = [cell.ljust(width) for cell, width in zip(cells[:3], widths, strict=False)]
            return "  ".join([*left, *(cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True))]).rstrip()

        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        kept = f"{self.dtype}; training keeps about {self.activation_nbytes[1]:,} bytes of activations per example"
        if self.peak_nbytes is not None:
            kept += f"\nwith batches of {self.batch_size} it takes about {self.peak_nbytes:,} bytes at its peak"
        return "\n".join([line(head), rule, *map(line, body), rule, line(total), kept])

    __repr__ = __str__


def summary(
    model: Layer[P, S, X, Y],
    in_shape: Shapes,
    *,
    dtype: DTypeLike = np.float64,
    batch_size: int | None = None,
    optimizer: Optimizer | None = None,
) -> Summary:
    """Return a table of a network's layers.

    Parameters
    ----------
    model : Layer
    in_shape : tuple
        The shape of one input, without the batch axis.
    dtype : dtype, optional
        The precision in which bytes are counted: that of the data.
    batch_size : int, optional
        With it the peak of the memory that training takes is told too.  It is found by a rehearsal: one gradient of a batch of
        zeros, of up to 64 examples or, for larger batches, of 64 and of 128, from which a straight line goes on.
    optimizer : Optimizer, optional
        Its update is part of the rehearsal; without one the peak is that of the gradient alone.

    Returns
    -------
    Summary
        Rows, totals, and an estimate of the memory for activations, measured on batches of 2 and 4 examples.

    Raises
    ------
    ValueError
        When the network does not fit the shape, with the path of the layer; when ``batch_size`` is less than 1, or an optimizer
        is given without it.
    TypeError
        When ``batch_size`` is not an integer.

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

    What will training take?

    >>> table = fn.summary(fn.mlp(512, 512, 10), (784,), dtype=np.float32, batch_size=64, optimizer=fn.adam())
    >>> round(table.peak_nbytes / 2**20)
    18
    """
    check_layer(model, "model")
    dtype = checked_dtype(dtype)
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is {shown(optimizer)}, expected an optimizer, such as fn.adam(), or None")
    if batch_size is not None:
        batch_size = check_count(batch_size, "batch_size")
    elif optimizer is not None:
        raise ValueError("the peak of an optimizer's memory depends on the batch: give batch_size as well")
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
    examples = _examples(model, params, state, in_shape, dtype)
    small, large = (_kept(model, params, state, examples(size)) for size in (2, 4))
    each = (large - small) // 2
    return Summary(
        tuple(rows[1:]) if root.composed else (evolve(root, depth=1),),
        tree.size(params),
        tree.nbytes(params),
        tree.nbytes(state),
        np.dtype(dtype),
        (small - 2 * each, each),
        batch_size,
        None if batch_size is None else peak_nbytes(model, params, state, examples, batch_size, optimizer),
    )


def _outline(layer: AnyLayer, path: str, depth: int, numbers: Iterator[int]) -> list[tuple[int, str, int, AnyLayer]]:
    """Return (number, path, depth, layer) of every layer, a combination before its parts, numbered in the order of map_layers."""
    inner: list[tuple[int, str, int, AnyLayer]] = []
    if is_composed(layer):
        for step, part in zip(part_steps(layer), layer.parts, strict=True):
            inner += _outline(part, path + step, depth + 1, numbers)
    return [(next(numbers), path, depth, layer), *inner]


def _kept(model: AnyLayer, params: object, state: object, x: object) -> int:
    """Return the bytes of all arrays that a forward in training keeps, parameters and state left out."""
    with np.errstate(all="ignore"):
        made = model.forward(params, state, x, Train(Key(0)))
    theirs = {id(_owner(leaf)) for leaf in tree.leaves((params, state))}
    owners = {id(owner): owner for owner in map(_owner, _arrays((made.output, made.residuals)))}
    return sum(owner.nbytes for number, owner in owners.items() if number not in theirs)


def _examples(model: AnyLayer, params: object, state: object, in_shape: Shapes, dtype: DTypeLike) -> Callable[[int], object]:
    """Return what makes a batch of the first kind of input that the model takes: its shape does not say which kind it wants."""
    *others, last = [
        partial(make, in_shape, dtype) for make in (_zeros, _tokens, _edges, _weighted, _allowed, _masked, _memory, _pooled)
    ]
    with np.errstate(all="ignore"):
        for make in others:
            try:
                model.forward(params, state, make(1), Eval(residuals=False))
            except TypeError:
                continue
            return make
    return last


def _zeros(shape: Shapes, dtype: DTypeLike, batch: int) -> object:
    if shape and all(isinstance(inner, tuple) for inner in shape):
        return tuple([_zeros(cast(Shapes, inner), dtype, batch) for inner in shape])
    return np.zeros((batch, *cast("tuple[int, ...]", shape)), dtype)


def _tokens(shape: Shapes, dtype: DTypeLike, batch: int) -> object:
    return _zeros(shape, np.intp, batch)


def _edges(shape: Shapes, dtype: DTypeLike, batch: int) -> object:
    """Return numbers beside integers, as the points of a graph and its edges are."""
    first, *others = _several(shape)
    return _zeros(first, dtype, batch), *[_tokens(one, dtype, batch) for one in others]


def _weighted(shape: Shapes, dtype: DTypeLike, batch: int) -> object:
    """Return integers beside numbers, as indices and their weights are."""
    first, *others = _several(shape)
    return _tokens(first, dtype, batch), *[_zeros(one, dtype, batch) for one in others]


def _several(shape: Shapes) -> tuple[Shapes, ...]:
    if len(shape) < 2 or not all(isinstance(inner, tuple) for inner in shape):
        raise TypeError("one input alone")
    return cast("tuple[Shapes, ...]", shape)


def _allowed(shape: Shapes, dtype: DTypeLike, batch: int) -> object:
    """Return several arrays, the last of which says what may be seen."""
    arrays = _zeros(shape, dtype, batch)
    if not isinstance(arrays, tuple) or not isinstance(arrays[-1], np.ndarray):
        raise TypeError("no arrays beside a mask")
    return *arrays[:-1], np.ones(arrays[-1].shape, bool)


def _masked(shape: Shapes, dtype: DTypeLike, batch: int) -> Masked:
    values = np.zeros((batch, *cast("tuple[int, ...]", shape)), dtype)
    return Masked(values, np.ones(values.shape[:2], bool))


def _memory(shape: Shapes, dtype: DTypeLike, batch: int) -> object:
    """Return a sequence beside a memory of steps that may be padding."""
    try:
        values, memory = cast("tuple[Shapes, Shapes]", shape)
        return _zeros(values, dtype, batch), _masked(memory, dtype, batch)
    except ValueError:
        raise TypeError("no pair of sequences") from None


def _pooled(shape: Shapes, dtype: DTypeLike, batch: int) -> Pooled:
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
