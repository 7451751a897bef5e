"""The norms of single gradients, of digits labelled right and wrong: python docs/pictures/per-example.py."""

from pathlib import Path

import numpy as np
from drawing import BLUE, ORANGE, beside, panels, save, tidy

import funcnn as fn


def measure() -> tuple[np.ndarray, np.ndarray]:
    """Return each example's norm, and whether its label was changed; docs/examples/mislabelled.py trains so too."""
    data = fn.data.digits(dtype=np.float32)
    generator = fn.Key(0).generator()
    wrong = generator.random(len(data.x)) < 0.05
    labels = np.where(wrong, (data.y + generator.integers(1, 10, len(data.y))) % 10, data.y)
    model, loss = fn.dense(128) >> fn.relu() >> fn.dense(10), fn.softmax_cross_entropy()
    made = fn.fit(model, loss, fn.adam(2e-3), data.x, labels, key=fn.Key(1), epochs=12, batch_size=64, progress=False)
    norms = fn.per_example_norms(model, loss)(made.params, made.state, data.x, labels, fn.Eval())
    return norms, wrong


def main(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    norms, wrong = measure()
    figure, (axes,) = panels()
    bins = np.geomspace(1e-2, 30, 41)
    style = {"histtype": "stepfilled", "alpha": 0.8}
    axes.hist(norms[~wrong], bins, color=BLUE, label=f"label as it was: {(~wrong).sum()}", **style)
    axes.hist(norms[wrong], bins, color=ORANGE, label=f"label changed: {wrong.sum()}", **style)
    first = int(np.argmax(norms))
    where = "a changed label" if wrong[first] else "a label as it was"
    axes.annotate(f"the longest: {where}", (norms[first], 40), (1.2, 190), fontsize=8, arrowprops={"arrowstyle": "->"})
    axes.set(xscale="log", yscale="log", ylim=(0.7, 300), xlabel="norm of the example's gradient", ylabel="examples")
    tidy([axes], legend="upper left")
    save(figure, path)
    return norms, wrong


if __name__ == "__main__":
    main(beside(__file__))
