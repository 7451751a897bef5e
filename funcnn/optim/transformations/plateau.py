"""Smaller steps when a measure stops improving: the one schedule that is not a function of the count alone."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, TypeVar

import numpy as np
from attrs import frozen

from funcnn.optim.composite import Goal, Measure, Wrapper, check_scalable, finished, scaled, told
from funcnn.optim.hyper import FRACTION, at_least, between, one_of, settle
from funcnn.optim.optimizer import Optimizer, OptState, Updated, check_shape, counter
from funcnn.optim.transformations.partition import check_optimizer
from funcnn.typing import Array

P = TypeVar("P")


@frozen
class ReduceOnPlateau(Wrapper):
    """Made by :func:`funcnn.reduce_on_plateau`."""

    is_plateau: ClassVar[bool] = True

    optimizer: Optimizer
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    cooldown: int = 0
    min_scale: float = 0.0
    mode: Goal = "min"

    def __attrs_post_init__(self) -> None:
        settle(self, optimizer=check_optimizer, factor=between(0.0, 1.0, open_low=True, open_high=True), patience=at_least(0))
        settle(self, threshold=FRACTION, cooldown=at_least(0), min_scale=between(0.0, 1.0), mode=one_of("min", "max"))
        check_scalable(self.optimizer, "reduce_on_plateau")

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update."""
        return OptState(counter(0), _numbers(1.0, math.inf, 0, 0), (self.optimizer.init(params),))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters: those of the optimizer with its learning rate times the scale."""
        self._check(state)
        return self._after(params, state, self._now(state).update(params, grads, state.inner[0]))

    def finish(self, params: P, state: OptState[P]) -> Updated[P]:
        """Return the parameters and the state after the update with what is left over; see :class:`Composite`."""
        self._check(state)
        return self._after(params, state, finished(self._now(state), params, state.inner[0]))

    def told(self, state: OptState[P], measure: Measure) -> OptState[P]:
        """Return the state after this plateau, and those in it, were told their measures."""
        self._check(state)
        value = measure(self.mode)
        slots = state.slots if value is None else self._slots_after(value, state)
        return OptState(state.count, slots, (told(self.optimizer, state.inner[0], measure),))

    def scale(self, state: OptState[P]) -> float:
        """Return the factor that the learning rate is multiplied by now."""
        self._check(state)
        return float(state.slots[0])

    def _now(self, state: OptState[P]) -> Optimizer:
        scale = float(state.slots[0])
        now: Optimizer = self.optimizer if scale == 1 else scaled(self.optimizer, scale)
        return now

    def _check(self, state: OptState[P]) -> None:
        super()._check(state)
        check_shape(state, self, 1, 4)

    def _after(self, params: P, state: OptState[P], updated: Updated[P]) -> Updated[P]:
        count = state.count if updated.params is params else counter(int(state.count) + 1)
        return Updated(updated.params, OptState(count, state.slots, (updated.state,)))

    def _slots_after(self, value: float, state: OptState[P]) -> tuple[Array, ...]:
        scale, best, waited, cooling = [float(slot) for slot in state.slots]
        cost = -value if self.mode == "max" else value
        if cost < best - self.threshold * (abs(best) if math.isfinite(best) else 0):
            best, waited = cost, 0
        else:
            waited += 1
        if cooling > 0:
            cooling, waited = cooling - 1, 0
        if waited > self.patience:
            scale, waited, cooling = max(scale * self.factor, self.min_scale), 0, self.cooldown
        return _numbers(scale, best, waited, cooling)


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
    min_scale: float = 0.0,
    mode: Literal["min", "max"] = "min",
) -> ReduceOnPlateau:
    """Scale the learning rate down when a measure has not improved for a while.

    The measure is told by ``state = opt.report(value, state)``, say once an epoch; :func:`fit` does that.  It may stand anywhere
    in other optimizers, such as :func:`chain`, :func:`ema`, :func:`accumulated` or :func:`partition`: these have the method
    ``report`` as well, which reaches every plateau in them.  What is scaled are the learning rates of the rules inside, as a
    schedule would: averages, accumulation and clipping stay as they are.

    Parameters
    ----------
    optimizer : optimizer
        What takes the step.  Not one of :func:`schedule_free`, whose mean rests on a rate that does not change, nor
        :func:`rprop`, which has no learning rate.
    factor : float, optional
        What the scale, at first 1, is multiplied by at each plateau, in (0, 1).
    patience : int, optional
        How many reports without improvement are borne; one more is a plateau.
    threshold : float, optional
        How much better than the best so far is an improvement, relative to that, in [0, 1).
    cooldown : int, optional
        Reports after a reduction during which nothing is counted.
    min_scale : float, optional
        The least scale, in [0, 1].
    mode : {"min", "max"}, optional
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
        When ``optimizer`` is not one, or holds one whose learning rate cannot be scaled.

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
    return ReduceOnPlateau(optimizer, factor, patience, threshold, cooldown, min_scale, mode)
