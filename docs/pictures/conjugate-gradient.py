"""The residual of conjugate gradients over products, for several dampings: python docs/pictures/conjugate-gradient.py."""

from pathlib import Path

import numpy as np
from drawing import BLUE, GREEN, GREY, ORANGE, beside, panels, save, tidy

import funcnn as fn

TOLERANCES = 10.0 ** -np.arange(1, 10.1)


def measure() -> dict[float, tuple[float, np.ndarray, np.ndarray]]:
    """Return for each damping the condition number, and the products and residuals at the ends of solves."""
    model, loss = fn.dense(16) >> fn.tanh() >> fn.dense(3), fn.softmax_cross_entropy()
    start = model.init(fn.Key(0), (5,))
    generator = fn.Key(1).generator()
    at = start.params, start.state, generator.normal(size=(40, 5)), generator.integers(0, 3, 40)
    gradient = fn.loss_and_grad(model, loss)(*at, fn.Eval()).grads
    ggn = fn.ggn_product(model, loss)

    def product(v):
        return ggn(*at, v, fn.Eval())

    top = float(fn.curvature.eigenpairs(product, start.params, 1, key=fn.Key(2)).values[0])
    found = {}
    for damping in (1e-1, 1e-2, 1e-3, 1e-4):
        made = [fn.curvature.conjugate_gradient(product, gradient, damping=damping, tolerance=one) for one in TOLERANCES]
        # more parameters than numbers of outputs: the least eigenvalue without damping is 0
        kappa = (top + damping) / damping
        found[damping] = kappa, np.array([one.steps for one in made]), np.array([one.residual for one in made])
    return found


def main(path: str | Path) -> dict[float, tuple[float, np.ndarray, np.ndarray]]:
    found = measure()
    figure, (axes,) = panels()
    for (damping, (kappa, steps, residuals)), color in zip(found.items(), (GREY, GREEN, BLUE, ORANGE), strict=True):
        label = f"damping {damping:g}: condition {kappa:.2g}"
        axes.semilogy(steps, residuals, "o-", color=color, markersize=3, linewidth=1.2, label=label)
    axes.set(xlabel="products", ylabel="residual |b - (A + λ) x| / |b|", xlim=(0, None))
    axes.set_yticks(10.0 ** np.arange(-10, 1, 2))
    tidy([axes])
    save(figure, path)
    return found


if __name__ == "__main__":
    main(beside(__file__))
