"""The error function and the normal distribution, held against mpmath in every precision."""

from collections.abc import Callable
from typing import Any

import mpmath as untyped_mpmath
import numpy as np
import pytest
from attrs import evolve

from funcnn.kernels.erf import _coefficients, _half_erfc_by_polynomial, _half_erfc_from, _rule, erf, erfc, normal
from funcnn.typing import Array
from tests.exact import DIGITS, assert_accurate, to_mp, ulps

mpmath: Any = untyped_mpmath  # Any: its results have no types that help

DTYPES = [np.float32, np.float64, np.longdouble]
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def points(dtype: type[np.floating]) -> Array:
    generator = np.random.default_rng(0)
    special = [0, 1, np.nextafter(1, 0), 1e4, 1e-30, 4.5, 6.3, 9.0, 12.0, 26.0]
    x = np.concatenate([special, generator.uniform(0, 7, 300), 10.0 ** generator.uniform(-8, 1.2, 200)])
    return np.concatenate([x, -x]).astype(dtype)


@each_dtype
def test_erf_is_accurate_to_three_units_in_the_last_place(dtype: type[np.floating]) -> None:
    x = points(dtype)
    with mpmath.workdps(DIGITS):
        errors = ulps(erf(x), [mpmath.erf(to_mp(one)) for one in x])
    assert errors.max() <= 3


def cdf(x: Array) -> Array:
    return normal(x)[0]


def pdf(x: Array) -> Array:
    return normal(x)[1]


@each_dtype
@pytest.mark.parametrize(
    ("function", "exact"),
    [(erfc, mpmath.erfc), (cdf, lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2), (pdf, mpmath.npdf)],
)
def test_tails_are_as_accurate_as_the_argument_allows(
    function: Callable[[Array], Array], exact: Callable[[Any], Any], dtype: type[np.floating]
) -> None:
    x = points(dtype)
    assert_accurate(function(x), exact, x)


@each_dtype
def test_infinities_nan_and_the_shape_pass_through(dtype: type[np.floating]) -> None:
    x = np.array([[-np.inf, np.inf, np.nan], [-1e4, 1e4, 0]], dtype)
    np.testing.assert_array_equal(erf(x), [[-1, 1, np.nan], [-1, 1, 0]])
    np.testing.assert_array_equal(erfc(x), [[2, 0, np.nan], [2, 0, 1]])
    np.testing.assert_array_equal(cdf(x), [[0, 1, np.nan], [0, 1, 0.5]])
    assert (pdf(x)[:, :2] == 0).all()
    for function in (erf, erfc, cdf, pdf):
        assert function(x).dtype == dtype
        assert function(np.zeros((0, 3), dtype)).shape == (0, 3)
        assert function(np.asfortranarray(x)).shape == (2, 3)


def test_the_polynomial_for_float32_is_the_formula_of_every_precision() -> None:
    z = np.linspace(0, 12.8, 50_001)
    gauss = np.exp(-z * z)
    formula = _half_erfc_from(z, z * z, gauss, _rule(z.dtype))
    polynomial = _half_erfc_by_polynomial(z, gauss, evolve(_rule(z.dtype), polynomial=_coefficients(np.float64)))
    np.testing.assert_allclose(polynomial, formula, rtol=7e-9)
    single = z.astype(np.float32)
    by_polynomial = _half_erfc_by_polynomial(single, np.ones_like(single), _rule(single.dtype)).astype(np.float64)
    np.testing.assert_allclose(by_polynomial, formula / gauss, rtol=3.6e-7)  # three units in the last place


def test_many_numbers_are_the_same_as_few() -> None:
    x = np.random.default_rng(1).normal(scale=3, size=20_001)
    np.testing.assert_array_max_ulp(cdf(x), np.concatenate([cdf(one) for one in np.array_split(x, 7)]), maxulp=1)


@pytest.mark.parametrize("z", [0.3 + 0.1j, 1.5 + 0.2j, -3 + 0.05j, -1.2 - 0.3j, 6.3 + 0.1j, -0.5 - 0.2j, 1e-25 + 1e-3j])
def test_complex_numbers_near_the_real_axis(z: complex) -> None:
    x = np.array([z])
    with mpmath.workdps(DIGITS):
        for function, exact in (
            (erf, mpmath.erf(z)),
            (erfc, mpmath.erfc(z)),
            (cdf, mpmath.erfc(-mpmath.mpc(z) / mpmath.sqrt(2)) / 2),
            (pdf, mpmath.npdf(mpmath.mpc(z))),
        ):
            error = abs(mpmath.mpc(complex(function(x)[0])) - exact) / abs(exact)
            assert error < 4e-16 * (4 + 2 * abs(z) ** 2)


@pytest.mark.parametrize("step", [1e-30, -1e-30])
def test_complex_step_is_the_derivative(step: float) -> None:
    x = points(np.float64)
    moved: Any = x + 1j * step
    derivative = cdf(moved).imag / step
    np.testing.assert_allclose(derivative, pdf(x), rtol=1e-13, atol=1e-290)
