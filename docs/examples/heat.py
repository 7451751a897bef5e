"""A physics-informed network (Raissi, Perdikaris & Karniadakis 2019): the heat equation solved without a single solution shown.

    python docs/examples/heat.py --picture heat.svg

u_t = u_xx / 10 for x and t from 0 to 1, with u = 0 at both ends and u = sin(pi x) at the start.  The network is
trained so that its own derivatives obey the equation at points inside and its values those of the border: Adam first, then
L-BFGS.  The exact solution, a wave that dies out, is used for the comparison alone.
"""

import argparse
from functools import partial
from typing import Any

import numpy as np

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


def loss_and_grads(net: Any, state: Any, inside: Any, border: Any, params: Any) -> fn.LossAndGrad[Any, Any, Any]:
    """Return the mean squares of the equation's residual and of the border's, and their gradient."""
    along_x = fn.directional_derivatives(net, [(1.0, 0.0)], order=2, radius=2.0**-7)
    along_t = fn.directional_derivatives(net, [(0.0, 1.0)], order=1)
    in_x, in_t = [layer.forward(params, state, inside, fn.Eval()) for layer in (along_x, along_t)]
    at_border = net.forward(params, state, border, fn.Eval())
    (u, _, u_xx), (_, u_t) = in_x.output, in_t.output
    residual, off = u_t - DIFFUSION * u_xx, at_border.output - exact(border[:, :1], border[:, 1:])
    loss = np.mean(residual**2) + WEIGHT * np.mean(off**2)
    dresidual, nothing = 2 * residual / len(residual), np.zeros_like(u)
    grads = [
        along_x.backward(params, in_x.residuals, (nothing, nothing, -DIFFUSION * dresidual)).params,
        along_t.backward(params, in_t.residuals, (nothing, dresidual)).params,
        net.backward(params, at_border.residuals, 2 * WEIGHT * off / len(off)).params,
    ]
    return fn.LossAndGrad(loss, fn.tree.map(np.add, fn.tree.map(np.add, *grads[:2]), grads[2]), state, u)


def step(optimizer: Any, function: Any, params: Any, state: Any) -> tuple[Any, Any]:
    updated = optimizer.update(params, function(params).grads, state)
    return updated.params, updated.state


def main(seed: int = 0, adam: int = 200, lbfgs: int = 600, picture: str = "") -> float:
    key = fn.Key(seed)
    net = fn.mlp(*WIDTHS, 1, activation="tanh")
    start = net.init(key.child(0), (2,))
    inside, border = points(key.child(1), 200, 60)
    function = partial(loss_and_grads, net, start.state, inside, border)
    optimizer = fn.adam(5e-3)
    params, state = start.params, optimizer.init(start.params)
    for _ in range(adam):
        params, state = step(optimizer, function, params, state)
    found = fn.minimize(function, params, fn.lbfgs(history_size=50), steps=lbfgs, tolerance=1e-9)
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 81), np.linspace(0, 1, 81)), axis=-1).reshape(-1, 2)
    u, truth = fn.apply(net, found.params, start.state, grid), exact(grid[:, :1], grid[:, 1:])
    error = float(np.linalg.norm(u - truth) / np.linalg.norm(truth))
    print(f"relative L2 error {error:.2g} after {adam} steps of Adam and {found.steps} of L-BFGS (loss {found.loss:.2g})")
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
    main(picture=parser.parse_args().picture)
