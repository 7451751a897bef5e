"""Functions of complex numbers against many digits and against NumPy's own."""

from typing import Any

import mpmath
import numpy as np
import pytest

from funcnn.kernels.transcendental import complex_tanh_and_slope, exp, tanh


def tanh_with_slope(z: Any) -> Any:
    both = complex_tanh_and_slope(z)
    assert both is not None
    return both


NAMES: Any = {"exp": (exp, np.exp, mpmath.exp), "tanh": (tanh, np.tanh, mpmath.tanh)}
REAL = np.concatenate([[0.0, -0.0, 1e-300, 1e-8, 0.3, 1.0, 5.0, 18.0, 40.0, 300.0], np.linspace(-20, 20, 41)])


def points(name: str, angles: Any) -> Any:
    real = REAL if name == "tanh" else REAL[np.abs(REAL) < 50]
    return np.concatenate([real + 1j * b for b in angles])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("angles", [(0.0, 1e-30, -7e-31), (0.0, 2.0**-60), (0.2, -1.1, 0.75, 3.0, 1e-5)])
def test_both_parts_have_their_digits(name: str, angles: Any) -> None:
    function, _, exact = NAMES[name]
    z = points(name, angles)
    made = function(z)
    with mpmath.workdps(40):
        for one, found in zip(z, made, strict=True):
            true = exact(mpmath.mpc(one.real, one.imag))
            size = float(abs(true))
            assert abs(found.real - float(true.real)) <= 8e-16 * size
            bar = abs(float(true.imag)) if abs(one.imag) < 1e-9 else size
            assert abs(found.imag - float(true.imag)) <= 1e-15 * bar


@pytest.mark.parametrize("angles", [(0.0, 1e-30, -7e-31), (0.2, -1.1, 0.75, 3.0, 1e-5)])
def test_the_slope_of_tanh_has_its_digits(angles: Any) -> None:
    z = points("tanh", angles)
    z = z[np.abs(z.real) < 300]  # beyond, the slope is smaller than the smallest number with all digits
    value, slope = tanh_with_slope(z)
    np.testing.assert_allclose(value, tanh(z), rtol=1e-15)
    with mpmath.workdps(40):
        for one, found in zip(z, slope, strict=True):
            true = mpmath.sech(mpmath.mpc(one.real, one.imag)) ** 2
            size = float(abs(true))
            assert abs(found.real - float(true.real)) <= 2e-15 * size
            bar = abs(float(true.imag)) if abs(one.imag) < 1e-9 else size
            assert abs(found.imag - float(true.imag)) <= 2e-15 * bar
    assert complex_tanh_and_slope(z + 1j * np.inf) is None
    assert complex_tanh_and_slope(z.astype(np.clongdouble)) is None
    single = tanh_with_slope(z[np.abs(z.real) < 15].astype(np.complex64))
    for one, other in zip(single, tanh_with_slope(z[np.abs(z.real) < 15].astype(np.complex64).astype(complex)), strict=True):
        assert one.dtype == np.complex64
        np.testing.assert_allclose(one, other, rtol=2e-6)  # some roundings of single precision


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_array_is_taken(name: str) -> None:
    function, own, _ = NAMES[name]
    for dtype in (np.float32, np.float64, np.longdouble, np.complex64, np.complex128, np.clongdouble):
        for angle in (0.0, 1e-20, 0.7):
            x = np.linspace(-2, 2, 12).reshape(3, 4) + (1j * angle if np.issubdtype(dtype, np.complexfloating) else 0)
            x = x.astype(dtype)
            made = function(x)
            assert made.dtype == dtype
            np.testing.assert_allclose(made, own(x), rtol=1e-5 if dtype in (np.float32, np.complex64) else 1e-14)
            strided = np.asfortranarray(np.concatenate([x, x]))[::2]
            np.testing.assert_array_equal(function(strided), function(strided.copy()))
            before = x.copy()
            place = x.copy()
            assert function(place, out=place) is place
            np.testing.assert_array_equal(place, made)
            np.testing.assert_array_equal(x, before)
            assert function(x[:0]).shape == (0, 4)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_finite_is_numpys(name: str) -> None:
    function, own, _ = NAMES[name]
    z = np.array([np.inf, -np.inf, np.nan, 1000.0, -1000.0]) + 0j
    np.testing.assert_array_equal(function(z).real, own(z).real)
    one = np.array([0.5 + 1j * np.nan, 0.5 + 1e-30j])
    assert np.isnan(function(one)[0])
    assert function(one)[1] == pytest.approx(own(one)[1], rel=1e-14, abs=0)
