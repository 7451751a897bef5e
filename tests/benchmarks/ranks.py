"""Two processes of MPI beside two threads of ``shard`` beside one: the time of a step, and what its sum of gradients costs.

    mpiexec -n 2 python -m tests.benchmarks.ranks

Rank 0 takes turns: a step alone, one with ``fn.shard(model, 2)``, one of both ranks.  The other rank sleeps meanwhile.  What is
shown is the median over the turns of the ratios to the step alone, and of processes to threads, and the least time of each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import funcnn as fn
from funcnn.sharding.communicator import all_reduce_sum

TURNS = 40


def networks() -> dict[str, tuple[Any, np.ndarray, np.ndarray]]:
    """Return networks with a batch each, float32."""
    generator = np.random.default_rng(0)

    def batch(rows: int, *shape: int) -> tuple[np.ndarray, np.ndarray]:
        return generator.normal(size=(rows, *shape)).astype(np.float32), generator.integers(0, 10, rows)

    wide = fn.serial(fn.dense(1024), fn.relu(), fn.dense(1024), fn.relu(), fn.dense(10))
    return {
        "mlp 784-512-256-10, 128 rows": (
            fn.serial(fn.dense(512), fn.relu(), fn.dense(256), fn.relu(), fn.dense(10)),
            *batch(128, 784),
        ),
        "mlp 1024-1024-1024-10, 128 rows": (wide, *batch(128, 1024)),
        "mlp 1024-1024-1024-10, 1024 rows": (wide, *batch(1024, 1024)),
        "convnet on 28 x 28, 128 rows": (fn.convnet(10, channels=(16, 32, 64)), *batch(128, 28, 28, 1)),
    }


def clocked(function: Callable[[], object]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def middle(times: list[float], others: list[float]) -> float:
    """Return the median over the turns of a ratio."""
    return statistics.median(one / other for one, other in zip(times, others, strict=True))


def main() -> None:
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    ranks = fn.mpi_communicator()

    def meet() -> None:
        """Wait for the other rank without taking a processor."""
        request = comm.Ibarrier()
        while not request.Test():
            time.sleep(0.0005)

    for name, (model, x, y) in networks().items():
        loss = fn.softmax_cross_entropy()
        start = model.init(fn.Key(0), x.shape[1:])
        params, state = fn.tree.astype(start.params, np.float32), fn.tree.astype(start.state, np.float32)
        plain = fn.loss_and_grad(model, loss)
        steps = {
            "alone": plain,
            "two threads": fn.loss_and_grad(fn.shard(model, 2), loss),
            "two processes": fn.data_parallel(plain, ranks, gather_outputs=False),
        }
        vector = np.zeros(fn.tree.size(params), np.float32)
        times: dict[str, list[float]] = {one: [] for one in (*steps, "sum")}
        for _ in range(TURNS):
            for one, step in steps.items():
                meet()
                if one == "two processes" or ranks.rank == 0:
                    times[one].append(clocked(partial(step, params, state, x, y, fn.Train(fn.Key(1)))))
            meet()
            times["sum"].append(clocked(partial(all_reduce_sum, ranks, vector)))
            meet()
        if ranks.rank == 0:
            told = [f"{one} {1e3 * min(times[one]):.1f}" for one in times]
            pairs = (("two threads", "alone"), ("two processes", "alone"), ("two processes", "two threads"))
            ratios = [f"{one} / {other} {middle(times[one], times[other]):.2f}" for one, other in pairs]
            print(f"{name} ({vector.nbytes / 1e6:.1f} MB): ms {', '.join(told)}; medians {', '.join(ratios)}", flush=True)

    overlap(comm, meet)


def overlap(comm: Any, meet: Callable[[], None]) -> None:
    """Measure whether a sum goes on while the processor multiplies: started before a product, and waited for after it."""
    a = np.ones((1024, 1024), np.float32)
    vector = np.ones(1_000_000, np.float32)
    gathered = np.empty((comm.size, vector.size), np.float32)
    times: dict[str, list[float]] = {"product": [], "sum": [], "one after the other": [], "at the same time": []}

    def together() -> None:
        request = comm.Iallgather(vector, gathered)
        a @ a
        request.Wait()

    def both() -> None:
        comm.Allgather(vector, gathered)
        a @ a

    for _ in range(TURNS):
        for one, function in (
            ("product", lambda: a @ a),
            ("sum", lambda: comm.Allgather(vector, gathered)),
            ("one after the other", both),
            ("at the same time", together),
        ):
            meet()
            comm.Barrier()
            times[one].append(clocked(function))
    if comm.rank == 0:
        print("overlap of a sum of 4 MB with a product: ms", {one: round(1e3 * min(all_), 2) for one, all_ in times.items()})


if __name__ == "__main__":
    main()
