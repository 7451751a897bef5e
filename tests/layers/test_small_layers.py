"""Small layers of published networks, against loops and NumPy's own words for them."""

import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.typing import Array

TRAIN = fn.Train(fn.Key(0))


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def output(layer: Any, x: Any) -> Any:
    return fn.apply(layer, (), (), x)


# ------------------------------------------------------------------------------------------------------- lengths and angles


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("scale", [1.0, 1e200, 1e-200])
def test_unit_norm_divides_by_the_length(axis: int, scale: float) -> None:
    x = numbers(3, 4, 5)
    y = output(fn.unit_norm(axis, eps=1e-300), x * scale)
    np.testing.assert_allclose(y, x / np.sqrt((x * x).sum(axis, keepdims=True)), rtol=1e-12)


def test_unit_norm_of_short_rows_divides_by_eps() -> None:
    x = np.array([[0.0, 0.0], [0.3, 0.4], [3.0, 4.0]])
    layer = fn.unit_norm(eps=2.0)
    made = layer.forward((), (), x, TRAIN)
    np.testing.assert_allclose(made.output, np.array([[0, 0], [0.15, 0.2], [0.6, 0.8]]), rtol=1e-12)
    dx = layer.backward((), made.residuals, np.ones_like(x)).input
    np.testing.assert_allclose(dx[:2], 0.5, rtol=1e-12)
    np.testing.assert_allclose(dx[2], (1 - made.output[2] * 1.4) / 5, rtol=1e-12)


def test_cosine_and_distance_are_their_formulas() -> None:
    x, z = numbers(3, 2, 4), numbers(3, 2, 4, seed=1)
    cosine, distances = output(fn.cosine_similarity(), (x, z)), {p: output(fn.pairwise_distance(p), (x, z)) for p in (1, 2, 3.5)}
    assert cosine.shape == (3, 2, 1)
    for n, t in np.ndindex(3, 2):
        a, b = x[n, t].tolist(), z[n, t].tolist()
        product = math.fsum(one * other for one, other in zip(a, b, strict=True))
        assert math.isclose(cosine[n, t, 0], product / math.hypot(*a) / math.hypot(*b), rel_tol=1e-12)
        for p, found in distances.items():
            total = math.fsum(abs(one - other) ** p for one, other in zip(a, b, strict=True))
            assert math.isclose(found[n, t, 0], total ** (1 / p), rel_tol=1e-12)


def test_the_distance_of_equal_inputs_has_the_gradient_0() -> None:
    x = numbers(2, 3)
    layer = fn.pairwise_distance()
    made = layer.forward((), (), (x, x), TRAIN)
    assert not made.output.any()
    assert not any(one.any() for one in layer.backward((), made.residuals, np.ones((2, 1))).input)


# ----------------------------------------------------------------------------------------------- channels and conditions


def test_distances_that_are_not_finite_are_those_of_the_formula() -> None:
    x = np.array([[np.nan, 1.0], [np.inf, 1.0], [-np.inf, np.nan], [3.0, 4.0]])
    np.testing.assert_array_equal(output(fn.pairwise_distance(), (x, np.zeros((4, 2)))).ravel(), [np.nan, np.inf, np.nan, 5])


def test_the_root_of_a_distance_is_as_precise_as_the_numbers() -> None:
    x, eps = np.ones((1, 90), np.longdouble), float(np.finfo(np.longdouble).eps)
    y = output(fn.pairwise_distance(3.0), (x, 0 * x)).ravel()
    np.testing.assert_allclose(y * y * y, [90], rtol=16 * eps)


def test_channel_shuffle_deals_the_groups_out() -> None:
    x = numbers(2, 3, 6)
    y = output(fn.channel_shuffle(3), x)
    for k, g in np.ndindex(2, 3):
        np.testing.assert_array_equal(y[..., 3 * k + g], x[..., 2 * g + k])
    np.testing.assert_array_equal(output(fn.channel_shuffle(2), y), x)


@pytest.mark.parametrize(("layer", "base"), [(fn.film(), 0.0), (fn.modulate(), 1.0)])
def test_a_condition_scales_and_shifts_every_point(layer: Any, base: float) -> None:
    x, condition = numbers(2, 3, 4, 2), numbers(2, 4, seed=1)
    y = output(layer, (x, condition))
    for n, i, j, c in np.ndindex(*x.shape):
        assert math.isclose(y[n, i, j, c], (base + condition[n, c]) * x[n, i, j, c] + condition[n, 2 + c], rel_tol=1e-12)


