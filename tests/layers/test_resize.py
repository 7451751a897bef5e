"""Resizing and sampling against loops over every point, by the formulas of each kernel."""

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.typing import Array


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def hat(u: float) -> float:
    return max(0.0, 1 - abs(u))


def keys(u: float, a: float) -> float:
    u = abs(u)
    if u <= 1:
        return (a + 2) * u**3 - (a + 3) * u**2 + 1
    return a * u**3 - 5 * a * u**2 + 8 * a * u - 4 * a if u < 2 else 0.0


def weights(p: int, length: int, count: int, step: float, mode: str, corners: bool, antialias: bool) -> list[float]:
    """Return how much of each point of the input there is in a point of the output."""
    made = [0.0] * length
    if mode in ("nearest", "nearest_exact"):
        made[min(math.floor((p + (mode == "nearest_exact") * 0.5) * step), length - 1)] = 1.0
    elif mode == "area":
        first, last = p * length // count, math.ceil((p + 1) * length / count)
        for q in range(first, last):
            made[q] = 1 / (last - first)
    else:
        place = p * (length - 1) / max(1, count - 1) if corners else (p + 0.5) * step - 0.5
        width = max(1.0, step) if antialias else 1.0
        for q in range(-3 * length - 9, 4 * length + 9):
            u = (q - place) / width
            one = hat(u) if mode == "linear" else keys(u, -0.5 if antialias else -0.75)
            if not antialias or 0 <= q < length:
                made[min(max(q, 0), length - 1)] += one
        total = math.fsum(made)
        made = [one / total for one in made]
    return made


MODES = [
    *[(mode, False, False) for mode in ("nearest", "nearest_exact", "area", "linear", "cubic")],
    *[(mode, *flags) for mode in ("linear", "cubic") for flags in ((True, False), (False, True))],
]


