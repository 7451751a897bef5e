"""From a rule for one flat array to an optimizer of trees: where the elementwise optimizers meet the parameter tree.

An elementwise rule treats every number alike, so it need not know the tree.  The numbers of all leaves of one dtype (and one
label, see :attr:`Elementwise._divided_by`) form a *group*, and what the optimizer remembers about a group is one vector per slot.
Small leaves are gathered into one vector, so that a network of many small leaves costs a few array operations and not a few
per leaf.  Large leaves are read where they are, in blocks that stay in the processor's cache while the rule passes over them
several times.  The new parameters of a group are views of one new vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.optim import blocks, fused
from funcnn.optim.blocks import Coefficients, Kernel, Share
from funcnn.optim.norms import bound_of, bounded, clamped
from funcnn.optim.optimizer import OptState, Updated, check_shape, check_trainable, counter, foreign, lock, updates_done
from funcnn.optim.overwriting import output_buffers
from funcnn.optim.watch import Watch, watched
from funcnn.optim.where import Where, selects
from funcnn.runtime.records import fast_init
from funcnn.runtime.treedef import TreeDef, flatten
from funcnn.typing import Array, Shape

P = TypeVar("P")

LARGE = 1 << 15  # numbers from which on a leaf is not gathered
SMALL = 1 << 16  # numbers up to which a tree is kept in mind for its next update
KEPT = 16  # arrangements that are kept in mind for trees of one structure
MANY = 500  # leaves for which no expression is written
THREADED = 1 << 20  # numbers in large leaves from which on a second thread pays
COMPILED = 1 << 19  # from which on it pays to compile the rule
COMPILED_THREADED = 1 << 22  # and from which on a second thread pays then

Kind: TypeAlias = tuple[Shape, np.dtype[np.floating]]
"""What of a leaf decides where it stands in its vector."""


Label: TypeAlias = bool | None
"""Whether the ``where`` of an optimizer selects a leaf; None: it has none, and all leaves are alike."""


class Last:
    """A place for the last update of a small tree; copies and pickles of it are empty."""

    __slots__ = ("update",)

    def __init__(self) -> None:
        self.update: WholeUpdate | None = None

    def __reduce__(self) -> tuple[type[Last], tuple[()]]:
        return Last, ()


@frozen
class Elementwise:
    """Base of the optimizers whose rule treats every number alike.

    A subclass is a frozen attrs class with the hyper-parameters as fields.  It says what its slots are called, what its
    coefficients are at each step, and what the rule is.
    """

    last: Last = field(init=False, eq=False, repr=False, factory=Last)
    """Of a small tree, for the next update: what is given then was made here, so it is neither tested nor gathered again."""

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what the optimizer remembers for each parameter."""
        return ()

    @property
    def _divided_by(self) -> Where | None:
        """What sets leaves apart, such as those that are decayed; the label of a leaf is whether this selects it."""
        return None

    def _start(self, p: Array) -> tuple[Array, ...]:
        """Return the slots before the first update, for a flat array of parameters."""
        return tuple([np.zeros_like(p) for _ in self.slots])

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        """Return the numbers of the rule for the update after ``count`` updates."""
        raise NotImplementedError

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        """Return the next parameters and the next slots, for flat arrays."""
        raise NotImplementedError

    def _kernel(self, c: Coefficients, p: Array, g: Array, slots: Sequence[Array], out: Sequence[Array]) -> None:
        """Write what :meth:`_rule` gives into ``out``: the form that runs on large leaves, to be spared temporary arrays."""
        for place, new in zip(out, self._rule(c, p, g, *slots), strict=True):
            place[...] = new

    @property
    def _square_share(self) -> float | None:
        """The share of a new square in the sum or mean of squares that gradients are divided by; see :func:`norms.bounded`."""
        return None

    @property
    def _squares(self) -> tuple[int, float] | None:
        """The place of a result of the rule that is at least a multiple of the gradients' squares, and that multiple."""
        return None

    @property
    def _numbers(self) -> fused.Numbers | None:
        """The rule for single numbers, which gives the same to the last bit, if it has been written out for :mod:`fused`."""
        return None

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update.

        Raises
        ------
        TypeError
            When a leaf does not hold floating-point numbers.
        """
        structure, leaves = flatten(params)
        slots: list[Array] = []
        for group in self._layout(structure, leaves).groups:
            slots.extend(tree.freeze(self._start(joined([leaves[index] for index in group.order], group.dtype))))
        return OptState(counter(0), tuple(slots))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state.

        Raises
        ------
        ValueError
            When the gradients differ from the parameters in structure, shape or dtype, with the path of the leaf; when the
            state is not one of these parameters.
        """
        last = self.last.update
        if last is not None and params is last.params and state is last.state:
            slopes = last.structure.leaves(grads)
            if slopes is not None and last.layout.fits(slopes):
                return self._update_whole(last, slopes)
        count, width = updates_done(state, self), len(self.slots)
        structure, old = flatten(params)
        layout = self._layout(structure, old)
        slopes = structure.leaves(grads)
        if slopes is None or not layout.fits(slopes):
            tree.check_like(params, grads, "the gradients")
            slopes = tree.leaves(grads)
        remembered = state.slots
        check_shape(state, self, 0, width * len(layout.groups))
        new: list[Array] = list(old)
        slots: list[Array] = []
        for group in layout.groups:
            dtype, size = group.dtype, group.size
            kept = remembered[len(slots) : len(slots) + width]
            for slot in kept:
                if slot.size != size or slot.dtype != dtype:
                    raise foreign(state, self, f"it is for {slot.size} numbers of {slot.dtype} in place of {size} of {dtype}")
            if group.whole:
                watch = watched(dtype, size, self._square_share, self._squares)
                whole = WholeUpdate(params, state, structure, layout, joined(old, dtype), (), (), watch)
                return self._update_whole(whole, slopes)
            c = [coefficient(value, dtype) for value in self._coefficients(count, group.label)]
            out = [np.empty(size, dtype), *output_buffers(state, kept)]
            self._run(group, c, old, slopes, kept, out)
            for array in out:
                lock(array, False)
            group.scatter(out[0], new)
            slots += out[1:]
        return Updated(structure.rebuild(new), OptState(counter(count + 1), tuple(slots)))

    def _update_whole(self, last: WholeUpdate, slopes: tuple[Array, ...]) -> Updated[Any]:
        """Return what follows on an update of a tree of small leaves, which are updated as one vector."""
        group, state, watch = last.layout.groups[0], last.state, last.watch
        dtype, count = group.dtype, int(state.count)
        values = self._coefficients(count, group.label)
        if values == last.values:
            c = last.c
        elif len(values) == len(last.values):
            pairs = zip(values, last.values, last.c)  # noqa: B905  # of one length; to say strict takes as long as to zip
            c = [
                known if value == before else np.array(value, dtype) if value > _FAINT else coefficient(value, dtype)
                for value, before, known in pairs
            ]
        else:
            c = [coefficient(value, dtype) for value in values]
        g = joined(slopes, dtype)
        out = cast("tuple[Array, ...]", ())
        if watch is None:
            out = self._rule(c, last.vector, g, *state.slots)
        elif not watch.place:
            out = self._rule(c, last.vector, bounded(g, watch.share), *state.slots)
        else:
            try:
                out = self._rule(c, last.vector, g, *state.slots)
                fine = (squares := out[watch.place]).item(squares.argmax()) <= watch.limit
            except (FloatingPointError, RuntimeWarning):  # of somebody who has NumPy or Python raise them
                fine = False
            if not fine:
                out = self._rule(c, last.vector, clamped(g, bound_of(dtype, watch.share)), *state.slots)
        for array in out:
            lock(array, False)
        vector = out[0]
        new = [vector[place] if shape is None else vector[place].reshape(shape) for _, place, shape in group.places]
        updated = Updated(last.structure.rebuild(new), OptState(counter(count + 1), out[1:]))
        if last.layout.kept:
            self.last.update = WholeUpdate(updated.params, updated.state, last.structure, last.layout, vector, values, c, watch)
        return updated

    def _run(
        self,
        group: Group,
        c: Coefficients,
        params: Sequence[Array],
        grads: Sequence[Array],
        slots: Sequence[Array],
        out: Sequence[Array],
    ) -> None:
        """Write the rule's results: once for the small leaves together, and block by block for each large one."""
        begin, share = group.large_size, self._square_share
        kernel = self._kernel if share is None else partial(_bounded_kernel, self._kernel, share)
        if group.small:
            p = joined([params[index] for index in group.small], group.dtype)
            g = joined([grads[index] for index in group.small], group.dtype)
            kernel(c, p, g, [slot[begin:] for slot in slots], [place[begin:] for place in out])
        compiled = self._compiled(group)
        if compiled is not None:
            blocks.run(compiled, group.stretches, c, params, grads, slots, out)
        elif begin:
            blocks.run(kernel, group.shares, c, params, grads, slots, out)

    def _compiled(self, group: Group) -> Kernel | None:
        """Return the compiled kernel for large leaves, where that pays and can be."""
        if group.large_size >= COMPILED and fused.fits(group.dtype) and self._numbers is not None:
            loops = fused.compiled(self._numbers)
            if loops is not None:
                share = self._square_share
                return partial(fused.kernel, loops, math.inf if share is None else bound_of(group.dtype, share))
        return None

    def slot(self, name: str, params: P, state: OptState[P]) -> P:
        """Return one of the slots as a tree like the parameters.

        Raises
        ------
        ValueError
            When the optimizer has no slot of that name.
        """
        if name not in self.slots:
            raise ValueError(f"{self!r} has no slot {name!r}, only {self.slots}")
        structure, leaves = flatten(params)
        new = list(leaves)
        for number, group in enumerate(self._layout(structure, leaves).groups):
            group.scatter(state.slots[number * len(self.slots) + self.slots.index(name)], new)
        return structure.rebuild(new)

    def _layout(self, structure: TreeDef[P], leaves: tuple[Array, ...]) -> Layout:
        where = self._divided_by
        layout: Layout | None = structure.memo.get(where)
        if layout is None or not layout.fits(leaves):
            kinds = tuple([(leaf.shape, leaf.dtype) for leaf in leaves])
            if len(structure.memo) >= KEPT:
                structure.memo.clear()
            layout = structure.memo[where] = lay_out(structure.paths, kinds, where)
        return layout


