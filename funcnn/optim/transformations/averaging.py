r"""Averages of the parameters along the way: exponential moving average, Polyak's mean, and lookahead.

The averages follow the parameters $p_t$ that another optimizer makes.  Exponential moving average, and Polyak & Juditsky's
(1992) mean of the last $n = t - t_0$ iterates (Ruppert 1988), in one form:
$$ a_t = a_{t-1} + w_t\,(p_t - a_{t-1}), \qquad w_t = 1 - d \quad\text{or}\quad w_t = 1/n . $$
This is gradient descent on $\tfrac12 \lVert a - p_t\rVert^2$ with the learning rate $w_t$, and is computed as such.

Lookahead (Zhang, Lucas, Hinton & Ba 2019, arXiv:1907.08610, algorithm 1) takes the same step every $k$ updates with
$w = \alpha$, and then sets the parameters back to the average.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.errors import check_count, check_flag, check_range
from funcnn.layer import comparable
from funcnn.optim.blocks import Coefficients
from funcnn.optim.composite import Wrapper
from funcnn.optim.flat import Elementwise
from funcnn.optim.hyper import at_least, between, settle
from funcnn.optim.layout import Label
from funcnn.optim.optimizer import Optimizer, OptState, Updated, counter, foreign, updates_done
from funcnn.optim.transformations.partition import check_optimizer
from funcnn.runtime.treedef import flatten
from funcnn.typing import Array

P = TypeVar("P")


@frozen
class Lerp(Elementwise):
    """The step from an average towards the parameters, by linear interpolation: p is the average, g the parameters."""

    weight: Callable[[int], float] = field(eq=comparable)  # of the update after so many

    def _coefficients(self, count: int, label: Label) -> tuple[float, ...]:
        return (self.weight(count),)

    def _rule(self, c: Coefficients, p: Array, g: Array, *slots: Array) -> tuple[Array, ...]:
        (weight,) = c
        return (g.copy() if weight == 1 else p + weight * (g - p),)  # which is g exactly

    def _kernel(self, c: Coefficients, p: Array, g: Array, slots: Sequence[Array], out: Sequence[Array]) -> None:
        (weight,), (new,) = c, out
        if weight == 1:
            new[...] = g
            return
        np.subtract(g, p, new)
        new *= weight
        new += p


@frozen
class Averaged(Wrapper):
    """An optimizer with an average of its parameters beside.  Made by :func:`funcnn.ema` and :func:`funcnn.polyak`."""

    optimizer: Optimizer
    towards: Lerp

    def __attrs_post_init__(self) -> None:
        settle(self, optimizer=check_optimizer)

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update: the average starts from the parameters."""
        _, leaves = flatten(params)
        return OptState(counter(0), tuple([_copy(leaf) for leaf in leaves]), (self.optimizer.init(params),))

    def _after(self, params: P, state: OptState[P], updated: Updated[P]) -> Updated[P]:
        """Return the optimizer's next parameters; the average, in the state, follows them where they are new."""
        if updated.params is params:
            return Updated(params, OptState(state.count, state.slots, (updated.state,)))
        moved = self.towards.update(self.average(params, state), updated.params, OptState(state.count))
        _, average = flatten(moved.params)
        return Updated(updated.params, OptState(moved.state.count, average, (updated.state,)))

    def average(self, params: P, state: OptState[P]) -> P:
        """Return the average, for evaluation, as a tree like the parameters.

        Parameters
        ----------
        params : tree
            Gives the structure.
        state : OptState
            As ``update`` gave it.
        """
        return _as_tree(params, state, self)


@frozen
class Lookahead(Wrapper):
    """An optimizer whose parameters are pulled back.  Made by :func:`funcnn.lookahead`."""

    optimizer: Optimizer
    steps: int = 6
    alpha: float = 0.5

    def __attrs_post_init__(self) -> None:
        settle(self, optimizer=check_optimizer, steps=at_least(1), alpha=between(0.0, 1.0, open_low=True))

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update: the slow parameters start from the parameters."""
        _, leaves = flatten(params)
        return OptState(counter(0), tuple([_copy(leaf) for leaf in leaves]), (self.optimizer.init(params),))

    def _after(self, params: P, state: OptState[P], updated: Updated[P]) -> Updated[P]:
        """Return the optimizer's next parameters, or every so many updates the slow ones."""
        before = self.slow(params, state)
        if updated.params is params:
            return Updated(params, OptState(state.count, state.slots, (updated.state,)))
        done = int(state.count) + 1
        if done % self.steps:
            return Updated(updated.params, OptState(counter(done), state.slots, (updated.state,)))
        towards = Lerp(partial(_constant, self.alpha))
        slow = towards.update(before, updated.params, OptState(state.count)).params
        _, leaves = flatten(slow)
        return Updated(slow, OptState(counter(done), leaves, (updated.state,)))

    def slow(self, params: P, state: OptState[P]) -> P:
        """Return the slow parameters, for evaluation, as a tree like the parameters.

        Parameters
        ----------
        params : tree
            Gives the structure.
        state : OptState
            As ``update`` gave it.
        """
        return _as_tree(params, state, self)


