"""From a rule for one flat array to an optimizer of trees: where the elementwise optimizers meet the parameter tree.

An elementwise rule treats every number alike, so it need not know the tree.  The numbers of all leaves of one dtype (and one
label, see :meth:`Elementwise._label`) form a *group*, and what the optimizer remembers about a group is one vector per slot.
Small leaves
are gathered into one vector, so that a network of many small leaves costs a few array operations and not a few per leaf.  Large
leaves are read where they are, in blocks that stay in the processor's cache while the rule passes over them several times.  The
new
parameters of a group are views of one new vector.
"""

from __future__ import annotations

import contextvars
import math
import threading
from collections.abc import Callable, Hashable
from functools import lru_cache
from itertools import accumulate
from typing import ClassVar, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.optim.optimizer import OptState, Updated, counter
from funcnn.typing import Array, Shape

P = TypeVar("P")

LARGE = 1 << 15  # numbers from which on a leaf is not gathered
BLOCK = 1 << 16  # numbers that one pass of the rule takes of a large leaf
THREADED = 1 << 20  # numbers in large leaves from which on a second thread pays

Coefficients = tuple[Array, ...]
"""The numbers in a rule that are the same for all parameters, as arrays without axes: NumPy takes those faster than floats."""


class Elementwise:
    """Base of the optimizers whose rule treats every number alike.

    A subclass is a frozen attrs class with the hyper-parameters as fields.  It says what its slots are called, what its
    coefficients are at
    each step, and what the rule is.
    """

    __slots__ = ()

    slots: ClassVar[tuple[str, ...]] = ()
    """The names of what the optimizer remembers for each parameter."""

    def _label(self, path: str, leaf: Array) -> Hashable:
        """Return what sets this leaf apart from others, such as whether it is decayed; leaves of one label go together."""
        return None

    @property
    def _labelled(self) -> bool:
        """Whether :meth:`_label` tells leaves apart."""
        return False

    def _start(self, p: Array) -> tuple[Array, ...]:
        """Return the slots before the first update, for a flat array of parameters."""
        return tuple([np.zeros_like(p) for _ in self.slots])

    def _coefficients(self, count: int, label: Hashable) -> tuple[float, ...]:
        """Return the numbers of the rule for the update after ``count`` updates."""
        raise NotImplementedError

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        """Return the next parameters and the next slots, for flat arrays."""
        raise NotImplementedError

    def _kernel(self, c: Coefficients, p: Array, g: Array, slots: tuple[Array, ...], out: tuple[Array, ...]) -> None:
        """Write what :meth:`_rule` gives into ``out``: the form that runs.  Overridden where it pays to save temporary arrays."""
        for place, new in zip(out, self._rule(c, p, g, *slots), strict=True):
            place[...] = new

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update.

        Raises
        ------
        TypeError
            When a leaf does not hold floating-point numbers.
        """
        leaves = tree.leaves(params)
        slots: list[Array] = []
        for group in self._layout(params, leaves).groups:
            slots.extend(tree.freeze(self._start(group.gather(leaves))))
        return OptState(counter(0), tuple(slots))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state.

        Raises
        ------
        ValueError
            When the gradients differ from the parameters in structure, shape or dtype, with the path of the leaf, or when the
            state
            is not one of these parameters.
        """
        old, slopes = tree.leaves(params), tree.leaves(grads)
        if [leaf.shape for leaf in old] != [leaf.shape for leaf in slopes] or [leaf.dtype for leaf in old] != [
            leaf.dtype for leaf in slopes
        ]:
            tree.check_like(params, grads, "the gradients")
        layout = self._layout(params, old)
        count = int(state.count)
        new: list[Array] = list(old)
        slots: list[Array] = []
        width, first = len(self.slots), 0
        if len(state.slots) != width * len(layout.groups):
            raise ValueError(_foreign_state(self, params))
        for group in layout.groups:
            c = tuple([np.array(value, group.dtype) for value in self._coefficients(count, group.label)])
            kept = state.slots[first : first + width]
            for slot in kept:
                if slot.shape != group.shape or slot.dtype != group.dtype:
                    raise ValueError(_foreign_state(self, params))
            out = tuple([np.empty(group.size, group.dtype) for _ in range(width + 1)])
            run(self._kernel, group, c, old, slopes, kept, out)
            for array in out:
                array.setflags(write=False)
            vector = out[0]
            for index, begin, end, shape in group.places:
                new[index] = vector[begin:end].reshape(shape)
            slots += out[1:]
            first += width
        return Updated(tree.rebuild(params, iter(new)), OptState(counter(count + 1), tuple(slots)))

    def slot(self, name: str, params: P, state: OptState[P]) -> P:
        """Return one of the slots as a tree like the parameters.

        Raises
        ------
        ValueError
            When the optimizer has no slot of that name.
        """
        if name not in self.slots:
            raise ValueError(f"{self!r} has no slot {name!r}, only {self.slots}")
        leaves = tree.leaves(params)
        new = list(leaves)
        for number, group in enumerate(self._layout(params, leaves).groups):
            vector = state.slots[number * len(self.slots) + self.slots.index(name)]
            for index, begin, end, shape in group.places:
                new[index] = vector[begin:end].reshape(shape)
        return tree.rebuild(params, iter(new))

    def _layout(self, params: object, leaves: tuple[Array, ...]) -> Layout:
        labels: tuple[Hashable, ...] | None = None
        if self._labelled:
            labels = tuple([self._label(path, leaf) for path, leaf in tree.walk(params)])
        for index, leaf in enumerate(leaves):
            if leaf.dtype.kind != "f":
                raise TypeError(
                    f"parameter {tree.paths(params)[index]} has dtype {leaf.dtype}: an optimizer updates floating-point leaves;"
                    " keep integers in the layer's state"
                )
        return lay_out(tuple([leaf.shape for leaf in leaves]), tuple([leaf.dtype for leaf in leaves]), labels)