def _bounded_kernel(
    kernel: Kernel, share: float, c: Coefficients, p: Array, g: Array, slots: Sequence[Array], out: Sequence[Array]
) -> None:
    kernel(c, p, bounded(g, share), slots, out)


@fast_init
@frozen(eq=False)
class WholeUpdate:
    """What an update of a small tree gave, and what it is made of."""

    params: Any  # Any: a tree of whatever type
    state: OptState[Any]
    structure: TreeDef[Any]
    layout: Layout
    vector: Array  # of which the parameters are views
    values: tuple[float, ...]
    c: Coefficients  # the values as arrays
    watch: Watch | None


@frozen(eq=False)
class Group:
    """The leaves of one dtype and one label, and where each stands in their common vector."""

    dtype: np.dtype[np.floating]
    label: Label
    size: int
    order: tuple[int, ...]  # its leaves, large ones first
    places: tuple[tuple[int, slice, Shape | None], ...]  # (leaf, place in the vector, shape, or None for one axis)
    shares: tuple[Share, ...]  # the large leaves, cut up in blocks
    stretches: tuple[Share, ...]  # the large leaves, cut up among threads only
    small: tuple[int, ...]  # the leaves that are gathered: they fill the end of the vector
    large_size: int
    whole: bool  # whether it is all leaves of the tree in their order, and none of them large

    def scatter(self, vector: Array, leaves: list[Array]) -> None:
        """Put views of the vector, in the shapes of the leaves, into a list of all leaves."""
        for index, place, shape in self.places:
            leaves[index] = vector[place] if shape is None else vector[place].reshape(shape)


