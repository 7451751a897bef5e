"""Fewer updates than gradients: one for the mean of several."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from attrs import frozen

from funcnn.optim.composite import Wrapper, finished
from funcnn.optim.hyper import at_least, settle
from funcnn.optim.optimizer import Optimizer, OptState, Updated, counter, foreign
from funcnn.optim.transformations.partition import check_optimizer
from funcnn.optim.transformations.transform import as_arrays, locked, matched
from funcnn.runtime.treedef import flatten
from funcnn.typing import Array

P = TypeVar("P")


@frozen
class Accumulated(Wrapper):
    """Made by :func:`funcnn.accumulated`."""

    optimizer: Optimizer
    steps: int

    def __attrs_post_init__(self) -> None:
        settle(self, optimizer=check_optimizer, steps=at_least(1))

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update."""
        _, leaves = flatten(params)
        return OptState(counter(0), locked([np.zeros_like(leaf) for leaf in leaves]), (self.optimizer.init(params),))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the same parameters, and every so many calls the optimizer's next ones."""
        self._check(state)
        _, slopes, leaves = matched(params, grads)
        self._check_slots(state, leaves)
        share = 1 / _room(self.steps)
        total = locked([kept + share * g for kept, g in zip(state.slots, slopes, strict=True)])
        gathered = OptState[P](counter(int(state.count) + 1), total, state.inner)
        return self._step(params, gathered, self.steps) if int(gathered.count) % self.steps == 0 else Updated(params, gathered)

    def finish(self, params: P, state: OptState[P]) -> Updated[P]:
        """Return the parameters and the state after an update with the mean of the gradients since the last update.

        Without any, the parameters stay the same ones; counting starts anew.
        """
        self._check(state)
        _, leaves = flatten(params)
        self._check_slots(state, leaves)
        left = int(state.count) % self.steps
        now = self._step(params, state, left) if left else Updated(params, state)
        last = finished(self.optimizer, now.params, now.state.inner[0])
        count = counter(int(state.count) + (self.steps - left if left else 0))
        return Updated(last.params, OptState(count, now.state.slots, (last.state,)))

    def _check_slots(self, state: OptState[P], leaves: tuple[Array, ...]) -> None:
        if [(slot.shape, slot.dtype) for slot in state.slots] != [(leaf.shape, leaf.dtype) for leaf in leaves]:
            raise foreign(state, self, "the gradients in it have other shapes or dtypes")

    def _step(self, params: P, state: OptState[P], gathered: int) -> Updated[P]:
        """Return what the optimizer makes of the mean of so many gradients."""
        structure, leaves = flatten(params)
        divisor = gathered / _room(self.steps)
        mean = structure.rebuild(as_arrays([total / divisor for total in state.slots]))
        updated = self.optimizer.update(params, mean, state.inner[0])
        return Updated(updated.params, OptState(state.count, locked([np.zeros_like(leaf) for leaf in leaves]), (updated.state,)))


def _room(steps: int) -> float:
    """Return the least power of two that is at least a number of gradients.

    Sums are kept in units of it: a sum of the largest numbers is a number, and nothing is rounded that was not before.
    """
    return float(1 << (steps - 1).bit_length())


def accumulated(optimizer: Optimizer, steps: int) -> Accumulated:
    """Update once with the mean of so many gradients: a larger batch in the memory of a smaller one.

    Schedules of the optimizer count its own updates.  Gradients that are left over when training ends before there are enough of
    them take a step of their own by ``opt.finish(params, state)``, with their mean; :func:`fit` does that.  The
    method is there in every optimizer around this one as well.

    Parameters
    ----------
    optimizer : optimizer
        What takes the step.
    steps : int
        Gradients for one update, at least 1; equal batches make the mean that of the large batch.

    Returns
    -------
    Optimizer
        With a method ``finish(params, state)`` for the gradients that are left over.

    Raises
    ------
    ValueError
        When ``steps`` is below 1.
    TypeError
        When ``optimizer`` is not one.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.accumulated(fn.sgd(1.0), steps=2)
    >>> params = (np.array([1.0]),)
    >>> once = opt.update(params, (np.array([1.0]),), opt.init(params))
    >>> once.params, opt.update(once.params, (np.array([2.0]),), once.state).params
    ((array([1.]),), (array([-0.5]),))
    >>> opt.finish(once.params, once.state).params
    (array([0.]),)
    """
    return Accumulated(optimizer, steps)
