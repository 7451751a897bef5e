"""Every layer at the ends of the range of numbers: against itself in long double, whose range is wider, and beside NaN."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS, LayerCase
from funcnn.typing import Array

SIZES: dict[Any, list[float]] = {
    np.float32: [1e-40, 1e-25, 1e-10, 1e10, 1e18, 1e20, 1e25, 1e37],
    np.float64: [1e-310, 1e-200, 1e-100, 1e80, 1e153, 1e160, 1e200, 1e306],
}


ON_CIRCLES = ("laplacian", "directional_derivatives")
"""Their rounding is that of the values on a circle, which do not become small with x."""


PERIODIC = ("fourier_features", "snake")
"""Their products with a frequency are rounded, and at large x that is more than a period."""


def takes_numbers(case: LayerCase) -> bool:
    x = case.x()
    return isinstance(x, np.ndarray) and x.dtype.kind == "f" and case.surrogate is None and case.method != "screen"


def cases(independent: bool = False) -> list[Any]:
    """Return the cases of layers from an array of numbers."""
    return [
        pytest.param(name, case, id=f"{name} {case.label}".strip())
        for name, some in LAYERS.items()
        for case in some
        if name not in (*ON_CIRCLES, *PERIODIC) and takes_numbers(case) and (case.independent or not independent)
    ]


def numbers(value: Any) -> list[Array]:
    """Return the floating leaves; a cotangent of integers is None."""
    found: list[Array] = []

    def note(leaf: Any) -> Any:
        found.extend([leaf] if leaf.dtype.kind == "f" else [])
        return leaf

    tree.map_cotangents(note, value)
    return found


def cotangent(output: Any) -> Any:
    if isinstance(output, fn.Pooled):
        return fn.Pooled(cotangent(output.values), None)  # type: ignore[arg-type]  # indices have no cotangent
    if isinstance(output, tuple):
        return tuple(cotangent(one) for one in output)
    return np.random.default_rng(0).normal(size=output.shape).astype(output.dtype)


def assert_close(got: Any, wide: Any, tolerance: float) -> None:
    """Raise unless leaves agree wherever the wide ones fit the narrower type, up to a share of the largest that does."""
    pairs = [
        (one, other, np.isfinite(other) & (abs(other) < np.finfo(one.dtype).max / 4))
        for one, other in zip(numbers(got), numbers(wide), strict=True)
    ]
    sizes = [abs(other[fits]).max(initial=0) for _, other, fits in pairs]
    for one, other, fits in pairs:
        allowed = tolerance * max(max(sizes), np.finfo(one.dtype).tiny)
        np.testing.assert_allclose(one[fits].astype(np.longdouble), other[fits], rtol=0, atol=allowed)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", SIZES)
@pytest.mark.parametrize(("name", "case"), cases())
def test_sizes_from_the_least_to_the_largest(name: str, case: LayerCase, dtype: Any) -> None:
    layer = case.make()
    start = layer.init(fn.Key(0), case.shape)
    params, state = (tree.astype(tree.astype(part, np.float32), dtype) for part in (start.params, start.state))
    wide_params, wide_state = (tree.astype(part, np.longdouble) for part in (params, state))
    for size in SIZES[dtype]:
        x = (case.x() * size).astype(dtype)
        made = layer.forward(params, state, x, fn.Train(fn.Key(1)))
        wide = layer.forward(wide_params, wide_state, x.astype(np.longdouble), fn.Train(fn.Key(1)))
        assert_close(made.output, wide.output, 1e-3)
        dy = cotangent(made.output)
        back = layer.backward(params, made.residuals, dy)
        wide_dy = tree.map_cotangents(lambda leaf: leaf.astype(np.longdouble), dy)
        wide_back = layer.backward(wide_params, wide.residuals, wide_dy)
        assert_close((back.params, back.input), (wide_back.params, wide_back.input), 1e-2)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "case"), cases(independent=True))
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_example_that_is_not_finite_spoils_no_other(name: str, case: LayerCase, bad: float) -> None:
    layer = case.make()
    start = layer.init(fn.Key(0), case.shape)
    x = case.x(3)
    spoiled = x.copy()
    spoiled[1].flat[0] = bad
    for mode in (fn.Train(fn.Key(1)), fn.Eval()):
        made, other = (layer.forward(start.params, start.state, one, mode) for one in (x, spoiled))
        dy = cotangent(made.output)
        pulled = [layer.backward(start.params, one.residuals, dy).input for one in (made, other)]
        for whole, part in zip(numbers((made.output, pulled[0])), numbers((other.output, pulled[1])), strict=True):
            np.testing.assert_allclose(part[[0, 2]], whole[[0, 2]], rtol=1e-9, atol=1e-12)