@frozen(eq=False)
class Layout:
    """How the leaves of a tree are arranged in vectors."""

    kinds: tuple[Kind, ...]
    groups: tuple[Group, ...]
    fits: Callable[[tuple[Array, ...]], bool]
    """Tells whether leaves are of these kinds: one expression, since it is asked twice in each update."""
    kept: bool
    """Whether an update is kept in mind for the next one: the tree is small, and has no dicts, which might be assigned to."""


@lru_cache(maxsize=256)
def lay_out(paths: tuple[str, ...], kinds: tuple[Kind, ...], where: Where | None) -> Layout:
    """Arrange leaves in groups."""
    members: dict[tuple[np.dtype[np.floating], Label], list[int]] = {}
    for index, (path, (shape, dtype)) in enumerate(zip(paths, kinds, strict=True)):
        check_trainable(path, dtype)
        members.setdefault((dtype, None if where is None else selects(where, path, shape)), []).append(index)
    shapes = [shape for shape, _ in kinds]
    groups = tuple([_group(dtype, name, found, shapes) for (dtype, name), found in members.items()])
    fixed = not any("['" in path or '["' in path for path in paths)
    kept = fixed and sum([group.size for group in groups]) <= SMALL
    return Layout(kinds, groups, _fits(kinds) if len(kinds) <= MANY else partial(_are_kinds, kinds), kept)


