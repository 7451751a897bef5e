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
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.optim import blocks, fused
from funcnn.optim.blocks import Coefficients, Kernel
from funcnn.optim.layout import Group, Label, Layout, arranged, joined
from funcnn.optim.norms import bound_of, bounded, clamped
from funcnn.optim.optimizer import OptState, Updated, check_shape, counter, foreign, lock, updates_done
from funcnn.optim.where import Where
from funcnn.typing import Array

P = TypeVar("P")

COMPILED = 1 << 19  # numbers in large leaves from which on it pays to compile the rule
SHORT = 1 << 14  # numbers up to which the largest one is found sooner than a sum of squares

Watched: TypeAlias = tuple[int, float]
"""The place of a result, and a limit for its largest number."""
Buffers: TypeAlias = Callable[[Sequence[Array]], Sequence[Array]]
"""Gives the arrays in which to write the successors of some slots."""


def new_buffers(slots: Sequence[Array]) -> Sequence[Array]:
    """Return new arrays for the successors of slots."""
    return [np.empty_like(slot) for slot in slots]


@frozen
class Elementwise:
    """Base of the optimizers whose rule treats every number alike.

    A subclass is a frozen attrs class with the hyper-parameters as fields.  It says what its slots are called, what its
    coefficients are at each step, and what the rule is.
    """

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
        layout, leaves = self.arranged(params)
        slots: list[Array] = []
        for group in layout.groups:
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
        return self.updated(params, grads, state, new_buffers)

    def updated(self, params: P, grads: P, state: OptState[P], buffers: Buffers) -> Updated[P]:
        """Return what :meth:`update` does, with the slots of large leaves in the arrays that ``buffers`` gives.

        It is asked for them when all arguments have been checked, right before they are written.
        """
        count = updates_done(state, self)
        layout, old = self.arranged(params)
        slopes = layout.leaves(grads)
        if slopes is None:
            tree.check_like(params, grads, "the gradients")
            slopes = tree.leaves(grads)
        vectors: list[Array] = []
        slots: list[Array] = []
        for group, own in self._slots_of(layout, state):
            c = coefficients(self._coefficients(count, group.label), group.dtype)
            if group is layout.whole:
                out = self._in_one(group, c, joined(old, group.dtype), joined(slopes, group.dtype), own)
            else:
                out = (np.empty(group.size, group.dtype), *buffers(own))
                self._run(group, c, old, slopes, own, out)
            for array in out:
                lock(array, False)
            vectors.append(out[0])
            slots += out[1:]
        return Updated(layout.structure.rebuild(layout.views(vectors)), OptState(counter(count + 1), tuple(slots)))

    def arranged(self, params: P) -> tuple[Layout[P], tuple[Array, ...]]:
        """Return the arrangement of the leaves of a tree in vectors, and the leaves."""
        return arranged(params, self._divided_by)

    def _slots_of(self, layout: Layout[P], state: OptState[P]) -> list[tuple[Group, tuple[Array, ...]]]:
        """Return each group with its slots, or raise where the state is another optimizer's or for other parameters."""
        slots, width = state.slots, len(self.slots)
        check_shape(state, self, 0, width * len(layout.groups))
        found = []
        for group in layout.groups:
            own, slots = slots[:width], slots[width:]
            for slot in own:
                if slot.size != group.size or slot.dtype != group.dtype:
                    expected = f"{group.size} of {group.dtype}"
                    raise foreign(state, self, f"it is for {slot.size} numbers of {slot.dtype} in place of {expected}")
            found.append((group, own))
        return found

    def _in_one(self, group: Group, c: Coefficients, p: Array, g: Array, slots: Sequence[Array]) -> tuple[Array, ...]:
        """Return the rule's results for a tree of small leaves, which are updated as one vector."""
        share, watched = self._square_share, self._watched(group)
        if share is None or group.room == math.inf:
            return self._rule(c, p, g, *slots)
        if watched is None:
            return self._rule(c, p, bounded(g, share), *slots)
        try:
            out = self._rule(c, p, g, *slots)
        except (FloatingPointError, RuntimeWarning):  # of somebody who has NumPy or Python raise them
            out = None
        if out is not None and is_within(watched, out):
            return out
        return self._rule(c, p, clamped(g, bound_of(group.dtype, share)), *slots)

    def _watched(self, group: Group) -> Watched | None:
        """Return what tells that gradients are too large for :func:`norms.bounded`, at next to no cost.

        Where a result is at least the squares, its largest number is looked up, which is in the processor's cache still, and the
        rule is run again if that is too large.
        """
        share, squares = self._square_share, self._squares
        if share is None or squares is None or not 0 < group.size <= SHORT:
            return None
        place, multiple = squares
        return place, 0.5 * multiple * group.room * share  # half: all rounding is less

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
        layout, _ = self.arranged(params)
        place = self.slots.index(name)
        vectors = [slots[place] for _, slots in self._slots_of(layout, state)]
        return layout.structure.rebuild(layout.views(vectors))


def is_within(watched: Watched, out: Sequence[Array]) -> bool:
    """Tell whether a result's largest number is within its limit; NaN is not."""
    place, limit = watched
    return bool(out[place].item(out[place].argmax()) <= limit)


def _bounded_kernel(
    kernel: Kernel, share: float, c: Coefficients, p: Array, g: Array, slots: Sequence[Array], out: Sequence[Array]
) -> None:
    kernel(c, p, bounded(g, share), slots, out)


def coefficients(values: Sequence[float], dtype: np.dtype[np.floating]) -> Coefficients:
    """Return the numbers of a rule as arrays without axes."""
    return [np.array(value, dtype) if value > _FAINT else coefficient(value, dtype) for value in values]


def coefficient(value: float, dtype: np.dtype[np.floating]) -> Array:
    """Return a number of a rule as an array without axes: not 0 unless it is, so that an epsilon keeps 0 / 0 away."""
    if value < _FAINT and value > 0:
        return np.maximum(np.array(value, dtype), np.finfo(dtype).smallest_subnormal)
    return np.array(value, dtype)


_FAINT = 1e-40  # smaller numbers may be 0 in float32
