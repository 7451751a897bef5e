"""The error of two adjoints of an adaptive integration, over its tolerance: python docs/pictures/implicit-layers.py."""

from pathlib import Path

import numpy as np
from drawing import BLUE, GREY, ORANGE, beside, panels, save, tidy

import funcnn as fn

TOLERANCES = 10.0 ** -np.arange(2, 12.1, 1)


def measure() -> dict[str, np.ndarray]:
    """Return errors for each tolerance: of the solution, and of <g, v> against the tangent of the same numbers."""
    inner = fn.dense(8) >> fn.tanh() >> fn.dense(2)
    generator = fn.Key(1).generator()
    x, v, cotangent = generator.normal(size=(3, 1, 2))
    exact_model = fn.dormand_prince(inner, 2.0, rtol=1e-13, atol=1e-13)
    start = exact_model.init(fn.Key(0), (2,))
    exact = fn.apply(exact_model, start.params, start.state, x)
    names = "the solution", "continuous adjoint", "discrete adjoint"
    found: dict[str, list[float]] = {name: [] for name in names}
    for tolerance in TOLERANCES:
        for adjoint in ("continuous", "discrete"):
            model = fn.dormand_prince(inner, 2.0, rtol=tolerance, atol=tolerance, adjoint=adjoint)
            there = fn.vjp(model)(start.params, start.state, x, cotangent, fn.Eval())
            tangent = fn.jvp(model)(start.params, start.state, x, None, v, fn.Eval())
            along = float((tangent.tangent * cotangent).sum())
            found[f"{adjoint} adjoint"].append(abs(float((there.input * v).sum()) / along - 1))
        found["the solution"].append(float(np.abs(tangent.output - exact).max()))
    return {name: np.array(errors) for name, errors in found.items()}


def main(path: str | Path) -> dict[str, np.ndarray]:
    found = measure()
    figure, (axes,) = panels()
    for (name, errors), color, mark in zip(found.items(), (GREY, ORANGE, BLUE), "vso", strict=True):
        axes.loglog(TOLERANCES, np.maximum(errors, 1e-17), marker=mark, markersize=4, color=color, linewidth=1.2, label=name)
    axes.axhline(np.finfo(float).eps, color="black", linewidth=0.8, linestyle=":", label="rounding")
    axes.set(xlabel="tolerance of the steps", ylabel="error", ylim=(1e-17, 1))
    axes.invert_xaxis()
    axes.set_yticks(10.0 ** np.arange(-16, 1, 4))
    tidy([axes])
    save(figure, path)
    return found


if __name__ == "__main__":
    main(beside(__file__))