@pytest.mark.parametrize(
    ("equation", "sizes", "shape", "weight", "y"),
    [
        ("tc,chd->thd", {"h": 2, "d": 3}, (5, 4), (4, 2, 3), (5, 2, 3)),
        ("thd, hdc -> tc", {"c": 4}, (5, 2, 3), (2, 3, 4), (5, 4)),
        ("tc,ts->sc", {"s": 2}, (5, 4), (5, 2), (2, 4)),
        ("gnc,gcd->dgn", {"d": 2}, (2, 5, 3), (2, 3, 2), (2, 2, 5)),
    ],
)
def test_einsum_dense_is_the_sum_that_it_says(equation: str, sizes: Any, shape: Any, weight: Any, y: Any) -> None:
    layer = fn.einsum_dense(equation, sizes)
    start = layer.init(fn.Key(0), shape)
    assert (start.params.weight.shape, start.out_shape) == (weight, y)
    x = numbers(3, *shape)
    found = fn.apply(layer, start.params, (), x)
    for one, expected in zip(x, found, strict=True):
        np.testing.assert_allclose(expected, np.einsum(equation.replace(" ", ""), one, start.params.weight), rtol=1e-12)


def test_einsum_dense_draws_weights_by_what_is_summed() -> None:
    layer = fn.einsum_dense("thd,hdc->tc", {"c": 50}, weight_init=fn.initializers.lecun_normal)
    weight = layer.init(fn.Key(0), (3, 20, 10)).params.weight
    assert weight.std() == pytest.approx(1 / math.sqrt(200), rel=0.05, abs=0.0)  # five deviations of 10,000 draws


# ------------------------------------------------------------------------------------------------ coordinates, choices, patches


def test_fourier_features_are_drawn_once_and_saved() -> None:
    layer = fn.fourier_features(4, std=0.5)
    start = layer.init(fn.Key(1), (2,))
    x = numbers(3, 5, 2)
    y = fn.apply(layer, start.params, start.state, x)
    z = 2 * np.pi * np.einsum("ntd,dj->ntj", x, start.state.frequencies)
    np.testing.assert_allclose(y, np.concatenate([np.cos(z), np.sin(z)], -1), rtol=1e-11, atol=1e-12)
    assert layer.init(fn.Key(1), (2,)).state.frequencies.tolist() == start.state.frequencies.tolist()
    assert fn.apply(layer, (), start.state, x.astype(np.float32)).dtype == np.float32
    many = fn.fourier_features(4000, std=0.5).init(fn.Key(2), (2,)).state.frequencies
    assert many.std() == pytest.approx(0.5, rel=0.05, abs=0.0)  # six deviations of 8,000 draws


def test_a_quarter_of_a_turn_is_as_precise_as_the_numbers() -> None:
    layer, quarter = fn.fourier_features(1), np.full((1, 1), 0.25, np.longdouble)
    state = tree.map(np.ones_like, layer.init(fn.Key(0), (1,)).state)
    y = layer.forward((), state, quarter, fn.Eval()).output
    np.testing.assert_allclose(y, [[0, 1]], rtol=0, atol=float(np.finfo(np.longdouble).eps))


def test_gumbel_softmax_chooses_as_often_as_the_softmax_says() -> None:
    logits = np.log([[0.5, 0.3, 0.2]])
    layer = fn.gumbel_softmax(0.1)
    y = layer.forward((), (), np.repeat(logits, 20000, axis=0), TRAIN).output
    np.testing.assert_allclose(np.bincount(y.argmax(-1), minlength=3) / 20000, [0.5, 0.3, 0.2], atol=0.015)  # four deviations
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-12)
    plain = np.exp(logits / 0.1)
    np.testing.assert_allclose(output(layer, logits), plain / plain.sum(), rtol=1e-12)


