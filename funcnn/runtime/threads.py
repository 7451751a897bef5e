"""Doing several things at the same time: NumPy lets other threads run while it computes."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from itertools import pairwise
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from funcnn.runtime import blas

T = TypeVar("T")


@lru_cache(maxsize=1)
def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Group(Generic[T]):
    """Functions that run at the same time, with what they have given so far.

    There is no lock, and the waiting is done in one call of C: an interrupt leaves nothing locked, wherever it comes.
    """

    def __init__(self, functions: Sequence[Callable[[], T]]) -> None:
        self.functions = functions
        self.results: list[T | None] = [None] * len(functions)
        self.errors: dict[int, BaseException] = {}
        self._begun: list[int] = []
        self._ended: list[int] = []
        self._news: SimpleQueue[int] = SimpleQueue()  # who has ended
        self._cancelled = False

    def run(self, index: int) -> None:
        """Call a function in a thread of its own, unless the group was cancelled before that began."""
        self._begun.append(index)  # before it looks: who cancels either is seen here, or sees this
        try:
            if not self._cancelled:
                self.results[index] = self.functions[index]()
        except BaseException as error:
            self.errors[index] = error
        finally:
            self._ended.append(index)
            self._news.put(index)

    def run_first(self) -> None:
        """Call the first function, in this thread; an interrupt is no matter of the function's."""
        try:
            self.results[0] = self.functions[0]()
        except Exception as error:
            self.errors[0] = error

    def wait(self) -> None:
        """Return when all functions but the first have ended."""
        for _ in self.functions[1:]:
            self._news.get()

    def cancel(self) -> None:
        """Begin no more functions, and return when those that run have ended, however often that is interrupted."""
        while True:
            try:
                self._cancelled = True
                for index in tuple(self._begun):
                    while index not in self._ended:
                        with suppress(Empty):
                            self._news.get(timeout=1)  # an interrupt may have taken the news away
                return
            except KeyboardInterrupt:  # the first one will be raised
                continue


def run_concurrently(functions: Sequence[Callable[[], T]], abandon: Callable[[], object] = lambda: None) -> list[T]:
    """Call functions at the same time, the first of them in this thread, and return their results in order.

    When several fail, the error of the first in order is raised, after all have ended.  Threads that live for one call cost some
    50 microseconds each.  They leave nothing behind: no pool that a forked process would miss.

    Parameters
    ----------
    functions : sequence of callable
        What is called.
    abandon : callable, optional
        Called when the call is interrupted, or a thread cannot be started: it tells functions that wait for another one to end.
    """
    group = _Group(functions)
    try:
        for index in range(1, len(functions)):
            context = contextvars.copy_context()  # np.errstate is part of it
            threading.Thread(target=partial(context.run, group.run, index)).start()
        group.run_first()
        group.wait()
    except BaseException:
        abandon()
        group.cancel()
        raise
    if group.errors:
        raise group.errors[min(group.errors)]
    return group.results  # type: ignore[return-value]  # without errors all have a result


def parallel_for(count: int, threads: int, work: Callable[[slice], None]) -> None:
    """Call a function for parts of a range at the same time; for the whole of it where all processors have work already.

    What the function does must not depend on how the range is divided.

    Parameters
    ----------
    count : int
        The range's length.
    threads : int
        How many parts are worth their threads.
    work : callable
        Takes a part.
    """
    if threads > 1:
        threads = 1 if blas.in_use() else min(threads, processors())
    if threads < 2:
        work(slice(0, count))
        return
    ends = [count * part // threads for part in range(threads + 1)]
    with blas.one_thread():
        run_concurrently([partial(work, slice(*pair)) for pair in pairwise(ends)])
