"""Training on parts of a batch at the same time, when some layers have to see all of it.

Every part runs the same layers in the same order.  Where a layer sums over the batch, the parts meet: each brings its own sum,
waits for the others and goes on with the total, which is added up in the order of the parts whoever comes first.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import partial, reduce
from operator import add
from typing import Any, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn import blas, tree
from funcnn.layer import Train
from funcnn.threads import together
from funcnn.typing import Shape

V = TypeVar("V")
T = TypeVar("T")


class LeftAloneError(RuntimeError):
    """Raised in a part that waits for another one that has ended."""


class Meeting:
    """Where the parts of a batch meet, in forward and again in backward; one run at a time.

    Parameters
    ----------
    count : int
        How many parts there are.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._one_run = threading.Lock()
        self._changed = threading.Condition()
        self._clear()

    def __reduce__(self) -> tuple[type[Meeting], tuple[int]]:
        return Meeting, (self.count,)

    def _clear(self) -> None:
        self._brought: dict[int, Any] = {}  # Any: numbers or arrays
        self._total: Any = None
        self._rounds = 0
        self._ended = False

    def side_by_side(self, function: Callable[[int], T]) -> list[T]:
        """Return the function's value for each part of the batch, computed at the same time: one forward or backward."""
        alone: dict[int, LeftAloneError] = {}

        def work(part: int) -> T | None:
            try:
                return function(part)
            except LeftAloneError as error:  # another part has failed, most likely, and its error tells more
                alone[part] = error
                return None
            finally:
                with self._changed:
                    self._ended = True
                    self._changed.notify_all()

        with self._one_run, blas.one_thread():
            self._clear()
            made = together([partial(work, part) for part in range(self.count)])
        if alone:
            raise alone[min(alone)]
        return made  # type: ignore[return-value]  # there is no None but where an error was raised

    def total(self, index: int, value: V) -> V:
        """Return the sum of the values of all parts, in the order of their indices.

        Raises
        ------
        LeftAloneError
            When another part has ended, because of an error or because it does not run the same layers.
        """
        with self._changed:
            self._brought[index] = value
            if len(self._brought) == self.count:
                self._total = reduce(add, [self._brought[part] for part in range(self.count)])
                if isinstance(self._total, np.ndarray):
                    tree.freeze(self._total)  # the parts share it
                self._brought = {}
                self._rounds += 1
                self._changed.notify_all()
            else:
                before = self._rounds
                self._changed.wait_for(lambda: self._rounds > before or self._ended)
                if self._rounds == before:
                    raise LeftAloneError(
                        "a part of a batch waits to sum over it, but another has ended: do all run the same layers?"
                    )
            return cast(V, self._total)


@frozen
class Part(Train):
    """Training on a part of the batch, beside the other parts.

    Parameters
    ----------
    key : Key
        That of the whole batch.
    index : int
        Which part this is.
    examples : slice
        Its place in the batch.
    meeting : Meeting
        Where the parts meet.
    """

    index: int
    examples: slice
    meeting: Meeting

    def child(self, index: int) -> Part:
        """Return the mode for a layer's part, with a key of its own."""
        return Part(self.key.child(index), self.index, self.examples, self.meeting)

    def total(self, value: V) -> V:
        """Return the sum of a number or an array over all parts of the batch; all of them have to ask for it."""
        return self.meeting.total(self.index, value)

    def before(self, rows: int) -> int:
        """Return which row of the whole batch is the first of these ``rows``, of which every example has the same number."""
        start, stop = cast("tuple[int, int]", (self.examples.start, self.examples.stop))
        return rows * start // (stop - start)

    def uniform(self, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Draw numbers from [0, 1): those that the whole batch would get at the place of these examples."""
        each = math.prod(shape[1:])
        return self.key.generator(self.before(shape[0]) * each).random(shape, dtype=np.float32)

    def normal(self, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Draw standard normal numbers: those that the whole batch would get at the place of these examples."""
        first = self.before(shape[0])
        whole = self.key.generator().standard_normal((first + shape[0], *shape[1:]), dtype=np.float32)
        return whole[first:]
