"""The loss along a direction, and the parabola that a Hessian product gives: python docs/pictures/hvp.py."""

from pathlib import Path

import numpy as np
from drawing import BLUE, GREY, ORANGE, beside, panels, save, tidy

import funcnn as fn


def measure() -> dict[str, np.ndarray]:
    """Return distances, the loss there, its tangent and its parabola along the direction of most curvature."""
    data = fn.data.digits()
    x, labels = data.x[:300], data.y[:300]
    model, loss = fn.mlp(16, 10, activation="tanh"), fn.softmax_cross_entropy()
    start = model.init(fn.Key(0), (64,))
    made = fn.fit(
        model, loss, fn.adam(5e-3), x, labels, key=fn.Key(1), epochs=5, batch_size=100, params=start.params,
        state=start.state, progress=False,
    )  # fmt: skip
    at = made.params, start.state, x, labels
    product = fn.hvp(model, loss)
    top = fn.curvature.eigenpairs(lambda v: product(*at, v, fn.Eval()), made.params, 1, key=fn.Key(2))
    v = top.vectors[0]

    value = fn.loss_and_grad(model, loss)
    here = value(*at, fn.Eval())

    def inner(a, b):
        return float(fn.tree.ravel(a).vector @ fn.tree.ravel(b).vector)

    def along(t):
        moved = fn.tree.map(lambda p, d: p + t * d, made.params, v)
        return float(value(moved, *at[1:], fn.Eval()).loss)

    slope, bend = inner(here.grads, v), inner(v, product(*at, v, fn.Eval()))
    found = {}
    for name, t in (("whole", np.linspace(-2.5, 2.5, 61)), ("near", 10.0 ** np.arange(-4, 0.6, 0.25))):
        line = here.loss + slope * t
        found |= {
            name: t,
            f"{name} loss": np.array([along(one) for one in t]),
            f"{name} line": line,
            f"{name} parabola": line + bend * t**2 / 2,
        }
    return found


def main(path: str | Path) -> dict[str, np.ndarray]:
    found = measure()
    figure, (left, right) = panels(2)
    t = found["whole"]
    left.plot(t, found["whole loss"], color="black", label="loss")
    left.plot(t, found["whole line"], color=GREY, linestyle="--", label="by the gradient")
    left.plot(t, found["whole parabola"], color=BLUE, label="by the Hessian product too")
    left.plot(0, found["whole loss"][30], "o", color="black", markersize=4)
    left.set(xlabel="distance t along the top eigenvector", ylabel="loss", ylim=(1, 7))
    t = found["near"]
    for name, color, power in (("line", GREY, 2), ("parabola", BLUE, 3)):
        error = np.abs(found["near loss"] - found[f"near {name}"])
        right.loglog(t, error, "o", markersize=3, color=color, label=f"error of the {name}")
        right.loglog(t, error[8] * (t / t[8]) ** power, color=color, linewidth=0.8, label=f"slope {power}")
    right.axhline(np.finfo(float).eps, color=ORANGE, linewidth=0.8, linestyle=":", label="rounding")
    right.set(xlabel="distance t", ylabel="error", ylim=(1e-17, 1e2))
    tidy([left], legend="upper center")
    tidy([right], legend="upper left")
    save(figure, path)
    return found


if __name__ == "__main__":
    main(beside(__file__))
