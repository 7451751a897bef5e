"""Whether a folder of pictures feeds the trainer: ``python -m tests.benchmarks.pictures``.

A small convolutional network learns from 1,500 JPEG files of 128 x 128, scaled to 64 x 64, in three ways: from the
array of all of them in memory; from the files, with the thread that ``fit`` starts; and from the files without one, each batch
decoded when it is asked for.  The three take turns in one process; the figures are medians over the rounds of wall time, since a
thread spends more processor time and not less.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import funcnn as fn
from funcnn.layer import AnyLayer

FILES, SIDE, ROUNDS, BATCH = 1500, 64, 5, 50


def write_pictures(folder: Path) -> None:
    """Write smooth random pictures by class."""
    generator = np.random.default_rng(0)
    for number in range(FILES):
        rough = generator.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        where = folder / f"class-{number % 5}"
        where.mkdir(exist_ok=True)
        Image.fromarray(rough).resize((128, 128), Image.Resampling.BICUBIC).save(where / f"{number}.jpg", quality=90)


def network() -> AnyLayer:
    """Return a network whose step takes about as long as a batch takes to decode."""
    first = fn.conv2d(16, 3) >> fn.relu() >> fn.max_pool2d(2) >> fn.conv2d(32, 3) >> fn.relu() >> fn.max_pool2d(4)
    return first >> fn.flatten() >> fn.dense(5)


def loop(model: AnyLayer, x: fn.data.Rows, y: np.ndarray, start: fn.Fit) -> None:
    """Learn from one pass through the files, without a thread."""
    step, optimizer = fn.loss_and_grad(model, fn.softmax_cross_entropy()), fn.adam(1e-3)
    params, state, opt_state = start.params, start.state, start.opt_state
    for pixels, labels in fn.data.batches(fn.Key(0), (x, y), BATCH):
        result = step(params, state, pixels, labels, fn.Train(fn.Key(1)))
        updated = optimizer.update(params, result.grads, opt_state)
        params, state, opt_state = updated.params, result.state, updated.state


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        write_pictures(Path(name))
        images = fn.data.image_folder(name, size=SIDE)
        pixels, model = images.x.all(), network()

        def fit(x: np.ndarray | fn.data.Rows) -> fn.Fit:
            loss = fn.softmax_cross_entropy()
            return fn.fit(model, loss, fn.adam(1e-3), x, images.y, key=fn.Key(0), epochs=1, batch_size=BATCH)

        start = fit(pixels)
        ways: dict[str, Callable[[], object]] = {
            "in memory": lambda: fit(pixels),
            "from files, with a thread": lambda: fit(images.x),
            "from files, without": lambda: loop(model, images.x, images.y, start),
            "decoding alone": lambda: images.x.all(),
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, run in ways.items():
                began = time.perf_counter()
                run()
                times[way].append(time.perf_counter() - began)
    base = times["in memory"]
    print("| pass over 1,500 pictures | seconds | over that in memory |\n|---|--:|--:|")
    for way, taken in times.items():
        ratio = statistics.median([one / other for one, other in zip(taken, base, strict=True)])
        print(f"| {way} | {statistics.median(taken):.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