def test_patches_are_maps_of_their_points() -> None:
    layer = fn.patch_embedding(5, (2, 3))
    start = layer.init(fn.Key(0), (4, 7, 2))
    assert start.out_shape == (4, 5)
    params = tree.map(lambda leaf: leaf + 0.1, start.params)
    x = numbers(2, 4, 7, 2)
    y = fn.apply(layer, params, start.state, x)
    for n, i, j in np.ndindex(2, 2, 2):
        patch = x[n, 2 * i : 2 * i + 2, 3 * j : 3 * j + 3]
        expected = np.einsum("abc,abco->o", patch, params[0].weight) + params[0].bias
        np.testing.assert_allclose(y[n, 2 * i + j], expected, rtol=1e-11, atol=1e-12)


# --------------------------------------------------------------------------------------------------------------------- cells


@pytest.mark.parametrize(
    ("cell", "layer", "parts"),
    [
        (fn.rnn_cell(3), fn.rnn(3, initial=True, final=True), 1),
        (fn.rnn_cell(3, activation="relu"), fn.rnn(3, activation="relu", initial=True, final=True), 1),
        (fn.lstm_cell(3), fn.lstm(3, initial=True, final=True), 2),
        (fn.gru_cell(3), fn.gru(3, initial=True, final=True), 1),
        (fn.gru_cell(3, reset_after=False), fn.gru(3, reset_after=False, initial=True, final=True), 1),
    ],
)
def test_a_cell_step_by_step_is_the_layer_over_the_sequence(cell: Any, layer: Any, parts: int) -> None:
    shape: Any = (3,) if parts == 1 else ((3,), (3,))
    start = cell.init(fn.Key(0), ((2,), shape))
    assert start.out_shape == shape
    assert tree.same(start.params, layer.init(fn.Key(0), ((6, 2), shape)).params)
    params, x = tree.map(lambda leaf: leaf + 0.1, start.params), numbers(4, 6, 2)
    zero = np.zeros((4, 3))
    state: Any = zero if parts == 1 else (zero, zero)
    sequence, final = fn.apply(layer, params, (), (x, state))
    for t in range(6):
        state = fn.apply(cell, params, (), (x[:, t], state))
        hidden = state if parts == 1 else state[0]
        np.testing.assert_allclose(hidden, sequence[:, t], rtol=1e-12, atol=1e-13)
    for one, other in zip(tree.leaves(state), tree.leaves(final), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


# ------------------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fn.unit_norm(0), ValueError, "axis"),
        (lambda: fn.unit_norm(eps=0.0), ValueError, "eps"),
        (lambda: fn.pairwise_distance(0.5), ValueError, "power"),
        (lambda: fn.cosine_similarity().init(fn.Key(0), ((3,), (4,))), ValueError, "two that are alike"),
        (lambda: output(fn.cosine_similarity(), (np.zeros((2, 3)), np.zeros((2, 4)))), ValueError, "one shape"),
        (lambda: fn.channel_shuffle(4).init(fn.Key(0), (6,)), ValueError, "4 groups"),
        (lambda: fn.film().init(fn.Key(0), ((4, 3), (3,))), ValueError, r"expected for the condition \(6,\)"),
        (lambda: output(fn.film(), (np.zeros((2, 3)), np.zeros((1, 6)))), ValueError, "as many examples"),
        (lambda: fn.einsum_dense("tc,cd", {"d": 2}), ValueError, "letters such as"),
        (lambda: fn.einsum_dense("tt,td->td", {"d": 2}), ValueError, "twice"),
        (lambda: fn.einsum_dense("tc,cd->t", {"d": 2}), ValueError, "axis d of the weight"),
        (lambda: fn.einsum_dense("tc,cd->td", {}), ValueError, "no length of axis d"),
        (lambda: fn.einsum_dense("tc,cd->td", {"d": 2, "x": 1}), ValueError, "axis x, which is none"),
        (lambda: fn.einsum_dense("tc,cd->td", {"d": 2}).init(fn.Key(0), (3,)), ValueError, "expected 2 axes"),
        (lambda: fn.einsum_dense("tc,cd->td", {"d": 2, "c": 4}).init(fn.Key(0), (3, 5)), ValueError, "not 4 long"),
        (lambda: fn.fourier_features(0), ValueError, "count"),
        (lambda: fn.gumbel_softmax(0.0), ValueError, "temperature"),
        (lambda: fn.gru_cell(3).init(fn.Key(0), ((2, 2), (3,))), ValueError, r"input \(features,\)"),
        (lambda: output(fn.rnn_cell(3), np.zeros((2, 2))), TypeError, "pair"),
    ],
)
def test_wrong_settings_and_inputs_are_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
