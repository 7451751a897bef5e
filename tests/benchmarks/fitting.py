"""What ``fn.fit`` costs beside the loop that its docstring describes: ``python -m tests.benchmarks --fit`` shows it.

For each network three variants run in one process, in rounds and in an order that rotates, over data in memory: ``fit`` with its
default settings and no progress bar; the loop of ``loss_and_grad`` and ``update`` over shuffled batches, with the keys of fit, so
that both give the same bits, which is checked; and the step of the table of workloads, over batches that lie ready.  The time of
a step is that of epochs, from one call of a callback to a later one, divided by their steps: for small networks they begin when
all is warm, and the flat function of the network is there.  What fit does before the first step is given apart.  Times are those
of the processor, on one thread: what other processes do, and what threads wait for, is not in them.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import funcnn as fn
from tests.benchmarks.workload import find

PASSES = {"digits": 7, "mnist-mlp": 5, "lenet": 4, "char-gpt": 2}
"""How often an epoch goes through the data of the workload: the one of digits has then as many steps as the data set."""


@dataclass(frozen=True)
class Cost:
    """The medians for one network, in seconds, and those of the ratios within each round."""

    workload: str
    steps: int
    fit: float
    shuffled: float
    ready: float
    to_shuffled: float
    to_ready: float
    once: float


class Case:
    """A network, its data, and the three ways to train it; each returns the time of a step and the parameters."""

    def __init__(self, name: str) -> None:
        arrays = find(name).make()
        job: Any = find(name).peers["funcnn"](arrays)
        job.reset()
        job.choose()
        self.model = fn.shard(job.model) if job.variant is job.sharded else job.model
        self.loss, self.optimizer, self.updating = job.loss, job.optimizer, job.updating
        self.params, self.state = job.initial, job.initial_state
        self.batch = arrays["x"].shape[1]
        self.x, self.y = (np.concatenate([*arrays[key]] * PASSES[name]) for key in "xt")
        self.key, self.steps = fn.Key(0), len(self.x) // self.batch
        self.warm = 1
        self.firsts: list[float] = []  # seconds to the end of the first epoch
        self.epochs: list[float] = []  # seconds of a later one

    def fit(self, epochs: int) -> tuple[float, Any]:
        """Call fit."""
        ends: list[float] = []
        begin = time.process_time()
        done = fn.fit(
            self.model,
            self.loss,
            self.optimizer,
            self.x,
            self.y,
            key=self.key,
            epochs=self.warm + epochs,
            batch_size=self.batch,
            params=self.params,
            state=self.state,
            callbacks=[lambda epoch: ends.append(time.process_time())],
            progress=False,
        )
        each = (ends[-1] - ends[self.warm - 1]) / epochs
        self.firsts.append(ends[0] - begin)
        self.epochs.append(each)
        return each / self.steps, done.params

    def shuffled(self, epochs: int) -> tuple[float, Any]:
        """Write the loop out, with the keys of fit."""
        optimizer, params, state = self.optimizer, self.params, self.state
        slots, step = optimizer.init(params), fn.compiled(fn.loss_and_grad(self.model, self.loss))
        for epoch in range(self.warm + epochs):
            if epoch == self.warm:
                begin = time.process_time()
            shuffle, keys = self.key.child(2).child(epoch).split(2)
            for number, (x, y) in enumerate(fn.data.batches(shuffle, (self.x, self.y), self.batch)):
                result = step(params, state, x, y, fn.Train(keys.child(number)))
                float(result.loss)
                updated = optimizer.update(params, result.grads, slots)
                params, state, slots = updated.params, result.state, updated.state
                del result, updated
        return (time.process_time() - begin) / epochs / self.steps, params

    def ready(self, epochs: int) -> tuple[float, Any]:
        """Write the loop out over batches that are there, with the optimizer that the table of workloads is measured with."""
        optimizer, params, state, mode = self.updating, self.params, self.state, fn.Train(self.key)
        slots, step = optimizer.init(params), fn.compiled(fn.loss_and_grad(self.model, self.loss))
        batches = list(fn.data.batches(self.key, (self.x, self.y), self.batch))
        for epoch in range(self.warm + epochs):
            if epoch == self.warm:
                begin = time.process_time()
            for x, y in batches:
                result = step(params, state, x, y, mode)
                float(result.loss)
                updated = optimizer.update(params, result.grads, slots)
                params, state, slots = updated.params, result.state, updated.state
                del result, updated
        return (time.process_time() - begin) / epochs / self.steps, params


def cost(name: str, rounds: int, seconds: float) -> Cost:
    """Measure one network."""
    case = Case(name)
    ways: list[Callable[[int], tuple[float, Any]]] = [case.fit, case.shuffled, case.ready]
    guess, fitted = case.fit(2)
    _, looped = case.shuffled(2)
    if not fn.tree.same(fitted, looped):
        raise SystemExit(f"{name}: fit and the loop written out give different parameters")
    if guess < 0.005:  # a moment to warm up, in all three
        case.warm += 150 // case.steps
    epochs = max(1, round(seconds / (guess * case.steps)))
    times: tuple[list[float], ...] = ([], [], [])
    for turn in range(rounds):
        for index in range(3):
            way = (turn + index) % 3
            times[way].append(ways[way](epochs)[0])
    fit, shuffled, ready = map(statistics.median, times)
    to_shuffled, to_ready = (
        statistics.median(one / other for one, other in zip(times[0], times[way], strict=True)) for way in (1, 2)
    )
    return Cost(name, case.steps, fit, shuffled, ready, to_shuffled, to_ready, max(0.0, min(case.firsts) - min(case.epochs)))


def main() -> None:
    """Print the costs of the networks that are named."""
    _, rounds, seconds, *chosen = sys.argv
    print(json.dumps([asdict(cost(name, int(rounds), float(seconds))) for name in chosen or PASSES]))


if __name__ == "__main__":
    main()
