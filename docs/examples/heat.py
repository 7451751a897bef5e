"""A physics-informed network (Raissi, Perdikaris & Karniadakis 2019): the heat equation solved without a single solution shown.

    python docs/examples/heat.py --picture heat.svg

u_t = u_xx / 10 for x and t from 0 to 1, with u = 0 at both ends and u = sin(pi x) at the start.  The network is
trained so that its own derivatives obey the equation at points inside and its values those of the border.  These are least
squares, so Levenberg-Marquardt can solve them; Adam and then L-BFGS on the same sum of squares stand beside it.  The exact
solution, a wave that dies out, is used for the comparison alone.
"""

import argparse
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn

DIFFUSION = 0.1
WIDTHS = (16, 16)
WEIGHT = 100.0  # of the border


def exact(x: Any, t: Any) -> Any:
    return np.exp(-DIFFUSION * np.pi**2 * t) * np.sin(np.pi * x)


def points(key: fn.Key, inside: int, border: int) -> tuple[Any, Any]:
    """Draw points (x, t) inside, and on the border: at the start, and at both ends."""
    generator = key.generator()
    x, t = generator.random((inside, 1)), generator.random((inside, 1))
    ends = generator.integers(0, 2, (border, 1)).astype(float)
    start = np.hstack((generator.random((border, 1)), np.zeros((border, 1))))
    return np.hstack((x, t)), np.vstack((start, np.hstack((ends, generator.random((border, 1))))))


@frozen(eq=False)
class Heat:
    """The equation at points inside, and the values at the border, for a network."""

    net: Any
    state: Any
    inside: Any
    border: Any

    @property
    def weights(self) -> tuple[float, float]:
        """By what residuals are multiplied, so that half of their squares' sum is half of a weighted mean."""
        return len(self.inside) ** -0.5, (WEIGHT / len(self.border)) ** 0.5

    @property
    def layers(self) -> tuple[Any, Any]:
        """The network with its derivatives in x, and in t."""
        along_x = fn.directional_derivatives(self.net, [(1.0, 0.0)], order=2, radius=2.0**-7)
        return along_x, fn.directional_derivatives(self.net, [(0.0, 1.0)], order=1)

    def residuals(self, params: Any) -> Any:
        inner, outer = self.weights
        (_, _, u_xx), (_, u_t) = [fn.apply(layer, params, self.state, self.inside) for layer in self.layers]
        off = fn.apply(self.net, params, self.state, self.border) - exact(self.border[:, :1], self.border[:, 1:])
        return np.concatenate((inner * (u_t - DIFFUSION * u_xx), outer * off))[:, 0]

    def jacobian(self, params: Any) -> Any:
        """Return the gradient of each residual: cotangents pulled back for each point apart."""
        inner, outer = self.weights
        nothing, one = np.zeros((len(self.inside), 1)), np.full((len(self.inside), 1), inner)
        along_x, along_t = self.layers
        at_border = np.full((len(self.border), 1), outer)
        of_x, of_t, of_border = [
            fn.curvature.per_example_vjp(layer)(params, self.state, x, cotangents, fn.Eval()).params
            for layer, x, cotangents in (
                (along_x, self.inside, (nothing, nothing, -DIFFUSION * one)),
                (along_t, self.inside, (nothing, one)),
                (self.net, self.border, at_border),
            )
        ]
        return fn.tree.map(lambda x, t, u: np.concatenate((x + t, u)), of_x, of_t, of_border)


@frozen(eq=False)
class Squares:
    """What Levenberg-Marquardt asks for, and, for the others, the sum of squares and its gradient."""

    heat: Heat
    params: Any
    residuals: Any

    def jacobian(self) -> Any:
        return self.heat.jacobian(self.params)

    @property
    def loss(self) -> Any:
        return self.residuals @ self.residuals / 2

    @property
    def grads(self) -> Any:
        return fn.tree.map(lambda rows: np.tensordot(self.residuals, rows, 1), self.jacobian())


def main(seed: int = 0, steps: int = 70, adam: int = 0, lbfgs: int = 0, picture: str = "") -> float:
    key = fn.Key(seed)
    net = fn.mlp(*WIDTHS, 1, activation="tanh")
    start = net.init(key.child(0), (2,))
    heat = Heat(net, start.state, *points(key.child(1), 200, 60))

    def function(params: Any) -> Squares:
        return Squares(heat, params, heat.residuals(params))

    optimizer, params = fn.adam(5e-3), start.params
    state = optimizer.init(params)
    for _ in range(adam):
        updated = optimizer.update(params, function(params).grads, state)
        params, state = updated.params, updated.state
    if lbfgs:
        found = fn.minimize(function, params, fn.lbfgs(history_size=50), steps=lbfgs, tolerance=1e-9)
        how = f"{adam} steps of Adam and {found.steps} of L-BFGS"
    else:
        found = fn.minimize(function, params, fn.curvature.levenberg_marquardt(), steps=steps, tolerance=1e-9)
        how = f"{found.steps} steps of Levenberg-Marquardt"
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 81), np.linspace(0, 1, 81)), axis=-1).reshape(-1, 2)
    u, truth = fn.apply(net, found.params, start.state, grid), exact(grid[:, :1], grid[:, 1:])
    error = float(np.linalg.norm(u - truth) / np.linalg.norm(truth))
    print(f"relative L2 error {error:.2g} after {how} (loss {found.loss:.2g})")
    if picture:
        draw(picture, u.reshape(81, 81), truth.reshape(81, 81))
    return error


def draw(path: str, u: Any, truth: Any) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), constrained_layout=True)
    grid = np.linspace(0, 1, 81)
    for axis, (values, title) in zip(axes, [(u, "the network's solution"), (u - truth, "what it is off by")], strict=True):
        shown = axis.pcolormesh(grid, grid, values, cmap="viridis", rasterized=True)
        axis.set(title=title, xlabel="x", ylabel="t")
        figure.colorbar(shown, ax=axis)
    figure.savefig(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", default="", help="where to draw the solution")
    parser.add_argument("--lbfgs", type=int, default=0, help="steps of L-BFGS, after 200 of Adam, in place of the others")
    given = parser.parse_args()
    main(adam=200 if given.lbfgs else 0, lbfgs=given.lbfgs, picture=given.picture)