def _fits(kinds: tuple[Kind, ...]) -> Callable[[tuple[Array, ...]], bool]:
    tests = [f"l[{i}].shape == k[{i}][0] and l[{i}].dtype is k[{i}][1]" for i in range(len(kinds))]
    fits: Callable[[tuple[Array, ...]], bool] = eval(f"lambda l: {' and '.join(tests) or True}", {"k": kinds})
    return fits


def _are_kinds(kinds: tuple[Kind, ...], leaves: tuple[Array, ...]) -> bool:
    return tuple([(leaf.shape, leaf.dtype) for leaf in leaves]) == kinds


def _group(dtype: np.dtype[np.floating], label: Label, members: list[int], shapes: list[Shape]) -> Group:
    sizes = {index: math.prod(shapes[index]) for index in members}
    small = tuple([index for index in members if sizes[index] < LARGE])
    large = tuple([index for index in members if sizes[index] >= LARGE])
    places: list[tuple[int, slice, Shape | None]] = []
    begin = 0
    for index in large + small:
        places.append((index, slice(begin, begin + sizes[index]), shapes[index] if len(shapes[index]) != 1 else None))
        begin += sizes[index]
    stretched = [(index, sizes[index]) for index in large]
    return Group(
        dtype,
        label,
        begin,
        large + small,
        tuple(places),
        blocks.shares(stretched, blocks.BLOCK, THREADED),
        blocks.shares(stretched, begin, COMPILED_THREADED),
        small,
        sum([sizes[index] for index in large]),
        len(small) == len(shapes),
    )


def coefficient(value: float, dtype: np.dtype[np.floating]) -> Array:
    """Return a number of a rule as an array without axes: not 0 unless it is, so that an epsilon keeps 0 / 0 away."""
    if value < _FAINT and value > 0:
        return np.maximum(np.array(value, dtype), np.finfo(dtype).smallest_subnormal)
    return np.array(value, dtype)


_FAINT = 1e-40  # smaller numbers may be 0 in float32


def joined(leaves: Sequence[Array], dtype: np.dtype[np.floating]) -> Array:
    """Return leaves as one vector, a read-only copy: ``np.concatenate`` in a quarter of its time."""
    try:
        return np.frombuffer(b"".join(cast("Sequence[bytes]", leaves)), dtype)
    except (TypeError, ValueError):  # an array that is not contiguous has no plain buffer
        return np.concatenate([leaf.ravel() for leaf in leaves])
