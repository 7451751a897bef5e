"""What training hands out: the result, and what callbacks see after a step and at the end of an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from attrs import field, frozen

from funcnn import tree
from funcnn.errors import check_count, check_function
from funcnn.optim.learning_rate import learning_rate
from funcnn.optim.optimizer import Optimizer, OptState
from funcnn.optim.transformations.clip import global_norm
from funcnn.runtime.records import fast_init
from funcnn.train.history import History
from funcnn.train.identity import Identity
from funcnn.train.passing import Passing

P = TypeVar("P")
S = TypeVar("S")

Stopped = Literal["finished", "early", "callback", "interrupted", "diverged", "error"]
"""Why training ended: all epochs done, early stopping, a callback's wish, Ctrl-C, a loss that is not finite, or another error."""

Recorded = Literal["learning_rate", "gradient_norm"]
"""Columns of the history that are there when they are asked for."""


@fast_init
@frozen(eq=False)
class Point(Generic[P, S]):
    """Where training stands: everything that a step changes."""

    params: P
    state: S
    opt_state: OptState[P]


@frozen(eq=False)
class Reached(Generic[P, S]):
    """Where training stands at the end of an epoch, or at its beginning: a new one takes the place of the last as a whole."""

    point: Point[P, S]
    history: History
    best: Point[P, S] | None
    """The point of the last improvement, where early stopping gives it in the end."""
    peak: int
    """The epoch of the last improvement, 0 when there was none."""
    within: Passing[Any, Any] | None = None
    """What the epoch that follows has left behind already, where training goes on within it."""


@frozen(eq=False)
class Fit(Generic[P, S]):
    """What :func:`fit` returns."""

    params: P = field(repr=lambda params: f"<{tree.size(params)} numbers>")
    """The trained parameters."""
    state: S = field(repr=lambda state: f"<{tree.size(state)} numbers>")
    """The layers' state, such as running statistics."""
    opt_state: OptState[P] = field(repr=False)
    """The optimizer's state: with it, and with ``params`` and ``state``, another ``fit`` goes on."""
    history: History = field(repr=lambda history: f"<{len(history)} epochs>")
    """The figures of every completed epoch."""
    stopped: Stopped
    """Why training ended."""

    def _repr_html_(self) -> str:
        """Return how training went as notebooks show it."""
        what = f"{len(self.history)} epochs, {self.stopped}; {tree.size(self.params):,} parameters"
        return f"<div><p>{what}</p>{self.history._repr_html_()}</div>"


@frozen(eq=False)
class Epoch(Generic[P, S]):
    """What a callback is given at the end of an epoch."""

    params: P
    state: S
    opt_state: OptState[P]
    history: History
    """The figures so far; ``epoch.history.last`` is this epoch's."""
    best: Point[P, S] | None
    """Where early stopping would return to, if it is asked to."""
    identity: Identity
    """What the run is: a checkpoint keeps it."""
    passing: Passing[Any, Any] | None = None
    """What the steps of this epoch have left behind: their losses, and what is recorded."""

    @property
    def updates(self) -> int:
        """How many updates the optimizer has seen."""
        return int(self.opt_state.count)

    @property
    def number(self) -> int:
        """The number of the epoch, from 1 on."""
        return self.history.last.epoch


@fast_init
@frozen(eq=False)
class Step(Generic[P, S]):
    """What a callback of steps is given after each step: see :class:`OnStep`."""

    params: P
    state: S
    opt_state: OptState[P]
    epoch: int
    """The number of the epoch, from 1 on."""
    number: int
    """The number of the batch in its epoch, from 1 on."""
    loss: float
    """The loss of the batch, before the step."""
    grads: P
    """The gradient that the optimizer was given."""
    history: History
    """The figures of the epochs before this one."""
    optimizer: Optimizer
    before: OptState[P]
    """The optimizer's state before the step."""
    best: Point[P, S] | None
    """Where early stopping would return to, if it is asked to."""
    passing: Passing[Any, Any]
    """What the steps of this epoch have left behind: a checkpoint keeps it."""
    identity: Identity
    """What the run is: a checkpoint keeps it."""

    @property
    def learning_rate(self) -> float:
        """The learning rate of the step, of the first rule in the optimizer that has one; NaN when none has."""
        rate = learning_rate(self.optimizer, self.before)
        return math.nan if rate is None else rate

    @property
    def gradient_norm(self) -> float:
        """The Euclidean norm of the whole gradient."""
        return float(global_norm(self.grads))


Callback: TypeAlias = Callable[[Epoch[P, S]], bool | None]
"""Called at the end of each epoch; training ends when it returns True."""


@runtime_checkable
class StepListener(Protocol):
    """A callback that is called after steps too."""

    def on_step(self, step: Step[Any, Any], /) -> bool | None:
        """Look at a step; training ends when this returns True."""
        ...


@frozen
class OnStep:
    """A callback of steps: ``callbacks=[fn.OnStep(function, every=10)]``.

    Parameters
    ----------
    function : callable
        Called with a :class:`Step`, after the step is taken; training ends when it returns True, within the epoch.
    every : int, optional
        Calls it after every so many batches, counted in each epoch.

    Raises
    ------
    TypeError, ValueError
        When ``function`` is no function, or ``every`` no positive integer.

    Notes
    -----
    A class of one's own may have both: ``__call__(epoch)``, which every callback has, and ``on_step(step)``.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> seen = []
    >>> look = fn.OnStep(lambda step: seen.append((step.epoch, step.number, step.learning_rate)), every=2)
    >>> task = fn.dense(1), fn.mean_squared_error(), fn.sgd(0.1), np.ones((8, 2)), np.ones((8, 1))
    >>> result = fn.fit(*task, key=fn.Key(0), epochs=1, batch_size=2, callbacks=[look])
    >>> seen
    [(1, 2, 0.1), (1, 4, 0.1)]
    """

    function: Callable[[Step[Any, Any]], bool | None]
    every: int = 1

    def __attrs_post_init__(self) -> None:
        check_function(self.function, "function", "a function of an fn.Step")
        object.__setattr__(self, "every", check_count(self.every, "every"))

    def __call__(self, epoch: Epoch[P, S]) -> None:
        """Do nothing at the end of an epoch."""

    def on_step(self, step: Step[P, S]) -> bool | None:
        """Call the function, when it is due."""
        return self.function(step) if step.number % self.every == 0 else None


def listening(callbacks: Sequence[object]) -> tuple[StepListener, ...]:
    """Return the callbacks that want to be called after steps."""
    return tuple([one for one in callbacks if isinstance(one, StepListener) and getattr(one, "hears_steps", True)])


def wanted(callbacks: Sequence[Callback[P, S]], epoch: Epoch[P, S]) -> bool:
    """Call all callbacks, and tell whether one of them wants training to end."""
    return any([bool(callback(epoch)) for callback in callbacks])  # noqa: C419  # a list: all are called
