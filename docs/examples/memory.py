"""The adding problem (Hochreiter & Schmidhuber 1997, experiment 4): remember two numbers over a long time, and add them.

Every step shows a random number and a mark.  Two steps are marked, one in the first tenth and one in the first half of the
sequence, and the sum of their numbers is asked for at the end.  Who always says 1 has a mean squared error of 1/6, and so has
who remembers nothing.

``python docs/examples/memory.py --length 100 --steps 2000 --seeds 3 --picture curves.svg`` trains on sequences of 100 steps, from
three seeds each, and draws the errors.
"""

import argparse
import time
from typing import Any

import numpy as np

import funcnn as fn

UNITS, BATCH, BASELINE = 32, 50, 1 / 6


def draw(generator: np.random.Generator, count: int, length: int) -> tuple[Any, Any]:
    """Return sequences (count, length, 2) of numbers and marks, and the sums of the marked numbers, (count, 1)."""
    x = np.zeros((count, length, 2), np.float32)
    x[..., 0] = generator.random((count, length))
    rows = np.arange(count)
    first = generator.integers(length // 10, size=count)
    second = generator.integers(length // 10, length // 2, size=count)
    x[rows, first, 1] = x[rows, second, 1] = 1.0
    return x, (x[rows, first, 0] + x[rows, second, 0])[:, None]


def networks(length: int) -> dict[str, Any]:
    """Return the cells, all of one size; gates start with biases that remember for about a sequence (Tallec & Ollivier 2018)."""
    slow = float(np.log(length))
    return {
        "rnn": fn.rnn(UNITS),
        "lstm": fn.lstm(UNITS, forget_bias=slow, input_bias=-slow),
        "gru": fn.gru(UNITS, update_bias=slow),
    }


def train(cell: Any, length: int, steps: int, key: fn.Key) -> list[float]:
    """Return the error on fresh sequences, ten times in the course of the training."""
    model: Any = fn.serial(cell, fn.last_step(), fn.dense(1))
    start = model.init(key.child(0), (length, 2))
    params, state = fn.tree.astype(start.params, np.float32), start.state
    optimizer = fn.chain(fn.clip_by_global_norm(1.0), fn.adam(fn.schedules.cosine(1e-2, steps)))
    opt_state, loss = optimizer.init(params), fn.mean_squared_error()
    loss_and_grad = fn.loss_and_grad(model, loss)
    generator = key.child(1).generator()
    x_test, y_test = draw(key.child(2).generator(), 500, length)
    curve = []
    for step in range(steps):
        x, y = draw(generator, BATCH, length)
        made = loss_and_grad(params, state, x, y, fn.Train(key))
        updated = optimizer.update(params, made.grads, opt_state)
        params, opt_state = updated.params, updated.state
        if (step + 1) % (steps // 10) == 0:
            curve.append(float(loss.forward(fn.apply(model, params, state, x_test), y_test).value))
    return curve


def draw_curves(curves: dict[str, list[list[float]]], steps: int, path: str) -> None:
    """Save a picture of the errors in the course of the training."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    for (name, several), color in zip(curves.items(), ("#c0392b", "#3b6fb6", "#2e8b57"), strict=True):
        for index, curve in enumerate(several):
            axes.semilogy(np.arange(1, 11) * steps // 10, curve, color, label=name if index == 0 else None)
    axes.axhline(BASELINE, color="0.5", linestyle=":", label="always 1")
    axes.set(xlabel="batches", ylabel="mean squared error", title="The adding problem")
    axes.legend(frameon=False)
    with mpl.rc_context({"svg.hashsalt": "funcnn", "svg.fonttype": "none"}):  # equal runs give equal files
        figure.savefig(path, metadata={"Date": None})


def main(length: int = 40, steps: int = 400, seeds: int = 1, picture: str = "") -> dict[str, float]:
    fn.keep_memory()
    print(f"{length} steps; always saying 1 has an error of {BASELINE:.4f}")
    curves: dict[str, list[list[float]]] = {}
    for name, cell in networks(length).items():
        for seed in range(seeds):
            before = time.perf_counter()
            curve = train(cell, length, steps, fn.Key(seed))
            seconds = time.perf_counter() - before
            print(f"{name:5} seed {seed}: " + " ".join(f"{error:.4f}" for error in curve) + f"  ({seconds:.0f} s)", flush=True)
            curves.setdefault(name, []).append(curve)
    if picture:
        draw_curves(curves, steps, picture)
    return {name: max(curve[-1] for curve in several) for name, several in curves.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--length", type=int, default=40)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--picture", default="", metavar="FILE.svg")
    given = parser.parse_args()
    main(given.length, given.steps, given.seeds, given.picture)
