"""The error of a tangent by differences and by the complex step, over the step: python docs/pictures/jvp.py."""

from pathlib import Path

import numpy as np
from drawing import BLUE, GREEN, ORANGE, beside, panels, save, tidy

import funcnn as fn


def measure() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return steps, and the largest error of the tangent for each, as a part of the largest entry."""
    model = fn.dense(32) >> fn.tanh() >> fn.dense(3)
    start = model.init(fn.Key(0), (5,))
    x, dx = fn.Key(1).generator().normal(size=(2, 4, 5))

    # the chain rule by hand, in long double
    first, second = start.params[0], start.params[2]
    wide = [np.asarray(a, np.longdouble) for a in (first.weight, first.bias, second.weight, x, dx)]
    slope = 1 - np.tanh(wide[3] @ wide[0] + wide[1]) ** 2
    exact = (slope * (wide[4] @ wide[0])) @ wide[2]

    def f(step: complex) -> np.ndarray:
        return fn.apply(model, start.params, start.state, x + step * dx)

    def error(tangent: np.ndarray) -> float:
        return float(np.abs(tangent - exact).max() / np.abs(exact).max())

    steps = 10.0 ** np.arange(-20, 0.1, 0.5)
    ways = {
        "(f(x + h v) - f(x)) / h": lambda h: (f(h) - f(0)) / h,
        "(f(x + h v) - f(x - h v)) / 2h": lambda h: (f(h) - f(-h)) / (2 * h),
        "Im f(x + i h v) / h": lambda h: f(1j * h).imag / h,
    }
    return steps, {name: np.array([error(way(h)) for h in steps]) for name, way in ways.items()}


def main(path: str | Path) -> dict[str, np.ndarray]:
    steps, errors = measure()
    figure, (axes,) = panels()
    for (name, error), color, mark in zip(errors.items(), (ORANGE, GREEN, BLUE), "svo", strict=True):
        axes.loglog(steps, error, marker=mark, markersize=3, linewidth=1.2, color=color, label=name)
    axes.axhline(np.finfo(float).eps, color="black", linewidth=0.8, linestyle=":", label="rounding of a float64")
    axes.set(xlabel="step h", ylabel="relative error of the tangent", ylim=(1e-17, 1e1))
    axes.set_yticks(10.0 ** np.arange(-16, 1, 4))
    tidy([axes])
    save(figure, path)
    return errors


if __name__ == "__main__":
    main(beside(__file__))