@pytest.mark.parametrize(("mode", "corners", "antialias"), MODES)
def test_resized_lines_are_sums_with_the_weights_of_the_kernel(mode: Any, corners: bool, antialias: bool) -> None:
    options: Any = {"mode": mode, "align_corners": corners, "antialias": antialias}
    for length, count in itertools.product((1, 4, 7), (1, 3, 4, 10)):
        x = numbers(2, length, 2)
        table = np.array([weights(p, length, count, length / count, mode, corners, antialias) for p in range(count)])
        layer = fn.resize(count, **options)
        made = layer.forward((), (), x, fn.Eval())
        np.testing.assert_allclose(made.output, np.einsum("pq,nqc->npc", table, x), rtol=1e-11, atol=1e-12)
        dy = numbers(2, count, 2, seed=1)
        dx = layer.backward((), made.residuals, dy).input
        np.testing.assert_allclose(dx, np.einsum("pq,npc->nqc", table, dy), rtol=1e-11, atol=1e-12)
    for length, factor in itertools.product((4, 7), (0.6, 1.0, 1.5, 2.3)):
        count = math.floor(length * factor)
        x = numbers(2, length, 2)
        table = np.array([weights(p, length, count, 1 / factor, mode, corners, antialias) for p in range(count)])
        y = fn.apply(fn.resize_by(factor, **options), (), (), x)
        np.testing.assert_allclose(y, np.einsum("pq,nqc->npc", table, x), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("factor", [7 / 3, 5 / 3, 0.6, 1.1])
def test_weights_are_as_precise_as_the_numbers(factor: float) -> None:
    x, eps = np.array([[[1.0], [2.0], [4.0]]], np.longdouble), float(np.finfo(np.longdouble).eps)
    exactly, count = 1 / Fraction(factor).limit_denominator(100), int(3 * factor)
    for layer, step in ((fn.resize(count), Fraction(3, count)), (fn.resize_by(factor), exactly)):
        y = fn.apply(layer, (), (), x)[0, :, 0]
        for p in range(count):
            place = min(max((p + Fraction(1, 2)) * step - Fraction(1, 2), Fraction(0)), Fraction(2))
            exact = 1 + place if place <= 1 else 2 * place
            np.testing.assert_allclose(y[p], np.longdouble(exact.numerator) / exact.denominator, rtol=4 * eps)
    third = fn.apply(fn.resize(1, mode="area"), (), (), x)
    np.testing.assert_allclose(third.ravel(), np.longdouble(7) / 3, rtol=4 * eps)


@pytest.mark.parametrize("layer", [lambda mode: fn.resize(98, mode=mode), lambda mode: fn.resize_by(49.0, mode=mode)])
def test_nearest_points_are_not_lost_to_rounding(layer: Any) -> None:
    x = np.array([[[1.0], [2.0]]])
    for mode in ("nearest", "nearest_exact"):  # 49 (1 / 49) is less than 1
        np.testing.assert_array_equal(fn.apply(layer(mode), (), (), x).ravel(), np.repeat([1.0, 2.0], 49))
    y = fn.apply(fn.resize_by(5 / 3, mode="nearest"), (), (), numbers(1, 30, 1))
    np.testing.assert_array_equal(y.ravel(), numbers(30)[np.arange(50) * 3 // 5])


def test_axes_are_resized_one_after_the_other() -> None:
    x = numbers(2, 4, 5, 3)
    both = fn.apply(fn.resize((3, 8), mode="cubic"), (), (), x)
    rows = fn.apply(fn.resize((3, 5), mode="cubic"), (), (), x)
    np.testing.assert_allclose(both, fn.apply(fn.resize((3, 8), mode="cubic"), (), (), rows), rtol=1e-11, atol=1e-12)
    assert fn.resize_by((0.5, 1.7)).init(fn.Key(0), (4, 5, 3)).out_shape == (2, 8, 3)


def test_whole_factors_are_those_of_upsample() -> None:
    x = numbers(2, 4, 5, 3)
    for options in ({"mode": "nearest"}, {"mode": "linear"}, {"mode": "linear", "align_corners": True}):
        given: Any = options
        y = fn.apply(fn.upsample((2, 3), **given), (), (), x)
        np.testing.assert_allclose(fn.apply(fn.resize((8, 15), **given), (), (), x), y, rtol=1e-12, atol=1e-13)


def test_what_is_not_a_number_stays_where_it_counts() -> None:
    x = np.array([[[1.0], [np.nan], [3.0], [4.0], [np.inf]]])
    layer = fn.resize(9, align_corners=True)
    made = layer.forward((), (), x, fn.Eval())
    y = made.output.ravel()
    assert np.isnan(y[1:4]).all()
    np.testing.assert_array_equal(y[[0, 4, 5, 6, 7, 8]], [1, 3, 3.5, 4, np.inf, np.inf])
    dy = np.array([np.nan, 1, 1, 1, 1, 1, 1, 1, np.inf])
    dx = layer.backward((), made.residuals, dy.reshape(1, 9, 1)).input.ravel()
    np.testing.assert_array_equal(dx, [np.nan, 2, 2, 2, np.inf])


def sampled(image: Array, place: list[float], padding: str, nearest: bool) -> Array:
    """Return an image (*space, c) at a place in points, by its definition."""
    space = image.shape[:-1]
    if padding == "border":
        place = [min(max(one, 0.0), length - 1) for one, length in zip(place, space, strict=True)]
    total = np.zeros(image.shape[-1])
    for q in np.ndindex(*space):
        if nearest:
            weight = math.prod(float(round(one) == point) for one, point in zip(place, q, strict=True))
        else:
            weight = math.prod(hat(point - one) for one, point in zip(place, q, strict=True))
        total += weight * image[q]
    return total


def mirrored(place: float, low: float, high: float) -> float:
    """Return a place that is mirrored at the borders until it lies between them."""
    while not low <= place <= high:
        place = 2 * low - place if place < low else 2 * high - place
    return place


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflect"])
@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("space", [(5,), (3, 4), (2, 3, 2)])
def test_grid_sample_is_its_definition(space: tuple[int, ...], mode: Any, padding: Any, corners: bool) -> None:
    image, grid = numbers(2, *space, 2), 1.4 * numbers(2, 3, len(space), seed=1)
    layer = fn.grid_sample(mode=mode, padding=padding, align_corners=corners)
    assert layer.init(fn.Key(0), ((*space, 2), (3, len(space)))).out_shape == (3, 2)
    y = fn.apply(layer, (), (), (image, grid))
    for n, m in np.ndindex(2, 3):
        place = []
        for g, length in zip(grid[n, m, ::-1], space, strict=True):
            one = (g + 1) / 2 * (length - 1) if corners else ((g + 1) * length - 1) / 2
            if padding == "reflect":
                one = mirrored(one, *((0, length - 1) if corners else (-0.5, length - 0.5)))
                one = min(max(one, 0.0), length - 1)
            place.append(float(one))
        np.testing.assert_allclose(y[n, m], sampled(image[n], place, padding, mode == "nearest"), rtol=1e-11, atol=1e-12)


def test_places_far_away_and_points_of_weight_0_do_not_count() -> None:
    image, grid = np.array([[[1.0], [np.nan], [3.0]]]), np.array([[[-1.0], [1.0], [1e30], [-1e30]]])
    for padding, far in (("zeros", [0, 0]), ("border", [3, 1])):
        layer = fn.grid_sample(padding=padding, align_corners=True)  # type: ignore[arg-type]  # a word of a loop
        np.testing.assert_array_equal(fn.apply(layer, (), (), (image, grid)).ravel(), [1, 3, *far])


def test_the_grid_of_the_identity_gives_the_image() -> None:
    image, same = numbers(1, 4, 5, 2), np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    for corners in (False, True):
        grid = fn.apply(fn.affine_grid((4, 5), align_corners=corners), (), (), same)
        y = fn.apply(fn.grid_sample(align_corners=corners), (), (), (image, grid))
        np.testing.assert_allclose(y, image, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("corners", [False, True])
def test_affine_grid_is_its_definition(corners: bool) -> None:
    theta = numbers(2, 2, 3)
    grid = fn.apply(fn.affine_grid((3, 1), align_corners=corners), (), (), theta)
    for n, i in np.ndindex(2, 3):
        y = (-1 + i) if corners else (2 * i + 1) / 3 - 1
        np.testing.assert_allclose(grid[n, i, 0], theta[n] @ [0.0, y, 1.0], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("corners", [False, True])
def test_affine_grid_is_as_precise_as_its_matrices(corners: bool) -> None:
    same = np.array([[[1.0, 0.0]]], np.longdouble)
    grid = fn.apply(fn.affine_grid((7,), align_corners=corners), (), (), same).ravel()
    exact = (2 * np.arange(7, dtype=np.longdouble) - 6) / (6 if corners else 7)
    np.testing.assert_allclose(grid, exact, rtol=2 * float(np.finfo(np.longdouble).eps), atol=0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fn.resize(0), ValueError, "size is 0"),
        (lambda: fn.resize(4, mode="bilinear"), ValueError, "mode"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: fn.resize(4, mode="nearest", align_corners=True), ValueError, "align_corners is True, expected False"),
        (lambda: fn.resize(4, align_corners=True, antialias=True), ValueError, "align_corners is True, expected False"),
        (lambda: fn.resize(4, mode="area", antialias=True), ValueError, "antialias is True, expected False"),
        (lambda: fn.resize((4, 4)).init(fn.Key(0), (4, 3)), ValueError, "expected 2 spatial axes"),
        (lambda: fn.resize_by(0.0), ValueError, "factor is 0"),
        (lambda: fn.resize_by(()), ValueError, "factor is"),
        (lambda: fn.resize_by(0.1).init(fn.Key(0), (4, 3)), ValueError, "leaves none"),
        (lambda: fn.affine_grid(3), TypeError, "size is 3, expected one integer for each"),
        (lambda: fn.affine_grid((3, 3)).init(fn.Key(0), (2, 2)), ValueError, r"expected \(2, 3\)"),
        (lambda: fn.grid_sample().init(fn.Key(0), ((3, 3, 1), (4, 3))), ValueError, "a coordinate for each axis"),
        (
            lambda: fn.apply(fn.grid_sample(), (), (), (np.zeros((1, 3, 1)), np.full((1, 2, 1), np.nan))),
            ValueError,
            "not finite",
        ),
        (lambda: fn.apply(fn.grid_sample(), (), (), (np.zeros((1, 3, 1)), np.zeros((2, 2, 1)))), ValueError, "axis 0"),
    ],
)
def test_wrong_settings_and_inputs_are_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
