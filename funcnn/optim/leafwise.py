"""From a rule for one leaf to an optimizer of trees, for rules that need to know the leaf: its norm, its rows and columns.

What is remembered is one list of arrays for each leaf, whatever their shapes; ``OptState.slots`` is these lists end to end.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import numpy as np

from funcnn import tree
from funcnn.optim.optimizer import OptState, Updated, check_shape, check_trainable, counter, foreign, updates_done
from funcnn.optim.transformations.transform import as_arrays, matched
from funcnn.optim.where import Where, selects
from funcnn.runtime.treedef import flatten
from funcnn.typing import Array, Shape

P = TypeVar("P")


class Leafwise:
    """Base of the optimizers whose rule is for one leaf.

    A subclass is a frozen attrs class with the hyper-parameters as fields.  It says what is remembered of a leaf, and what the
    rule is.
    """

    __slots__ = ()

    where: Where
    """Which leaves the rule treats in its own way; what happens to the others is the rule's matter."""

    def _slots(self, shape: Shape, chosen: bool) -> tuple[Shape, ...]:
        """Return the shapes of what is remembered of a leaf; all of it starts from zero."""
        raise NotImplementedError

    def _rule(self, count: int, chosen: bool, p: Array, g: Array, kept: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        """Return the next leaf, and what is remembered next."""
        raise NotImplementedError

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update.

        Raises
        ------
        TypeError
            When a leaf does not hold floating-point numbers.
        """
        structure, leaves = flatten(params)
        slots = [
            np.zeros(shape, p.dtype)
            for p, chosen in zip(leaves, _chosen(structure.paths, _kinds(leaves), self.where), strict=True)
            for shape in self._slots(p.shape, chosen)
        ]
        tree.freeze(tuple(slots))
        return OptState(counter(0), tuple(slots))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state.

        Raises
        ------
        ValueError
            When the gradients differ from the parameters in structure, shape or dtype, with the path of the leaf; when the
            state is not one of these parameters.
        """
        count, first = updates_done(state, self), 0
        check_shape(state, self, 0)
        structure, slopes, leaves = matched(params, grads)
        new: list[Array] = []
        slots: list[Array] = []
        for p, g, chosen in zip(leaves, slopes, _chosen(structure.paths, _kinds(leaves), self.where), strict=True):
            expected = self._slots(p.shape, chosen)
            kept = state.slots[first : first + len(expected)]
            if tuple([slot.shape for slot in kept]) != expected or any(slot.dtype != p.dtype for slot in kept):
                shapes = [f"{slot.dtype}{list(slot.shape)}" for slot in kept]
                raise foreign(state, self, f"it holds {shapes} where {p.dtype} arrays of shapes {list(expected)} belong")
            leaf, memory = self._rule(count, chosen, p, g, kept)
            new.append(leaf)
            slots += memory
            first += len(expected)
        if first != len(state.slots):
            raise foreign(state, self, f"it has {len(state.slots)} arrays in place of {first}")
        new, slots = as_arrays(new), as_arrays(slots)
        for array in (*new, *slots):
            array.flags.writeable = False
        return Updated(structure.rebuild(new), OptState(counter(count + 1), tuple(slots)))


def _kinds(leaves: tuple[Array, ...]) -> tuple[tuple[Shape, np.dtype[np.floating]], ...]:
    return tuple([(leaf.shape, leaf.dtype) for leaf in leaves])


@lru_cache(maxsize=64)
def _chosen(paths: tuple[str, ...], kinds: tuple[tuple[Shape, np.dtype[np.floating]], ...], where: Where) -> tuple[bool, ...]:
    for path, (_, dtype) in zip(paths, kinds, strict=True):
        check_trainable(path, dtype)
    return tuple([selects(where, path, shape) for path, (shape, _) in zip(paths, kinds, strict=True)])
