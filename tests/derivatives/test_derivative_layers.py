"""Layers of derivatives: against many digits, closed forms and one another; what they refuse; the error bars."""

from typing import Any

import mpmath as mp
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.typing import Array

MODE = fn.Eval()
NET = fn.dense(5) >> fn.tanh() >> fn.dense(4) >> fn.tanh() >> fn.dense(1)
START = NET.init(fn.Key(1), (2,))
X = np.random.default_rng(0).normal(size=(3, 2))
ALONG = (1.0, 0.5)


def exact(x: Array, order: int) -> list[mp.mpf]:
    """Return the derivatives of the network along a direction, by Taylor arithmetic in 40 digits."""
    with mp.workdps(40):

        def value(s: mp.mpf) -> mp.mpf:
            row = [mp.mpf(float(one)) + s * mp.mpf(v) for one, v in zip(x, ALONG, strict=True)]
            for layer in START.params:
                if isinstance(layer, tuple):
                    row = [mp.tanh(one) for one in row]
                    continue
                weight, bias = layer.weight.tolist(), layer.bias.tolist()
                row = [
                    mp.fsum(one * mp.mpf(weight[i][o]) for i, one in enumerate(row)) + mp.mpf(bias[o]) for o in range(len(bias))
                ]
            return row[0]

        return [coefficient * mp.factorial(m) for m, coefficient in enumerate(mp.taylor(value, 0, order))]


@pytest.mark.parametrize("order", [1, 2, 4, 7])
def test_derivatives_are_those_of_many_digits_and_within_their_bars(order: int) -> None:
    made = fn.estimate_derivatives(fn.directional_derivatives(NET, [ALONG], order), START.params, START.state, X, MODE)
    wanted = [exact(x, order) for x in X]
    for m in range(order + 1):
        errors = np.array([abs(float(mp.mpf(float(made.values[m][n, 0])) - wanted[n][m])) for n in range(len(X))])
        size = max(abs(float(row[m])) for row in wanted)
        assert (errors <= made.bars[m]).all()
        assert made.bars[m].max() < (1e-14 if order == 1 else 1e-8) * size


def test_the_bar_grows_with_the_radius_and_the_layer_refuses() -> None:
    bars = []
    for radius in (2.0**-12, 0.0625, 0.5):
        layer = fn.directional_derivatives(NET, [ALONG], 2, radius=radius, tolerance=1.0)
        bars.append(fn.estimate_derivatives(layer, START.params, START.state, X, MODE).bars[2].max())
    assert bars[1] < bars[0]
    assert bars[1] < bars[2]
    with pytest.raises(ValueError, match=r"derivatives of serial up to order 2 were refused: on a circle of radius 4 "):
        fn.apply(fn.directional_derivatives(NET, [ALONG], 2, radius=4.0), START.params, START.state, X)


def test_single_precision_has_four_fifths_of_its_digits() -> None:
    params, x = tree.astype(START.params, np.float32), X.astype(np.float32)
    made = fn.estimate_derivatives(fn.directional_derivatives(NET, [ALONG], 2), params, START.state, x, MODE)
    wide = fn.apply(fn.directional_derivatives(NET, [ALONG], 2), tree.astype(params, float), START.state, x.astype(float))
    assert made.values[2].dtype == np.float32
    errors = abs(made.values[2] - wide[2])[:, 0]
    assert (errors <= made.bars[2]).all()
    assert errors.max() < 1e-3 * abs(wide[2]).max()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_circle_follows_the_scale_of_the_input(scale: float) -> None:
    wave = fn.define_layer(
        "wave",
        init=lambda key, in_shape: fn.Init((), (), in_shape),
        forward=lambda params, state, x, mode: fn.Forward(np.sin(x / scale), state, x),
        backward=lambda params, x, dy: fn.Backward((), dy * np.cos(x / scale) / scale),
    )
    x = scale * np.linspace(-2, 2, 9)[:, np.newaxis]
    _, slope, curvature, third = fn.apply(fn.directional_derivatives(wave, [(1.0,)], 3), (), (), x)
    np.testing.assert_allclose(slope * scale, np.cos(x / scale), atol=1e-12)
    np.testing.assert_allclose(curvature * scale**2, -np.sin(x / scale), atol=1e-9)
    np.testing.assert_allclose(third * scale**3, -np.cos(x / scale), atol=1e-9)


