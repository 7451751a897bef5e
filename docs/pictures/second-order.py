"""The loss of one small regression over the steps of four methods: python docs/pictures/second-order.py."""

from pathlib import Path

import numpy as np
from drawing import BLUE, GREEN, GREY, ORANGE, beside, panels, save, tidy

import funcnn as fn

SECOND_ORDER_STEPS, STEPS = 100, 1000


def measure() -> dict[str, np.ndarray]:
    """Return the loss after each step of each method, from the same start."""
    model = fn.mlp(8, 8, 1, activation="tanh")
    start = model.init(fn.Key(1), (1,))
    x = np.linspace(-2, 2, 40)[:, None]
    at = start.state, x, x * np.sin(3 * x), fn.Eval()
    half = fn.half_squared_error(reduction="sum")
    loss, both = fn.loss_and_grad(model, half), fn.curvature.loss_and_product(model, half)
    squares = fn.curvature.least_squares(model)
    found = {}
    for name, function, method, steps in (
        ("Levenberg-Marquardt", squares, fn.curvature.levenberg_marquardt(), SECOND_ORDER_STEPS),
        ("Newton-CG", both, fn.curvature.newton_cg(), SECOND_ORDER_STEPS),
        ("L-BFGS", loss, fn.lbfgs(), STEPS),
    ):
        params, state, losses = start.params, method.init(start.params), []
        for _ in range(steps):
            made = method.step(lambda p, of=function: of(p, *at), params, state)
            params, state = made.params, made.state
            losses.append(float(made.loss))
        found[name] = np.array(losses)
    adam = fn.adam(1e-2)
    params, state, losses = start.params, adam.init(start.params), []
    for _ in range(STEPS):
        made = loss(params, *at)
        losses.append(float(made.loss))
        updated = adam.update(params, made.grads, state)
        params, state = updated.params, updated.state
    losses = [*losses[1:], float(loss(params, *at).loss)]
    return found | {"Adam": np.array(losses)}


def main(path: str | Path) -> dict[str, np.ndarray]:
    found = measure()
    figure, (axes,) = panels()
    for (name, losses), color in zip(found.items(), (BLUE, GREEN, GREY, ORANGE), strict=True):
        steps = np.unique(np.geomspace(1, len(losses), 120).astype(int))
        axes.loglog(steps, losses[steps - 1], color=color, linewidth=1.4, label=name)
    axes.set(xlabel="steps", ylabel="loss", ylim=(1e-9, 1e2))
    tidy([axes])
    save(figure, path)
    return found


if __name__ == "__main__":
    main(beside(__file__))
