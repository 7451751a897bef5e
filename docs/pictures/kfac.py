"""A Gauss-Newton matrix, and what Kronecker factors make of it: python docs/pictures/kfac.py."""

from pathlib import Path

import numpy as np
from drawing import beside, panels, save
from matplotlib.colors import SymLogNorm

import funcnn as fn


def measure() -> dict[str, np.ndarray]:
    """Return the matrix, its approximation, and the difference of their blocks on the diagonal."""
    model, loss = fn.dense(5) >> fn.tanh() >> fn.dense(3), fn.softmax_cross_entropy()
    start = model.init(fn.Key(0), (4,))
    generator = fn.Key(1).generator()
    x = generator.normal(size=(200, 4)) @ generator.normal(size=(4, 4)) / 2
    at = start.params, start.state, x, generator.integers(0, 3, 200)
    flat, unravel = fn.tree.ravel(start.params)
    product = fn.ggn_product(model, loss)
    factors = fn.curvature.kronecker_factors(model, loss)(*at, fn.Eval())

    def matrix(times) -> np.ndarray:
        return np.stack([fn.tree.ravel(times(unravel(unit))).vector for unit in np.eye(flat.size)])

    exact = matrix(lambda v: product(*at, v, fn.Eval()))
    return {"Gauss-Newton": exact, "Kronecker factors": matrix(factors.product)}


def blocks(exact: np.ndarray, near: np.ndarray) -> list[float]:
    """Return how far each layer's block is off: 5 (4 + 1) and 3 (5 + 1) parameters."""
    parts = slice(0, 25), slice(25, 43)
    return [float(np.linalg.norm((exact - near)[p, p]) / np.linalg.norm(exact[p, p])) for p in parts]


def main(path: str | Path) -> dict[str, np.ndarray]:
    found = measure()
    exact, near = found.values()
    figure, axes = panels(3, height=2.9)
    off = blocks(exact, near)
    shown = (*found.items(), (f"difference: blocks off by {off[0]:.0%}, {off[1]:.0%}", exact - near))
    most = float(np.abs(exact).max())
    for one, (name, matrix) in zip(axes, shown, strict=True):
        image = one.imshow(matrix, cmap="RdBu_r", norm=SymLogNorm(most / 10, vmin=-most, vmax=most), interpolation="none")
        one.axhline(24.5, color="black", linewidth=0.6)
        one.axvline(24.5, color="black", linewidth=0.6)
        one.set_title(name, fontsize=8)
        one.set_xticks([12, 33], ["layer 1", "layer 2"], fontsize=8)
        one.set_yticks([12, 33], ["1", "2"], fontsize=8)
        one.tick_params(length=0)
    figure.colorbar(image, ax=axes, shrink=0.8, ticks=[-1, -0.1, 0, 0.1, 1])
    save(figure, path)
    return found


if __name__ == "__main__":
    main(beside(__file__))