def test_the_laplacian_is_the_sum_of_second_derivatives() -> None:
    _, _, first, _, second = fn.apply(fn.directional_derivatives(NET, [(1, 0), (0, 1)]), START.params, START.state, X)
    whole = fn.apply(fn.laplacian(NET), START.params, START.state, X)
    np.testing.assert_allclose(whole, first + second, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(fn.apply(fn.laplacian(NET, [1]), START.params, START.state, X), second, rtol=1e-9, atol=1e-10)


def test_gradient_and_divergence_are_the_directional_derivatives() -> None:
    _, first, second = fn.apply(fn.directional_derivatives(NET, [(1, 0), (0, 1)], 1), START.params, START.state, X)
    gradient = fn.apply(fn.input_gradient(NET), START.params, START.state, X)
    np.testing.assert_allclose(gradient, np.concatenate((first, second), axis=1), rtol=1e-13)
    field: Any = fn.dense(2) >> fn.tanh()
    start = field.init(fn.Key(0), (2,))
    y = fn.apply(field, start.params, start.state, X)
    wanted = ((1 - y**2) * np.diag(start.params[0].weight)).sum(1, keepdims=True)
    np.testing.assert_allclose(fn.apply(fn.divergence(field), start.params, start.state, X), wanted, rtol=1e-13)


def test_a_chosen_circle_has_the_gradient_of_a_given_one() -> None:
    pulled = []
    for radius in (None, 0.25):
        layer = fn.directional_derivatives(NET, [ALONG], 2, points=24, radius=radius)
        made = layer.forward(START.params, START.state, X, MODE)
        back = layer.backward(START.params, made.residuals, tuple([np.cos(one) for one in made.output]))
        pulled.append([*tree.leaves(back.params), back.input])
    for one, other in zip(*pulled, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-8 * abs(other).max())


@pytest.mark.parametrize(
    ("kinked", "what"),
    [
        (fn.relu(), r"relu at \[1\]"),
        (fn.leaky_relu(0.1), r"leaky_relu\(0\.1\) at \[1\]"),
        (fn.residual(fn.elu()), r"elu\(1\) at \[1\]"),
        (fn.residual(fn.mlp(4, 3)), r"relu at \[1\]\[1\]"),
        (fn.reshape((1, 3)) >> fn.rnn(4, activation="relu") >> fn.flatten(), r"rnn\(4\) at \[1\]\[1\]"),
    ],
)
def test_layers_that_are_not_analytic_are_refused_by_name_and_path(kinked: Any, what: str) -> None:
    model = fn.serial(fn.dense(3), kinked, fn.dense(1))
    for make in (lambda: fn.directional_derivatives(model, [(1.0,)]), lambda: fn.laplacian(model)):
        with pytest.raises(ValueError, match=f"needs analytic layers, and {what} is not"):
            make()
    start = fn.input_gradient(model).init(fn.Key(0), (2,))
    assert fn.apply(fn.input_gradient(model), start.params, start.state, X).shape == X.shape


def test_a_layer_of_ones_own_that_is_not_analytic_is_named() -> None:
    size = fn.define_layer(
        "size",
        init=lambda key, in_shape: fn.Init((), (), in_shape),
        forward=lambda params, state, x, mode: fn.Forward(np.abs(x).astype(x.real.dtype), state, np.sign(x.real)),
        backward=lambda params, sign, dy: fn.Backward((), dy * sign),
    )
    with pytest.raises(fn.NotAnalyticError, match="size is not analytic"):
        fn.apply(fn.directional_derivatives(size, [(1.0, 0.0)]), (), (), X)
    with pytest.raises(fn.NotAnalyticError, match="size is not analytic"):
        fn.apply(fn.divergence(size), (), (), X)


INNER: Any = fn.dense(6) >> fn.tanh() >> fn.dense(6) >> fn.silu() >> fn.dense(1)
FIELD: Any = fn.dense(6) >> fn.tanh() >> fn.dense(2)
DERIVATIVES: dict[str, Any] = {
    "laplacian": fn.laplacian(INNER),
    "second": fn.directional_derivatives(INNER, [ALONG, (0.0, 1.0)], 2),
    "first": fn.directional_derivatives(INNER, [ALONG], 1),
    "fourth": fn.directional_derivatives(INNER, [ALONG], 4),
    "divergence": fn.divergence(FIELD),
    "input gradient": fn.input_gradient(INNER),
    "inside": fn.dense(2) >> fn.tanh() >> fn.input_gradient(INNER) >> fn.dense(2),
}


def curved(output: Any, target: Any) -> Any:
    value = sum(((y * y / 2 + y**3 / 6) * np.cos(n)).sum() for n, y in enumerate(tree.leaves(output)))
    return fn.LossForward(value, output)


def curved_slope(output: Any) -> Any:
    number = iter(range(100))
    return tree.map_cotangents(lambda y: (y + y * y / 2) * np.cos(next(number)), output)


CURVED: Any = fn.define_loss("curved", curved, curved_slope, reduction="sum")


@pytest.mark.parametrize("name", DERIVATIVES)
def test_second_derivatives_through_derivatives(name: str) -> None:
    """The outer circle, beside quotients of differences of the gradient in long double, extrapolated."""
    layer, wide = DERIVATIVES[name], np.longdouble
    start, draw = layer.init(fn.Key(0), (2,)), np.random.default_rng(0)
    params, along = (tree.map(lambda leaf: leaf + 0.3 * draw.normal(size=leaf.shape), start.params) for _ in range(2))
    x, dx = draw.normal(size=(2, 9, 2))
    made = fn.gradient_jvp(layer, CURVED, probe=False)(params, start.state, x, (), along, dx, MODE)

    def gradient(step: float) -> Any:
        there = tree.map(lambda leaf, way: leaf.astype(wide) + wide(step) * way, params, along)
        kept = layer.forward(there, start.state, x.astype(wide) + wide(step) * dx, MODE)
        pulled = layer.backward(there, kept.residuals, curved_slope(kept.output))
        return [*tree.leaves(pulled.params), pulled.input]

    def quotient(step: float) -> Any:
        return [(above - below) / (2 * wide(step)) for above, below in zip(gradient(step), gradient(-step), strict=True)]

    expected = [(4 * one - two) / 3 for one, two in zip(quotient(3e-5), quotient(6e-5), strict=True)]
    largest = max(float(abs(one).max()) for one in expected)
    for one, other in zip([*tree.leaves(made.grads_tangent), made.input_tangent], expected, strict=True):
        np.testing.assert_allclose(one, other.astype(float), rtol=0, atol=1e-9 * largest)


def test_products_through_derivatives_in_other_forms() -> None:
    """One layer deep, in a chain of which only a part is moved; float32; no examples; no step."""
    layer = DERIVATIVES["laplacian"]
    start = layer.init(fn.Key(0), (2,))
    loss, zero = fn.mean_squared_error(), np.zeros((len(X), 1))
    ggn = fn.ggn_product(layer, loss)(start.params, start.state, X, zero, start.params, MODE)
    along = fn.jvp(layer)(start.params, start.state, X, start.params, None, MODE).tangent
    assert fn.tree.ravel(ggn).vector @ fn.tree.ravel(start.params).vector == pytest.approx(2 * (along**2).mean(), rel=1e-9, abs=0)
    narrow = tree.astype(start.params, np.float32)
    product = fn.hvp(layer, loss)(narrow, start.state, X.astype(np.float32), zero.astype(np.float32), narrow, MODE)
    exact = fn.hvp(layer, loss)(start.params, start.state, X, zero, start.params, MODE)
    for one, other in zip(tree.leaves(product), tree.leaves(exact), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-3 * abs(fn.tree.ravel(exact).vector).max())
    still = fn.hvp(layer, loss)(start.params, start.state, X, zero, tree.map(np.zeros_like, start.params), MODE)
    assert not fn.tree.ravel(still).vector.any()
    chain = DERIVATIVES["inside"]
    begin = chain.init(fn.Key(0), (2,))
    last = tree.map(np.zeros_like, begin.params[:3]), tree.map(np.ones_like, begin.params[3])
    moved = fn.hvp(chain, loss)(begin.params, begin.state, X, np.ones((len(X), 2)), (*last[0], last[1]), MODE)
    assert all(leaf.any() for leaf in tree.leaves(moved[:1]))


def test_what_an_outer_circle_cannot_do_is_refused() -> None:
    kinked = fn.input_gradient(fn.dense(16) >> fn.relu() >> fn.dense(1))
    start = kinked.init(fn.Key(0), (2,))
    x = np.random.default_rng(0).normal(size=(200, 2))
    with pytest.raises(ValueError, match=r"a derivative of input_gradient\(serial\) along a direction was refused"):
        fn.hvp(kinked, fn.mean_squared_error())(start.params, start.state, x, np.zeros((200, 2)), start.params, MODE)
    twice = fn.laplacian(fn.laplacian(NET))
    begin = twice.init(fn.Key(0), (2,))
    with pytest.raises(TypeError, match="is not differentiated on a circle itself"):
        fn.apply(twice, begin.params, begin.state, X)


def test_a_network_of_several_numbers_has_no_single_gradient() -> None:
    with pytest.raises(ValueError, match=r"to \(3,\): end it with fn\.dense\(1\)"):
        fn.input_gradient(fn.dense(3)).init(fn.Key(0), (2,))
    with pytest.raises(TypeError, match=r"expected a layer that fn\.directional_derivatives made"):
        fn.estimate_derivatives(NET, START.params, START.state, X, MODE)  # type: ignore[arg-type]  # on purpose
