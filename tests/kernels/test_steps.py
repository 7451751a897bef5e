"""Functions along an imaginary step, and products of steps, beside the plain complex arithmetic that they stand for."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.kernels import step_products, steps
from funcnn.kernels.arrays import absolute, dot, maximum_into, negative_part, positive_part
from funcnn.kernels.correlation import correlate, correlate_input, correlate_weight
from funcnn.kernels.windows import Windows
from funcnn.layers.activations.elementwise import Slope, forward_keeping_slope

FAR = [0.0, 1e-300, 1e-9, 0.25, 0.5, 1.0, 2.0, 3.5, 8.0, 30.0, 500.0]
POINTS = np.array([*FAR, *[-x for x in FAR[1:]], *np.linspace(-6, 6, 60)])
SMOOTH: Any = {
    "tanh": fn.tanh(),
    "sigmoid": fn.sigmoid(),
    "softplus": fn.softplus(),
    "softplus(0.3)": fn.softplus(0.3),
    "silu": fn.silu(),
    "silu(2.5)": fn.silu(2.5),
    "quick_gelu": fn.quick_gelu(),
    "gelu": fn.gelu(),
    "gelu(approximate)": fn.gelu(approximate=True),
}


def of_layer(layer: Any) -> Any:
    """Return the functions that an elementwise layer is made of."""
    assert layer.forward.func is forward_keeping_slope
    return layer.forward.args


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_values_and_slopes_move_as_in_complex_arithmetic(name: str, dtype: Any) -> None:
    value, with_slope, curvature = of_layer(SMOOTH[name])
    assert curvature is not None
    step = 2.0**-70
    x = (POINTS + 1j * step * np.cos(POINTS)).astype(np.complex128).astype(dtype)
    made = SMOOTH[name].forward((), (), x, fn.Eval())
    assert isinstance(made.residuals, Slope)
    plain = x.astype(np.clongdouble)
    eps = float(np.finfo(dtype).eps)
    for found, wanted in zip((made.output, made.residuals.value), with_slope(plain), strict=True):
        assert found.dtype == dtype
        np.testing.assert_allclose(found.real, wanted.real, rtol=60 * eps, atol=60 * eps)
        np.testing.assert_allclose(found.imag / step, wanted.imag / step, rtol=60 * eps, atol=60 * eps)
    alone = SMOOTH[name].forward((), (), x, fn.Eval(residuals=False)).output
    np.testing.assert_allclose(alone.imag / step, value(plain).imag / step, rtol=60 * eps, atol=60 * eps)


@pytest.mark.parametrize("name", SMOOTH)
def test_numbers_that_are_no_step_take_complex_arithmetic(name: str) -> None:
    value, with_slope, _ = of_layer(SMOOTH[name])
    z = np.linspace(-1, 1, 7) + 0.4j
    np.testing.assert_array_equal(SMOOTH[name].forward((), (), z, fn.Eval(residuals=False)).output, value(z))
    np.testing.assert_array_equal(SMOOTH[name].forward((), (), z, fn.Eval()).residuals.value, with_slope(z)[1])


def test_what_is_a_step() -> None:
    tiny: Any = np.ones(3) + 1e-20j
    spoiled: Any = tiny.copy()
    far: Any = np.ones(3) + 1e-6j
    spoiled[1] = complex(1, np.nan)
    assert steps.is_step(tiny)
    assert steps.is_step(tiny[:0])
    assert not steps.is_step(spoiled)
    assert not steps.is_step(far)
    assert not steps.is_step(np.ones(3))


def test_sides_are_those_of_the_real_part() -> None:
    z: Any = np.array([2 + 1e-20j, 1e-20j, -1e-20j, -3 - 1e-20j, complex(np.inf, 0), complex(-np.inf, 0)])
    np.testing.assert_array_equal(absolute(z), [z[0], -z[1], -z[2], -z[3], z[4], z[4]])
    np.testing.assert_array_equal(positive_part(z), [z[0], 0, 0, 0, z[4], 0])
    np.testing.assert_array_equal(negative_part(z), [0, z[1], z[2], z[3], 0, z[5]])


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128, np.clongdouble])
@pytest.mark.parametrize("last", [1.0, np.inf, np.nan])
def test_choices_are_exact_and_a_tie_keeps_the_first(dtype: Any, last: float) -> None:
    """With finite numbers alone a choice is a product, with others it is not; the numbers are the same."""
    generator = np.random.default_rng(3)
    x, y = [(one[0] + 1j * one[1]).astype(dtype) for one in generator.normal(size=(2, 2, 40))]
    x[:2] = 1j, -1j
    y[2] = x[2] + np.asarray(1j, dtype)
    x[-1], y[-2] = last, last
    above = x.real > 0
    np.testing.assert_array_equal(positive_part(x), np.where(above, x, 0))
    np.testing.assert_array_equal(negative_part(x), np.where(above, 0, x))
    made = y.copy()
    maximum_into(made, x)
    np.testing.assert_array_equal(made, np.where(x.real > y.real, x, y))


def moved(generator: Any, shape: Any, along: int, dtype: Any) -> Any:
    drawn = generator.normal(size=shape) + 1e-14j * along * generator.normal(size=shape)
    return drawn.astype(dtype)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("along", [(1, 1), (1, 0), (0, 1), (0, 0)])
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
def test_large_products_in_every_order_of_memory(dtype: Any, along: Any, turned: Any) -> None:
    generator = np.random.default_rng(0)
    a, b = (
        moved(generator, (150, 150), one, dtype).T if way else moved(generator, (150, 150), one, dtype)
        for one, way in zip(along, turned, strict=True)
    )
    assert step_products._is_large(a, b)
    wide = [part.astype(np.longdouble) for part in (a.real, a.imag, b.real, b.imag)]
    made, eps = dot(a, b), 1000 * np.finfo(dtype).eps
    np.testing.assert_allclose(made.real, wide[0] @ wide[2], rtol=0, atol=eps)
    np.testing.assert_allclose(made.imag, wide[0] @ wide[3] + wide[1] @ wide[2], rtol=0, atol=1e-13 * eps)


@pytest.mark.parametrize("along", [(1, 1), (1, 0), (0, 1)])
@pytest.mark.parametrize("channels", [(1, 6, 1), (3, 4, 1), (4, 6, 2), (32, 32, 1)])
def test_correlations_of_steps_are_those_of_both_parts(along: Any, channels: Any) -> None:
    inputs, outputs, groups = channels
    size = 12 if inputs == 32 else 33
    generator, windows = np.random.default_rng(0), Windows((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
    x = moved(generator, (2, size, size, inputs), along[0], np.complex128)
    weight = moved(generator, (3, 3, inputs // groups, outputs), along[1], np.complex128)
    dy = moved(generator, (2, size, size, outputs), along[0], np.complex128)
    pairs: Any = (
        (partial(correlate, windows=windows, groups=groups), x, weight),
        (partial(correlate_input, windows=windows, in_shape=x.shape, groups=groups), dy, weight),
        (partial(correlate_weight, windows=windows, groups=groups), x, dy),
        (partial(correlate_weight, windows=windows, groups=groups), x, np.asfortranarray(dy)),
    )
    for function, a, b in pairs:
        made = function(a, b)
        real = [part.astype(np.longdouble) for part in (a.real, a.imag, b.real, b.imag)]
        bar = 1e-13 * max(1.0, float(np.abs(made.real).max()))
        np.testing.assert_allclose(made.real, function(real[0], real[2]), rtol=0, atol=bar)
        np.testing.assert_allclose(
            made.imag / 1e-14, (function(real[0], real[3]) + function(real[1], real[2])) / 1e-14, rtol=0, atol=3 * bar
        )


def test_correlations_of_other_complex_numbers_are_whole() -> None:
    generator, windows = np.random.default_rng(0), Windows((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
    shape = (2, 33, 33, 3)
    x: Any = generator.normal(size=shape) + 1j * generator.normal(size=shape)
    weight: Any = generator.normal(size=(3, 3, 3, 4)) + 1j * generator.normal(size=(3, 3, 3, 4))
    one = correlate(x.real.copy(), weight.real.copy(), windows) - correlate(x.imag.copy(), weight.imag.copy(), windows)
    np.testing.assert_allclose(correlate(x, weight, windows).real, one, rtol=0, atol=1e-12)
