"""Every activation at infinities, NaN, the largest and the smallest numbers: values and slopes are mpmath's, or the limits."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import funcnn as fn
from funcnn.certificate.cases.activations import ACTIVATIONS as CASES
from funcnn.layers.activations import elementwise
from funcnn.typing import Array
from tests.exact import DIGITS, assert_accurate
from tests.layers.test_stability import ACTIVATIONS, Exact

DTYPES = [np.float32, np.float64]
each_activation = pytest.mark.parametrize("case", ACTIVATIONS.values(), ids=ACTIVATIONS.keys())


def limit(function: Callable[[Any], Any], sign: int) -> float:
    """Return the limit of a function at an infinity."""
    with mpmath.workdps(DIGITS):
        near, far = (function(sign * mpmath.mpf(10) ** power) for power in (6, 7))
        return float(far) if abs(far - near) < 1e-5 else float(np.sign(float(far)) * np.inf)


def value_and_slope(case: Exact, x: Array) -> tuple[Array, Array]:
    layer = case.make()
    made = layer.forward((), (), x, fn.Train(fn.Key(0)))
    np.testing.assert_array_equal(fn.apply(layer, (), (), x), made.output)
    return made.output, layer.backward((), made.residuals, np.ones_like(x)).input


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("dtype", DTYPES)
@each_activation
def test_finite_extremes(case: Exact, dtype: type[np.floating]) -> None:
    info = np.finfo(dtype)
    sizes: list[Any] = [0, info.smallest_subnormal, 5 * info.smallest_subnormal, info.tiny, info.eps]
    sizes += [float(info.max) ** share for share in (0.1, 0.25, 0.33, 0.49, 0.51, 0.67, 0.9)] + [float(info.max) / 4]
    x = np.array([[*sizes, *[-size for size in sizes]]], dtype)
    y, slope = value_and_slope(case, x)
    assert_accurate(y, case.value, x)
    assert_accurate(slope, case.slope, x)


@pytest.mark.parametrize("dtype", DTYPES)
@each_activation
def test_limits(case: Exact, dtype: type[np.floating]) -> None:
    y, slope = value_and_slope(case, np.array([[-np.inf, np.inf]], dtype))
    # Float32, and infinity's neighbour for a limit.
    np.testing.assert_allclose(y[0], [limit(case.value, -1), limit(case.value, 1)], rtol=1e-6, atol=1e-6)
    # Float32, and infinity's neighbour for a limit.
    np.testing.assert_allclose(slope[0], [limit(case.slope, -1), limit(case.slope, 1)], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@each_activation
def test_nan_stays_where_it_is(case: Exact, dtype: type[np.floating]) -> None:
    x = np.array([[1.0, np.nan, -1.0]], dtype)
    for got, alone in zip(value_and_slope(case, x), value_and_slope(case, x[:, [0, 2]]), strict=True):
        np.testing.assert_array_equal(got[:, [0, 2]], alone)
    assert np.isnan(value_and_slope(case, x)[0][0, 1])


def test_no_elementwise_activation_is_left_out() -> None:
    made = {case.make().name.split("(")[0] for cases in CASES.values() for case in cases if _is_elementwise(case.make())}
    without_limits = {"exponential", "relu_squared", "sine", "snake"}
    assert made - without_limits <= {case.make().name.split("(")[0] for case in ACTIVATIONS.values()}


def _is_elementwise(layer: Any) -> bool:
    return getattr(layer.forward, "func", None) in (elementwise.forward_keeping_output, elementwise.forward_keeping_slope)
