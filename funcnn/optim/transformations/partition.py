"""Different optimizers for different leaves, and leaves that stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar, cast

from attrs import frozen

from funcnn.errors import describe
from funcnn.optim.composite import Composite, finished
from funcnn.optim.optimizer import Optimizer, OptState, Updated, check_shape, counter, updates_done
from funcnn.optim.transformations.transform import matched
from funcnn.optim.where import Where, check_where, selects
from funcnn.runtime.treedef import flatten
from funcnn.typing import Array, IntArray, Shape

P = TypeVar("P")

Leaves: TypeAlias = dict[str, Array]
"""The leaves of a part, by path."""


@frozen
class Frozen:
    """The optimizer that leaves parameters as they are."""

    def init(self, params: P) -> OptState[P]:
        """Return the empty state."""
        return OptState(counter(0))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the same parameters."""
        count = updates_done(state, self)
        check_shape(state, self, 0, 0)
        matched(params, grads)
        return Updated(params, OptState(counter(count + 1)))

    def scaled(self, factor: float) -> Frozen:
        """Return the same optimizer: it takes no steps."""
        return self


@frozen
class Partition(Composite):
    """The first rule whose ``where`` selects a leaf takes it.  Made by :func:`funcnn.partition` and others."""

    rules: tuple[tuple[Where, Optimizer], ...]
    rest: Optimizer

    def init(self, params: P) -> OptState[P]:
        """Return the states of all optimizers before the first update, each for the dictionary of its leaves by path."""
        structure, leaves = flatten(params)
        parts = self._parts(structure.paths, leaves)
        inner = [one.init(_pick(structure.paths, leaves, part)) for one, part in zip(self._optimizers, parts, strict=True)]
        return OptState(counter(0), inner=tuple(cast("list[OptState[P]]", inner)))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state."""
        count = updates_done(state, self)
        check_shape(state, self, len(self.rules) + 1, 0)
        structure, slopes, _ = matched(params, grads)

        def step(one: Optimizer, own: Leaves, part: tuple[int, ...], before: OptState[Leaves]) -> Updated[Leaves]:
            return one.update(own, _pick(structure.paths, slopes, part), before)

        return self._each(params, state, counter(count + 1), step)

    def finish(self, params: P, state: OptState[P]) -> Updated[P]:
        """Return the parameters and the state after the updates with what is left over; see :class:`Composite`."""
        updates_done(state, self)
        check_shape(state, self, len(self.rules) + 1, 0)
        return self._each(params, state, state.count, lambda one, own, part, before: finished(one, own, before))

    def _each(
        self,
        params: P,
        state: OptState[P],
        count: IntArray,
        step: Callable[[Optimizer, Leaves, tuple[int, ...], OptState[Leaves]], Updated[Leaves]],
    ) -> Updated[P]:
        """Return what comes of a step for each part: the very parameters that are given, where no part has taken one."""
        structure, leaves = flatten(params)
        new: list[Array] = list(leaves)
        inner: list[OptState[Leaves]] = []
        moved = False
        states = cast("tuple[OptState[Leaves], ...]", state.inner)
        for one, part, before in zip(self._optimizers, self._parts(structure.paths, leaves), states, strict=True):
            own = _pick(structure.paths, leaves, part)
            updated = step(one, own, part, before)
            moved = moved or (bool(part) and updated.params is not own)
            for index in part:
                new[index] = updated.params[structure.paths[index]]
            inner.append(updated.state)
        made = structure.rebuild(new) if moved else params
        return Updated(made, OptState(count, inner=tuple(cast("list[OptState[P]]", inner))))

    @property
    def _optimizers(self) -> tuple[Optimizer, ...]:
        return (*[one for _, one in self.rules], self.rest)

    @property
    def parts(self) -> tuple[object, ...]:
        """The optimizers of the rules and the one for the rest."""
        return self._optimizers

    def combine(self, parts: tuple[Any, ...]) -> Optimizer:
        """Return a partition like this one with other optimizers."""
        *ones, rest = parts
        return Partition(tuple([(where, one) for (where, _), one in zip(self.rules, ones, strict=True)]), rest)

    def _parts(self, paths: tuple[str, ...], leaves: tuple[Array, ...]) -> tuple[tuple[int, ...], ...]:
        return _divide(paths, tuple([leaf.shape for leaf in leaves]), tuple([where for where, _ in self.rules]))


@lru_cache(maxsize=64)
def _divide(paths: tuple[str, ...], shapes: tuple[Shape, ...], rules: tuple[Where, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the leaves that each rule takes, and those that are left."""
    parts: list[list[int]] = [[] for _ in range(len(rules) + 1)]
    for index, (path, shape) in enumerate(zip(paths, shapes, strict=True)):
        taken = next((rule for rule, where in enumerate(rules) if selects(where, path, shape)), len(rules))
        parts[taken].append(index)
    for rule, part in enumerate(parts[:-1]):
        if not part:
            raise ValueError(f"rule {rule} of the partition, where={rules[rule]!r}, takes no leaf; the leaves are {list(paths)}")
    return tuple([tuple(part) for part in parts])


def _pick(paths: tuple[str, ...], leaves: Sequence[Array], part: tuple[int, ...]) -> dict[str, Array]:
    return {paths[index]: leaves[index] for index in part}


def partition(*rules: tuple[Where, Optimizer], rest: Optimizer) -> Partition:
    r"""Give different leaves to different optimizers.

    Parameters
    ----------
    *rules : (where, optimizer)
        ``where`` is a regular expression that is searched in the leaf's path, or a pure function of path and shape such as
        :func:`funcnn.is_matrix`.  The first rule that selects a leaf takes it.
    rest : optimizer
        For the leaves that no rule selects.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a regular expression is wrong; in ``init``, when a rule takes no leaf.
    TypeError
        When a part is not an optimizer.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.partition(("bias", fn.sgd(1.0)), rest=fn.sgd(0.1))
    >>> params = {"weight": np.array([1.0]), "bias": np.array([1.0])}
    >>> grads = {"weight": np.array([1.0]), "bias": np.array([1.0])}
    >>> opt.update(params, grads, opt.init(params)).params
    {'weight': array([0.9]), 'bias': array([0.])}
    """
    for rule in cast("tuple[object, ...]", rules):
        if not isinstance(rule, tuple) or len(rule) != 2:
            raise TypeError(f"a rule is a pair (where, optimizer), got {rule!r}")
    for where, one in rules:
        check_where(where)
        check_optimizer(one)
    check_optimizer(rest)
    return Partition(rules, rest)


def freeze(where: Where, optimizer: Optimizer) -> Partition:
    r"""Keep some leaves as they are and update the others.

    Parameters
    ----------
    where : str or callable
        The leaves that stay: a regular expression that is searched in the leaf's path, or a pure function of path and shape.
    optimizer : optimizer
        For all other leaves.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When the regular expression is wrong; in ``init``, when it selects no leaf.
    TypeError
        When ``optimizer`` is not one.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.freeze(r"^\[0\]", fn.sgd(0.5))
    >>> params, grads = (np.array([1.0]), np.array([1.0])), (np.array([1.0]), np.array([1.0]))
    >>> opt.update(params, grads, opt.init(params)).params
    (array([1.]), array([0.5]))
    """
    return partition((where, Frozen()), rest=optimizer)


def check_optimizer(one: object, what: str = "optimizer") -> Optimizer:
    """Return an optimizer; raise for anything else."""
    if not isinstance(one, Optimizer) or isinstance(one, type):
        raise TypeError(f"{what} is {describe(one)}, expected an optimizer, such as adam(1e-3)")
    return one
