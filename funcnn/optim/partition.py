"""Different optimizers for different leaves, and leaves that stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar, cast

from attrs import frozen

from funcnn.errors import describe
from funcnn.optim.optimizer import Optimizer, OptState, Updated, counter
from funcnn.optim.transform import matched
from funcnn.optim.where import Where, check_where, selects
from funcnn.structure import take_apart
from funcnn.typing import Array, Shape

P = TypeVar("P")


@frozen
class Frozen:
    """The optimizer that leaves parameters as they are."""

    def init(self, params: P) -> OptState[P]:
        """Return the empty state."""
        return OptState(counter(0))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the same parameters."""
        return Updated(params, OptState(counter(int(state.count) + 1)))


@frozen
class Partition:
    """The first rule whose ``where`` selects a leaf takes it.  Made by :func:`funcnn.partition` and others."""

    rules: tuple[tuple[Where, Optimizer], ...]
    rest: Optimizer

    def init(self, params: P) -> OptState[P]:
        """Return the states of all optimizers before the first update, each for the dictionary of its leaves by path."""
        structure, leaves = take_apart(params)
        parts = self._parts(structure.paths, leaves)
        inner = [one.init(_pick(structure.paths, leaves, part)) for one, part in zip(self._optimizers, parts, strict=True)]
        return OptState(counter(0), inner=tuple(cast("list[OptState[P]]", inner)))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state."""
        structure, slopes, leaves = matched(params, grads)
        if len(state.inner) != len(self.rules) + 1:
            raise ValueError(f"the state is not one of this partition: it has {len(state.inner)} parts")
        new: list[Array] = list(leaves)
        inner: list[OptState[dict[str, Array]]] = []
        parts = self._parts(structure.paths, leaves)
        states = cast("tuple[OptState[dict[str, Array]], ...]", state.inner)
        for one, part, before in zip(self._optimizers, parts, states, strict=True):
            updated = one.update(_pick(structure.paths, leaves, part), _pick(structure.paths, slopes, part), before)
            for index in part:
                new[index] = updated.params[structure.paths[index]]
            inner.append(updated.state)
        count = counter(int(state.count) + 1)
        return Updated(structure.rebuild(new), OptState(count, inner=tuple(cast("list[OptState[P]]", inner))))

    @property
    def _optimizers(self) -> tuple[Optimizer, ...]:
        return (*[one for _, one in self.rules], self.rest)

    def _parts(self, paths: tuple[str, ...], leaves: tuple[Array, ...]) -> tuple[tuple[int, ...], ...]:
        return _divide(paths, tuple([leaf.shape for leaf in leaves]), tuple([where for where, _ in self.rules]))


@lru_cache(maxsize=256)
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
