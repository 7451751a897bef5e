"""Smaller steps when a measure stops improving: the one schedule that is not a function of the count alone."""

from __future__ import annotations

import math
from typing import Literal, TypeVar

import numpy as np
from attrs import frozen

from funcnn.optim.averaging import Towards
from funcnn.optim.hyper import FRACTION, at_least, between, one_of, settle
from funcnn.optim.optimizer import Optimizer, OptState, Updated, counter
from funcnn.optim.partition import check_optimizer
from funcnn.typing import Array

P = TypeVar("P")


@frozen
class ReduceOnPlateau:
    """Made by :func:`funcnn.reduce_on_plateau`."""

    optimizer: Optimizer
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    cooldown: int = 0
    smallest: float = 0.0
    goal: Literal["min", "max"] = "min"

    def __attrs_post_init__(self) -> None:
        settle(self, optimizer=check_optimizer, factor=between(0.0, 1.0, open_low=True, open_high=True), patience=at_least(0))
        settle(self, threshold=FRACTION, cooldown=at_least(0), smallest=between(0.0, 1.0), goal=one_of("min", "max"))

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update."""
        return OptState(counter(0), _numbers(1.0, math.inf, 0, 0), (self.optimizer.init(params),))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters: the optimizer's step times the scale."""
        if len(state.inner) != 1 or len(state.slots) != 4:
            raise ValueError("the state is not one of this optimizer")
        updated = self.optimizer.update(params, grads, state.inner[0])
        scale, new = self.scale(state), updated.params
        if scale != 1:
            new = Towards(lambda count: scale).update(params, new, OptState(state.count)).params
        return Updated(new, OptState(counter(int(state.count) + 1), state.slots, (updated.state,)))

    def report(self, value: float, state: OptState[P]) -> OptState[P]:
        """Return the state after a look at the measure, such as the loss of the validation set after an epoch.

        Parameters
        ----------
        value : float
            The measure; a NaN is no improvement.
        state : OptState
            As ``update`` gave it.
        """
        scale, best, waited, cooling = [float(slot) for slot in state.slots]
        cost = -value if self.goal == "max" else value
        if cost < best - self.threshold * (abs(best) if math.isfinite(best) else 0):
            best, waited = cost, 0
        else:
            waited += 1
        if cooling > 0:
            cooling, waited = cooling - 1, 0
        if waited > self.patience:
            scale, waited, cooling = max(scale * self.factor, self.smallest), 0, self.cooldown
        return OptState(state.count, _numbers(scale, best, waited, cooling), state.inner)

    def scale(self, state: OptState[P]) -> float:
        """Return the factor that steps are multiplied by now."""
        return float(state.slots[0])


def _numbers(*values: float) -> tuple[Array, ...]:
    made: list[Array] = [np.array(float(value)) for value in values]
    for number in made:
        number.flags.writeable = False
    return tuple(made)


def reduce_on_plateau(
    optimizer: Optimizer,
    *,
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    cooldown: int = 0,
    smallest: float = 0.0,
    goal: Literal["min", "max"] = "min",
) -> ReduceOnPlateau:
    """Scale the optimizer's steps down when a measure has not improved for a while.

    The measure is told by ``state = opt.report(value, state)``, say once an epoch.  The step is scaled as a whole, which for
    every optimizer of this library whose step is proportional to its learning rate is the same as to scale that.

    Parameters
    ----------
    optimizer : optimizer
        What takes the step.
    factor : float, optional
        What the scale is multiplied by at each plateau, in (0, 1).
    patience : int, optional
        How many reports without improvement are borne; one more is a plateau.
    threshold : float, optional
        How much better than the best so far is an improvement, relative to that, in [0, 1).
    cooldown : int, optional
        Reports after a reduction during which nothing is counted.
    smallest : float, optional
        The least scale, in [0, 1].
    goal : {"min", "max"}, optional
        Whether the measure ought to fall or to rise.

    Returns
    -------
    Optimizer
        With the methods ``report(value, state)`` and ``scale(state)``.

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.
    TypeError
        When ``optimizer`` is not one.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.reduce_on_plateau(fn.sgd(1.0), factor=0.5, patience=0)
    >>> params, grads = (np.array([1.0]),), (np.array([1.0]),)
    >>> state = opt.report(0.3, opt.init(params))
    >>> state = opt.report(0.3, state)
    >>> opt.scale(state), opt.update(params, grads, state).params
    (0.5, (array([0.5]),))
    """
    return ReduceOnPlateau(optimizer, factor, patience, threshold, cooldown, smallest, goal)
