"""Ranks that are threads of one process: what processes of MPI do, without MPI."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from attrs import frozen

T = TypeVar("T")
_WAIT = 20.0  # seconds, after which a rank that waits is one too many


@frozen(eq=False)
class Desk:
    """Where the ranks lay down their arrays."""

    barrier: threading.Barrier
    arrays: list[Any]


@frozen(eq=False)
class ThreadRank:
    """One of the ranks: a communicator."""

    rank: int
    size: int
    desk: Desk

    def all_gather(self, array: Any) -> Any:
        self.desk.arrays[self.rank] = array
        self.desk.barrier.wait(_WAIT)
        made = np.stack(self.desk.arrays)
        self.desk.barrier.wait(_WAIT)
        return made

    def all_to_all(self, array: Any) -> Any:
        return self.all_gather(array)[:, self.rank].copy()


def alone() -> ThreadRank:
    """Return a rank without others."""
    return ThreadRank(0, 1, Desk(threading.Barrier(1), [None]))


def on_ranks(function: Callable[[ThreadRank], T], size: int) -> list[T]:
    """Return what a function gives on each rank."""
    desk = Desk(threading.Barrier(size), [None] * size)

    def run(rank: int) -> T:
        try:
            return function(ThreadRank(rank, size, desk))
        except BaseException:
            desk.barrier.abort()  # nobody waits for it
            raise

    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(run, rank) for rank in range(size)]
        errors = [future.exception() for future in futures]
    failed = [error for error in errors if error is not None and not isinstance(error, threading.BrokenBarrierError)]
    if failed:
        raise failed[0]
    return [future.result() for future in futures]
