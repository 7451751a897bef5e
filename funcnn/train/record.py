"""What training hands out: the result, and what a callback sees at the end of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Literal, TypeAlias, TypeVar

from attrs import field, frozen

from funcnn import tree
from funcnn.optim.optimizer import OptState
from funcnn.runtime.records import fast_init
from funcnn.train.history import History
from funcnn.train.identity import Identity

P = TypeVar("P")
S = TypeVar("S")

Stopped = Literal["finished", "early", "callback", "interrupted", "diverged", "error"]
"""Why training ended: all epochs done, early stopping, a callback's wish, Ctrl-C, a loss that is not finite, or another error."""


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

    @property
    def number(self) -> int:
        """The number of the epoch, from 1 on."""
        return self.history.last.epoch


Callback: TypeAlias = Callable[[Epoch[P, S]], bool | None]
"""Called at the end of each epoch; training ends when it returns True."""


def wanted(callbacks: Sequence[Callback[P, S]], epoch: Epoch[P, S]) -> bool:
    """Call all callbacks, and tell whether one of them wants training to end."""
    return any([bool(callback(epoch)) for callback in callbacks])  # noqa: C419  # a list: all are called
