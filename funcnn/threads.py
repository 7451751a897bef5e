"""Doing several things at the same time: NumPy lets other threads run while it computes."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import TypeVar

import numpy as np

from funcnn import blas
from funcnn.numerics import dot
from funcnn.typing import Array

T = TypeVar("T")


@lru_cache(maxsize=1)
def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def together(functions: Sequence[Callable[[], T]]) -> list[T]:
    """Call functions at the same time, the first of them in this thread, and return their results in order.

    When several fail, the error of the first in order is raised, after all have ended.  Threads that live for one call cost some
    50 microseconds each.  They leave nothing behind: no pool that a forked process would miss.
    """
    results: list[T | None] = [None] * len(functions)
    errors: dict[int, BaseException] = {}

    def work(index: int) -> None:
        try:
            results[index] = functions[index]()
        except BaseException as error:
            errors[index] = error

    threads = []
    for index in range(1, len(functions)):
        context = contextvars.copy_context()  # np.errstate is part of it
        threads.append(threading.Thread(target=partial(context.run, work, index)))
    for thread in threads:
        thread.start()
    work(0)
    for thread in threads:
        thread.join()
    if errors:
        raise errors[min(errors)]
    return results  # type: ignore[return-value]  # without errors all have a result


def divide(count: int, threads: int, work: Callable[[slice], None]) -> None:
    """Call a function for parts of a range at the same time; for the whole of it where all processors have work already.

    What the function does must not depend on how the range is divided.

    Parameters
    ----------
    count : int
        The range's length.
    threads : int
        How many parts are worth while.
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
        together([partial(work, slice(*pair)) for pair in pairwise(ends)])


def product(a: Array, b: Array, threads: int) -> Array:
    """Return the product of two matrices, its rows divided among so many threads where that is more than one.

    That is for products among other work that is divided: if NumPy computed them on threads of its own, these would go on
    waiting for more for some milliseconds, on the processors that the other work is about to use.
    """
    if threads < 2:
        return dot(a, b)
    made: Array = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    divide(len(a), threads, partial(_product_part, a, b, made))
    return made


def _product_part(a: Array, b: Array, made: Array, part: slice) -> None:
    np.matmul(a[part], b, out=made[part])
