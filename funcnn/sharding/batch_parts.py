"""Training on parts of a batch at the same time, when some layers have to see all of it.

Every part runs the same layers in the same order.  Where a layer sums over the batch, the parts meet: each brings its own sum,
waits for those of the others and goes on with the total, which is added up in the order of the parts whoever comes first.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from types import FrameType
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.layer import CHAINS, Train
from funcnn.runtime import blas
from funcnn.runtime.threads import run_concurrently
from funcnn.typing import Shape

V = TypeVar("V")
T = TypeVar("T")


class Meeting(Protocol):
    """Where the parts of a batch add up what they bring: threads of a process, or processes."""

    def all_reduce_sum(self, index: int, value: V, where: str) -> V:
        """Return the sum of the values of all parts; ``where`` says at which place in the network part ``index`` asks."""
        ...


class BrokenBatchError(RuntimeError):
    """Raised in a part that waits for another one that has ended."""


class BatchBarrier:
    """Where the parts of a batch meet, in forward and again in backward; one run at a time.

    Each part sends its values to all others, and adds up what it gets in the order of the parts.  Sending and waiting are single
    calls of C and need no lock: an interrupt leaves nothing locked, wherever it comes.

    Parameters
    ----------
    count : int
        How many parts there are.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._one_run = threading.Lock()
        self._clear()

    def __reduce__(self) -> tuple[type[BatchBarrier], tuple[int]]:
        return BatchBarrier, (self.count,)

    def _clear(self) -> None:
        parts = range(self.count)
        self._mail: list[list[SimpleQueue[Any]]] = [[SimpleQueue() for _ in parts] for _ in parts]  # to one part, from another
        self._process = os.getpid()

    def _end(self, *parts: int) -> None:
        """Have nobody wait any longer for these parts."""
        for mail in self._mail:
            for part in parts:
                mail[part].put(_ENDED)

    def run_parts(self, function: Callable[[int], T]) -> list[T]:
        """Return the function's value for each part of the batch, computed at the same time: one forward or backward."""
        alone: dict[int, BrokenBatchError] = {}
        parts = range(self.count)

        def work(part: int) -> T | None:
            try:
                return function(part)
            except BrokenBatchError as error:  # another part has failed, most likely, and its error tells more
                alone[part] = error
                return None
            finally:
                self._end(part)

        with self._one_run, blas.one_thread():
            self._clear()
            made = run_concurrently([partial(work, part) for part in parts], partial(self._end, *parts))
        if alone:
            raise alone[min(alone)]
        return made  # type: ignore[return-value]  # there is no None but where an error was raised

    def all_reduce_sum(self, index: int, value: V, where: str) -> V:
        """Return the sum of the values of all parts, in the order of their indices.

        Raises
        ------
        BrokenBatchError
            When another part has ended, because of an error or because it does not run the same layers.
        RuntimeError
            When the parts do not sum at the same place in the network.
        """
        if os.getpid() != self._process:
            raise BrokenBatchError(f"{where} sums over parts of a batch (fn.shard) in a forked process, where the others are not")
        own = where, value.copy() if isinstance(value, np.ndarray) else value  # the caller may write into its own
        for other in range(self.count):
            if other != index:
                self._mail[other][index].put(own)
        brought = [own if part == index else self._mail[index][part].get() for part in range(self.count)]
        if any(one is _ENDED for one in brought):
            raise BrokenBatchError(
                f"{where} waits in part {index} of a batch (fn.shard) to sum over all parts, but another part has ended without"
                " it: whether a layer sums (mode.all_reduce_sum) must not depend on its examples"
            )
        if len({place for place, _ in brought}) > 1:
            told = ", ".join(f"part {part} in {place}" for part, (place, _) in enumerate(brought))
            raise RuntimeError(
                f"the parts of a batch (fn.shard) sum over it at different places: {told}; whether a layer sums"
                " (mode.all_reduce_sum) must not depend on its examples"
            )
        total: Any = brought[0][1]
        for _, one in brought[1:]:
            total = total + one
        if isinstance(total, np.ndarray):
            tree.freeze(total)
        return cast(V, total)


_ENDED = object()


def place_of(frame: FrameType | None) -> str:
    """Return where in a network a sum is asked for: the layer's path and name, and the line that asks."""
    asked, path, name = "", "", ""
    while frame is not None and frame.f_code is not BatchBarrier.run_parts.__code__:
        if not asked:
            asked = f"{frame.f_code.co_name}, line {frame.f_lineno}"
        if frame.f_code in CHAINS:
            index, layers = frame.f_locals["index"], frame.f_locals["layers"]
            path = f"[{index + frame.f_locals['offset']}]{path}"
            name = name or layers[index].name
        frame = frame.f_back
    return f"{path} {name} ({asked})".strip()


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
    barrier : BatchBarrier, or another meeting
        Where the parts meet.
    """

    index: int
    examples: slice
    barrier: Meeting

    def child(self, index: int) -> Part:
        """Return the mode for a layer's part, with a key of its own."""
        return Part(self.key.child(index), self.index, self.examples, self.barrier)

    def all_reduce_sum(self, value: V) -> V:
        """Return the sum of a number or an array over all parts of the batch; all of them have to ask for it."""
        return self.barrier.all_reduce_sum(self.index, value, place_of(sys._getframe(1)))

    def row_offset(self, rows: int) -> int:
        """Return which row of the whole batch is the first of these ``rows``, of which every example has the same number."""
        start, stop = cast("tuple[int, int]", (self.examples.start, self.examples.stop))
        return rows * start // (stop - start)

    total, before = all_reduce_sum, row_offset  # the names of version 0.1, for layers written for it

    def uniform(self, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Draw numbers from [0, 1): those that the whole batch would get at the place of these examples."""
        each = math.prod(shape[1:])
        return self.key.generator(self.row_offset(shape[0]) * each).random(shape, dtype=np.float32)

    def normal(self, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Draw standard normal numbers: those that the whole batch would get at the place of these examples."""
        first = self.row_offset(shape[0])
        whole = self.key.generator().standard_normal((first + shape[0], *shape[1:]), dtype=np.float32)
        return whole[first:]