def _copy(leaf: Array) -> Array:
    return tree.freeze(leaf.copy())


def _as_tree(params: P, state: OptState[P], optimizer: object) -> P:
    updates_done(state, optimizer)
    structure, leaves = flatten(params)
    if [leaf.shape for leaf in leaves] != [slot.shape for slot in state.slots]:
        raise foreign(state, optimizer, "the average has other shapes")
    return structure.rebuild(state.slots)


def _constant(value: float, count: int) -> float:
    return value


def _ema(decay: float, warmup: bool, count: int) -> float:
    return 1 - (min(decay, (count + 1) / (count + 10)) if warmup else decay)


def _polyak(start: int, count: int) -> float:
    return 1 / max(1, count + 1 - start)


def ema(optimizer: Optimizer, decay: float = 0.999, *, warmup: bool = True) -> Averaged:
    r"""Keep an exponential moving average of the parameters, $a \leftarrow d\, a + (1 - d)\, p$, for evaluation.

    What is averaged are the parameters after each step: calls in which :func:`accumulated` only gathers a gradient, or
    :func:`skip_nonfinite` skips one, do not count.

    Parameters
    ----------
    optimizer : optimizer
        What makes the parameters; it does not see the average.
    decay : float, optional
        $d$ in [0, 1).
    warmup : bool, optional
        Whether update $t$ uses $\min(d, t/(t + 9))$, so that the start, from which the average begins, is soon forgotten.

    Returns
    -------
    Optimizer
        With a method ``average(params, state)`` that gives the average.

    Raises
    ------
    ValueError
        When the decay is out of its range.
    TypeError
        When ``optimizer`` is not one.

    See Also
    --------
    update_batch_statistics : what a network with batch norms needs before its average is used; :func:`fit` sees to it.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.ema(fn.sgd(1.0), decay=0.75, warmup=False)
    >>> params, grads = (np.array([1.0]),), (np.array([4.0]),)
    >>> new = opt.update(params, grads, opt.init(params))
    >>> new.params, opt.average(new.params, new.state)
    ((array([-3.]),), (array([0.]),))
    """
    decay = check_range(decay, "decay", 0.0, 1.0, open_high=True)
    warmup = check_flag(warmup, "warmup")
    return Averaged(optimizer, Lerp(partial(_ema, decay, warmup)))


def polyak(optimizer: Optimizer, *, start: int = 0) -> Averaged:
    r"""Keep the mean of all iterates of the parameters, $a \leftarrow a + (p - a)/n$, for evaluation.

    Calls in which :func:`accumulated` only gathers a gradient, or :func:`skip_nonfinite` skips one, make no iterate.

    Parameters
    ----------
    optimizer : optimizer
        What makes the parameters; it does not see the average.
    start : int, optional
        How many updates are left out; until then the average is the parameters.

    Returns
    -------
    Optimizer
        With a method ``average(params, state)`` that gives the average.

    Raises
    ------
    ValueError
        When the start is negative.
    TypeError
        When ``optimizer`` is not one.

    See Also
    --------
    update_batch_statistics : what a network with batch norms needs before its average is used; :func:`fit` sees to it.

    References
    ----------
    Polyak & Juditsky (1992), Acceleration of stochastic approximation by averaging; Ruppert (1988).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.polyak(fn.sgd(1.0))
    >>> params, grads = (np.array([1.0]),), (np.array([4.0]),)
    >>> once = opt.update(params, grads, opt.init(params))
    >>> twice = opt.update(once.params, grads, once.state)
    >>> twice.params, opt.average(twice.params, twice.state)
    ((array([-7.]),), (array([-5.]),))
    """
    start = check_count(start, "start", 0)
    return Averaged(optimizer, Lerp(partial(_polyak, start)))


def lookahead(optimizer: Optimizer, *, steps: int = 6, alpha: float = 0.5) -> Lookahead:
    r"""Every $k$ updates step from slow parameters towards the fast ones, $s \leftarrow s + \alpha(p - s)$, and go on from there.

    The optimizer's own state goes on as it is.

    Parameters
    ----------
    optimizer : optimizer
        What makes the fast parameters.
    steps : int, optional
        $k$, at least 1.
    alpha : float, optional
        $\alpha$ in (0, 1].

    Returns
    -------
    Optimizer
        With a method ``slow(params, state)`` that gives the slow parameters.

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.
    TypeError
        When ``optimizer`` is not one.

    References
    ----------
    Zhang, Lucas, Hinton & Ba (2019), Lookahead optimizer: k steps forward, 1 step back, arXiv:1907.08610, algorithm 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.lookahead(fn.sgd(1.0), steps=2, alpha=0.5)
    >>> params, grads = (np.array([1.0]),), (np.array([4.0]),)
    >>> once = opt.update(params, grads, opt.init(params))
    >>> once.params, opt.update(once.params, grads, once.state).params
    ((array([-3.]),), (array([-3.]),))
    """
    return Lookahead(optimizer, steps, alpha)
