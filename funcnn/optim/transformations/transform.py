"""Transformations of gradients, and the chain that puts them in front of an optimizer.

A transformation maps gradients to gradients; an optimizer takes the step::

    transform(params, grads, state) -> Transformed(grads, state)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.optim.composite import Composite, finished
from funcnn.optim.optimizer import Optimizer, OptState, Updated, check_shape, counter, lock, updates_done
from funcnn.runtime.treedef import TreeDef, flatten
from funcnn.typing import Array

P = TypeVar("P")


@frozen(eq=False)
class Transformed(Generic[P]):
    """What ``transform`` gives: the gradients to go on with, and the next state."""

    grads: P
    state: OptState[P]


@runtime_checkable
class Transformation(Protocol):
    """Anything with ``init`` and ``transform``."""

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first call."""
        ...

    def transform(self, params: P, grads: P, state: OptState[P]) -> Transformed[P]:
        """Return the gradients that the next in the chain gets, and the next state."""
        ...


class Stateless:
    """Base of the transformations that remember nothing."""

    __slots__ = ()

    def init(self, params: P) -> OptState[P]:
        """Return the empty state."""
        return OptState(counter(0))

    def transform(self, params: P, grads: P, state: OptState[P]) -> Transformed[P]:
        """Return the transformed gradients and the same state."""
        updates_done(state, self)
        structure, slopes, old = matched(params, grads)
        new = self._grads(structure.paths, slopes, old)
        return Transformed(grads if new is slopes else structure.rebuild(as_arrays(new)), state)

    def _grads(self, paths: tuple[str, ...], grads: tuple[Array, ...], params: tuple[Array, ...]) -> Sequence[Array]:
        """Return the new leaves of the gradients (the very tuple that was given, when nothing changes)."""
        raise NotImplementedError


def matched(params: P, grads: P) -> tuple[TreeDef[P], tuple[Array, ...], tuple[Array, ...]]:
    """Return the structure, the leaves of the gradients and the leaves of the parameters, or raise where they differ."""
    structure, old = flatten(params)
    slopes = structure.leaves(grads)
    if slopes is None or [(leaf.shape, leaf.dtype) for leaf in slopes] != [(leaf.shape, leaf.dtype) for leaf in old]:
        tree.check_like(params, grads, "the gradients")
        slopes = tree.leaves(grads)
    return structure, slopes, old


def as_arrays(leaves: Iterable[Array]) -> list[Array]:
    """Return leaves that are arrays: NumPy makes a number of the result where an array has no axes."""
    return [np.asarray(leaf) for leaf in leaves]


def locked(leaves: Iterable[Array]) -> tuple[Array, ...]:
    """Return leaves as read-only arrays."""
    arrays = as_arrays(leaves)
    for array in arrays:
        lock(array, False)
    return tuple(arrays)


@frozen
class Chain(Composite):
    """Transformations, and the optimizer that takes the step with what they give.  Made by :func:`funcnn.chain`."""

    transformations: tuple[Transformation, ...]
    optimizer: Optimizer

    def init(self, params: P) -> OptState[P]:
        """Return the states of all parts before the first update."""
        parts: list[OptState[P]] = [part.init(params) for part in self.transformations]
        return OptState(counter(0), inner=(*parts, self.optimizer.init(params)))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Transform the gradients, first to last, and take the step."""
        count = updates_done(state, self)
        check_shape(state, self, len(self.transformations) + 1, 0)
        states: list[OptState[P]] = []
        for part, before in zip(self.transformations, state.inner[:-1], strict=True):
            step = part.transform(params, grads, before)
            grads = step.grads
            states.append(step.state)
        updated = self.optimizer.update(params, grads, state.inner[-1])
        return Updated(updated.params, OptState(counter(count + 1), inner=(*states, updated.state)))

    def finish(self, params: P, state: OptState[P]) -> Updated[P]:
        """Return the parameters and the state after the update with what is left over; see :class:`Composite`."""
        count = updates_done(state, self)
        check_shape(state, self, len(self.transformations) + 1, 0)
        last = finished(self.optimizer, params, state.inner[-1])
        return Updated(last.params, OptState(counter(count), inner=(*state.inner[:-1], last.state)))

    @property
    def parts(self) -> tuple[object, ...]:
        """The transformations and the optimizer."""
        return (*self.transformations, self.optimizer)

    def combine(self, parts: tuple[Any, ...]) -> Optimizer:
        """Return a chain of other parts."""
        *first, last = parts
        return Chain(tuple(first), last)


def chain(*parts: *tuple[*tuple[Transformation, ...], Optimizer]) -> Chain:
    """Put transformations of the gradients in front of an optimizer.

    Parameters
    ----------
    *parts : transformations and, last, an optimizer
        The gradients pass through the transformations in this order; the optimizer takes the step.

    Returns
    -------
    Optimizer

    Raises
    ------
    TypeError
        When the last part is not an optimizer, or another one is not a transformation.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.chain(fn.clip_by_global_norm(1.0), fn.sgd(0.5))
    >>> params, grads = (np.array([1.0, 1.0]),), (np.array([30.0, 40.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.7, 0.6]),)
    """
    if not parts:
        raise TypeError("chain needs an optimizer, such as chain(clip_by_global_norm(1.0), adam(1e-3))")
    *first, last = cast("tuple[object, ...]", parts)
    for position, part in enumerate(first):
        if not isinstance(part, Transformation) or isinstance(part, type):
            what = "an optimizer, which can only stand last" if isinstance(part, Optimizer) else "not a transformation"
            raise TypeError(f"chain: part {position} is {what}: {part!r}")
    if not isinstance(last, Optimizer) or isinstance(last, type):
        raise TypeError(f"chain: the last part takes the step and must be an optimizer, such as sgd(0.1), got {last!r}")
    return Chain(cast("tuple[Transformation, ...]", tuple(first)), last)
