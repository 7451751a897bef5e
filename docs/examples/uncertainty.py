"""Regression that says how sure it is: the mean and the variance of the target, both learned from noisy points.

    python docs/examples/uncertainty.py --picture uncertainty.svg

The noise grows from left to right and nobody tells the network; the loss, the negative log-likelihood of a normal distribution
(Nix & Weigend 1994), makes it find out.  Calibrated means: of new points, 90 % lie within the bounds that should hold 90 %.
"""

import argparse
from statistics import NormalDist
from typing import Any

import numpy as np

import funcnn as fn

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


def true_mean(x: Any) -> Any:
    return np.sin(2 * x)


def true_deviation(x: Any) -> Any:
    return 0.05 + 0.1 * (x + 3) / 2  # from 0.05 at -3 to 0.35 at 3


def draw(key: fn.Key, count: int) -> tuple[Any, Any]:
    generator = key.generator()
    x = generator.uniform(-3, 3, (count, 1))
    return x, true_mean(x) + true_deviation(x) * generator.normal(size=x.shape)


def main(seed: int = 0, picture: str = "") -> tuple[float, float]:
    key = fn.Key(seed)
    x, y = draw(key.child(0), 4000)
    scale = fn.data.fit_standardize(x)
    model = fn.mlp(64, 64, activation="silu") >> fn.silu() >> fn.branch(fn.dense(1), fn.dense(1))
    steps = 100 * fn.data.batch_count(len(x), 100)
    result = fn.fit(
        model,
        fn.gaussian_nll(),
        fn.adam(fn.schedules.warmup_cosine(5e-3, steps // 20, steps)),
        scale.transform(x),
        y,
        key=key.child(1),
        epochs=100,
        batch_size=100,
        progress=False,
    )

    def said(at: Any) -> tuple[Any, Any]:
        mean, log_variance = fn.apply(model, result.params, result.state, scale.transform(at))
        return mean, np.exp(log_variance / 2)

    grid = np.linspace(-3, 3, 200)[:, None]
    mean, deviation = said(grid)
    off = float(np.sqrt(np.mean((deviation / true_deviation(grid) - 1) ** 2)))
    print(f"standard deviation: {off:.1%} off the true one, root mean square from -3 to 3; at some places, with the true one:")
    for i in range(0, 200, 66):
        print(f"  x = {grid[i, 0]:5.2f}   {deviation[i, 0]:.3f}   {true_deviation(grid)[i, 0]:.3f}")
    x_new, y_new = draw(key.child(2), 10_000)
    mean_new, deviation_new = said(x_new)
    beyond = abs(y_new - mean_new) / deviation_new
    shares = [float(np.mean(beyond < NormalDist().inv_cdf(0.5 + level / 2))) for level in LEVELS]
    for level, share in zip(LEVELS, shares, strict=True):
        print(f"bounds for {level:.0%} of the points hold {share:.1%} of {len(x_new):,} new ones")
    if picture:
        show(picture, x, y, grid, mean, deviation, beyond)
    return off, max(abs(share - level) for share, level in zip(shares, LEVELS, strict=True))


def show(path: str, x: Any, y: Any, grid: Any, mean: Any, deviation: Any, beyond: Any) -> None:
    """Draw the points with the bounds for 95 %, and how many of the new points bounds for each share hold."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    left.plot(x[:250], y[:250], ".", markersize=2.5, color="#888888", label="points")
    left.plot(grid, true_mean(grid), "--", color="black", linewidth=1, label="true mean")
    left.plot(grid, mean, color="#3b6fb6", label="mean said")
    bounds = ((mean - 1.96 * deviation)[:, 0], (mean + 1.96 * deviation)[:, 0])
    left.fill_between(grid[:, 0], *bounds, alpha=0.2, color="#3b6fb6", linewidth=0, label="95 % said")
    for side in (-1.96, 1.96):
        left.plot(grid, true_mean(grid) + side * true_deviation(grid), ":", color="black", linewidth=1)
    left.legend(frameon=False, fontsize=8)
    left.set(xlabel="x", ylabel="y")
    levels = np.linspace(0.02, 0.98, 25)
    held = [np.mean(beyond < NormalDist().inv_cdf(0.5 + level / 2)) for level in levels]
    right.plot([0, 1], [0, 1], "--", color="black", linewidth=1)
    right.plot(levels, held, ".-", color="#3b6fb6")
    right.set(xlabel="share said", ylabel="share of new points within", aspect="equal")
    with mpl.rc_context({"svg.hashsalt": "funcnn", "svg.fonttype": "none"}):  # equal runs give equal files
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", default="", metavar="FILE.svg")
    given = parser.parse_args()
    main(given.seed, given.picture)