def _foreign_state(optimizer: object, params: object) -> str:
    return (
        f"the optimizer's state does not fit: it must come from init or update of {optimizer!r} with parameters of these shapes"
        f" ({tree.size(params)} numbers)"
    )


@frozen(eq=False)
class Group:
    """The leaves of one dtype and one label, and where each stands in their common vector."""

    dtype: np.dtype[np.floating]
    label: Hashable
    size: int
    shape: Shape  # (size,)
    places: tuple[tuple[int, int, int, Shape], ...]  # (leaf, begin, end, shape) of every leaf
    blocks: tuple[
        tuple[int, int, int, int], ...
    ]  # (leaf, begin in the leaf, end in the leaf, begin in the vector) of large leaves
    small: tuple[int, ...]  # the leaves that are gathered: the end of the vector
    small_begin: int

    def gather(self, leaves: tuple[Array, ...]) -> Array:
        """Return the group's numbers as one new vector."""
        return np.concatenate([leaves[index] for index, _, _, _ in self.places], axis=None, dtype=self.dtype)


@frozen(eq=False)
class Layout:
    """How the leaves of a tree are arranged in vectors."""

    groups: tuple[Group, ...]


@lru_cache(maxsize=256)
def lay_out(shapes: tuple[Shape, ...], dtypes: tuple[np.dtype[np.floating], ...], labels: tuple[Hashable, ...] | None) -> Layout:
    """Arrange leaves in groups; within one, large leaves come first, so that what is gathered is contiguous."""
    members: dict[tuple[object, ...], list[int]] = {}
    for index, dtype in enumerate(dtypes):
        members.setdefault((dtype, None if labels is None else labels[index]), []).append(index)
    return Layout(
        tuple(
            [_group(shapes, dtypes[found[0]], None if labels is None else labels[found[0]], found) for found in members.values()]
        )
    )


def _group(shapes: tuple[Shape, ...], dtype: np.dtype[np.floating], label: Hashable, members: list[int]) -> Group:
    sizes = {index: math.prod(shapes[index]) for index in members}
    large = [index for index in members if sizes[index] >= LARGE]
    small = [index for index in members if sizes[index] < LARGE]
    order = large + small
    ends = list(accumulate([sizes[index] for index in order]))
    places = tuple([(index, end - sizes[index], end, shapes[index]) for index, end in zip(order, ends, strict=True)])
    blocks = [
        (index, low, min(low + BLOCK, sizes[index]), begin + low)
        for index, begin, _, _ in places[: len(large)]
        for low in range(0, sizes[index], BLOCK)
    ]
    size = ends[-1] if ends else 0
    return Group(dtype, label, size, (size,), places, tuple(blocks), tuple(small), sum(sizes[index] for index in large))


Kernel = Callable[[Coefficients, Array, Array, tuple[Array, ...], tuple[Array, ...]], None]


def run(
    kernel: Kernel,
    group: Group,
    c: Coefficients,
    params: tuple[Array, ...],
    grads: tuple[Array, ...],
    slots: tuple[Array, ...],
    out: tuple[Array, ...],
) -> None:
    """Apply a kernel to a group: once to the small leaves together, and block by block to each large one."""
    if group.small:
        p = np.concatenate([params[index] for index in group.small], axis=None)
        g = np.concatenate([grads[index] for index in group.small], axis=None)
        if not group.blocks:
            kernel(c, p, g, slots, out)
            return
        begin = group.small_begin
        kernel(c, p, g, tuple([slot[begin:] for slot in slots]), tuple([place[begin:] for place in out]))
    flat = {index: (params[index].reshape(-1), grads[index].reshape(-1)) for index in {block[0] for block in group.blocks}}

    def work(blocks: tuple[tuple[int, int, int, int], ...]) -> None:
        for index, low, high, begin in blocks:
            p, g = flat[index]
            here = slice(begin, begin + high - low)
            kernel(c, p[low:high], g[low:high], tuple([slot[here] for slot in slots]), tuple([place[here] for place in out]))

    if group.small_begin < THREADED:
        work(group.blocks)
    else:
        half = len(group.blocks) // 2
        both(lambda: work(group.blocks[:half]), lambda: work(group.blocks[half:]))


def both(first: Callable[[], None], second: Callable[[], None]) -> None:
    """Run two functions at the same time and return when both are done; an error in either is raised here.

    A thread that lives for one call costs some 50 microseconds.  It leaves nothing behind: no pool that a forked process would
    miss.
    """
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            second()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(guarded,))  # np.errstate is part of the context
    thread.start()
    try:
        first()
    finally:
        thread.join()
    if failures:
        raise failures[0]
