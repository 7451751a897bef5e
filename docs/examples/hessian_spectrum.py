"""The spectrum of the Hessian of a trained network, from products alone: no matrix is made.

    python docs/examples/hessian_spectrum.py --picture hessian_spectrum.svg

A network that reads digits.  Before training the Hessian has directions of negative curvature; afterwards nearly all of its
eigenvalues are near 0, and some stand far out: about as many as there are classes (Sagun et al. 2017, arXiv:1706.04454; Papyan
2018, arXiv:1811.07062).
"""

import argparse
from functools import partial
from typing import Any

import numpy as np

import funcnn as fn


def hessian_times(model: Any, loss: Any, at: tuple[Any, Any, Any, Any], vector: Any) -> Any:
    return fn.hvp(model, loss)(*at, vector, fn.Eval())


def looked_at(product: Any, params: Any, key: fn.Key, steps: int) -> tuple[Any, Any, float]:
    """Return the density of eigenvalues, the twelve largest, and the least."""
    density = fn.curvature.spectral_density(product, params, key=key.child(0), steps=steps, samples=4)
    top = fn.curvature.eigenpairs(product, params, 12, key=key.child(1), tolerance=1e-3)
    bottom = fn.curvature.eigenpairs(product, params, 1, key=key.child(2), end="smallest", tolerance=1e-2)
    return density, top.values, float(bottom.values[0])


def main(seed: int = 0, examples: int = 400, epochs: int = 60, steps: int = 60, picture: str = "") -> dict[str, float]:
    key = fn.Key(seed)
    data = fn.data.digits()
    x, labels = data.x[:examples], data.y[:examples]
    model, loss = fn.mlp(32, 10, activation="tanh"), fn.softmax_cross_entropy()
    start = model.init(key.child(0), (64,))
    result = fn.fit(
        model, loss, fn.adam(5e-3), x, labels, key=key.child(1), epochs=epochs, batch_size=100, params=start.params,
        state=start.state, progress=False,
    )  # fmt: skip
    found = []
    for name, params in (("before", start.params), ("after", result.params)):
        product = partial(hessian_times, model, loss, (params, start.state, x, labels))
        density, top, least = looked_at(product, params, key.child(2), steps)
        trace = fn.curvature.xtrace(product, params, key=key.child(3), products=40)
        print(f"{name} training: {fn.tree.size(params)} eigenvalues from {least:.3f} to {top[0]:.3f}, trace {trace.value:.2f}")
        print("   the largest: " + " ".join(f"{value:.3f}" for value in top))
        found.append((density, top, least))
    if picture:
        draw(picture, found)
    return {"before": found[0][2], "least": found[1][2], "tenth": float(found[1][1][9]), "largest": float(found[1][1][0])}


def draw(path: str, found: Any) -> None:
    """Draw the densities, on a logarithmic scale, with the largest eigenvalues below them."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axis, (density, top, least), name in zip(
        figure.subplots(1, 2), found, ("before training", "after training"), strict=True
    ):
        span = top[0] - least
        grid = np.linspace(least - 0.1 * span, top[0] + 0.1 * span, 600)
        axis.semilogy(grid, density.density(grid, 0.01 * span), color="#3b6fb6")
        axis.plot(top, np.full(len(top), 2e-5), "|", color="#c44e52", markersize=10, label="the 12 largest")
        axis.set(title=name, xlabel="eigenvalue", ylabel="density", ylim=(1e-5, None))
        axis.legend(frameon=False, fontsize=8)
    with mpl.rc_context({"svg.hashsalt": "funcnn", "svg.fonttype": "none"}):  # equal runs give equal files
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--picture", default="", metavar="FILE.svg")
    main(picture=parser.parse_args().picture)
