"""Products with derivatives: closed forms, bad input, and layers that are not analytic."""

import pickle
from functools import partial
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree

MODE = fn.Train(fn.Key(4))
MODEL = fn.dense(4) >> fn.tanh() >> fn.dropout(0.2) >> fn.dense(2)
LOSS = fn.softmax_cross_entropy()
START = MODEL.init(fn.Key(0), (3,))
X, LABELS = np.random.default_rng(1).normal(size=(5, 3)), np.array([0, 1, 1, 0, 1])


def complex_of(values: Any) -> Any:
    return tree.rebuild(values, iter([leaf + 1j for leaf in tree.leaves(values)]))  # type: ignore[misc]  # on purpose


def drawn(values: Any, seed: int = 0, dtype: Any = float) -> Any:
    generator = np.random.default_rng(seed)
    return tree.map(lambda leaf: generator.normal(size=leaf.shape).astype(dtype), values)


def close(one: Any, other: Any, rtol: float = 1e-12) -> None:
    for a, b in zip(tree.leaves(one), tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * (np.abs(b).max() if b.size else 0))


def curvature(x: Any, target: Any) -> Any:
    """Return the Hessian of a linear model under the mean over rows of half the squared error: X'X / n."""
    return x.T @ x / len(x)


def test_closed_forms_of_a_linear_model() -> None:
    model, loss = fn.linear(1), fn.half_squared_error()
    start = model.init(fn.Key(0), (3,))
    target = np.ones((5, 1))
    vector = drawn(start.params)
    at = start.params, start.state, X, target
    wanted = curvature(X, target) @ vector.weight
    np.testing.assert_allclose(fn.hvp(model, loss)(*at, vector, MODE).weight, wanted, rtol=1e-14)
    np.testing.assert_allclose(fn.ggn_product(model, loss)(*at, vector, MODE).weight, wanted, rtol=1e-14)
    dx = drawn(X)
    weight = start.params.weight
    np.testing.assert_allclose(fn.input_hvp(model, loss)(*at, dx, MODE), dx @ weight @ weight.T / 5, rtol=1e-14)
    mixed = dx.T @ (X @ weight - target) / 5 + X.T @ (dx @ weight) / 5
    np.testing.assert_allclose(fn.mixed_product(model, loss)(*at, dx, MODE).weight, mixed, rtol=1e-13)
    np.testing.assert_allclose(
        fn.jvp(model)(start.params, start.state, X, vector, dx, MODE).tangent, X @ vector.weight + dx @ weight
    )


def test_gauss_newton_is_the_hessian_of_the_linearised_network() -> None:
    vector = drawn(START.params)
    made = fn.ggn_product(MODEL, LOSS)(START.params, START.state, X, LABELS, vector, MODE)
    at = fn.linearize(MODEL)(START.params, START.state, X, MODE)
    p = np.exp(at.output) / np.exp(at.output).sum(1, keepdims=True)
    along = at.push(vector, None)
    curved = (p * along - p * (p * along).sum(1, keepdims=True)) / len(X)
    close(made, at.pull(curved).params)


def test_all_of_a_gradient_agrees_with_its_parts() -> None:
    dparams, dx = drawn(START.params), drawn(X, 1)
    at = START.params, START.state, X, LABELS
    both = fn.gradient_jvp(MODEL, LOSS)(*at, dparams, dx, MODE)
    plain = fn.loss_and_grad(MODEL, LOSS)(*at, MODE)
    assert both.loss == pytest.approx(plain.loss, rel=1e-15, abs=0.0)
    close(both.grads, plain.grads, 1e-14)
    close(both.output, plain.output, 1e-15)
    close(
        both.grads_tangent,
        tree.map(np.add, fn.hvp(MODEL, LOSS)(*at, dparams, MODE), fn.mixed_product(MODEL, LOSS)(*at, dx, MODE)),
    )
    slope = sum((a * b).sum() for a, b in zip(tree.leaves((both.grads, both.input)), tree.leaves((dparams, dx)), strict=True))
    assert both.loss_tangent == pytest.approx(slope, rel=1e-13, abs=0.0)
    pulled = fn.vjp(MODEL)(START.params, START.state, X, np.ones((5, 2)), MODE)
    assert (pulled.input * dx).sum() == pytest.approx(fn.jvp(MODEL)(START.params, START.state, X, None, dx, MODE).tangent.sum())


@pytest.mark.parametrize("scale", [1e-280, 1e-20, 1.0, 1e20, 1e280])
def test_the_length_of_a_direction_does_not_matter(scale: float) -> None:
    vector = drawn(START.params)
    product = fn.hvp(MODEL, LOSS)
    at = START.params, START.state, X, LABELS
    long = product(*at, tree.map(lambda leaf: leaf * scale, vector), MODE)
    close(tree.map(lambda leaf: leaf / scale, long), product(*at, vector, MODE), 1e-13)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.longdouble, 1e-17)])
def test_every_precision_keeps_its_own(dtype: Any, rtol: float) -> None:
    start = tree.astype(START.params, dtype)
    x, vector = X.astype(dtype), drawn(START.params)
    wide = tree.astype(START.params, np.longdouble), START.state, X.astype(np.longdouble), LABELS
    for product in (fn.hvp(MODEL, LOSS), fn.ggn_product(MODEL, LOSS)):
        made = product(start, START.state, x, LABELS, tree.astype(vector, dtype), MODE)
        assert {leaf.dtype for leaf in tree.leaves(made)} == {np.dtype(dtype)}
        close(made, product(*wide, tree.astype(vector, np.longdouble), MODE), max(rtol, 100 * float(np.finfo(dtype).eps)))


def test_a_shard_and_tokens() -> None:
    model = fn.shard(fn.embedding(7, 3) >> fn.flatten() >> fn.dense(2), 2)
    start = model.init(fn.Key(0), (4,))
    tokens = np.arange(12).reshape(3, 4) % 7
    vector = drawn(start.params)
    made = fn.jvp(model)(start.params, start.state, tokens, vector, None, MODE)
    assert made.tangent.shape == (3, 2)
    assert fn.hvp(model, LOSS)(start.params, start.state, tokens, LABELS[:3], vector, MODE)[0].table.shape == (7, 3)
    with pytest.raises(TypeError, match=r"dx is int64\[3, 4\].*holds no real numbers"):
        fn.jvp(model)(start.params, start.state, tokens, vector, tokens, MODE)


@pytest.mark.parametrize("make", [fn.hvp, fn.ggn_product, fn.gradient_jvp, fn.input_hvp, fn.mixed_product])
def test_products_are_values(make: Any) -> None:
    made = make(MODEL, LOSS)
    assert pickle.loads(pickle.dumps(made)) == made == make(MODEL, LOSS)
    assert made != make(MODEL, fn.mean_squared_error())
    with pytest.raises(TypeError, match="expected a loss"):
        make(MODEL, fn.softmax_cross_entropy)
    with pytest.raises(TypeError, match="expected a layer"):
        make(fn.dense, LOSS)


BAD: dict[str, tuple[Any, Any, str]] = {
    "structure": (lambda p: p[:-1], ValueError, r"vector is a tuple of 3, expected a tuple of 4"),
    "leaf": (lambda p: (p[0].weight, *p[1:]), ValueError, r"vector\[0\] is an array of shape \(3, 4\), expected a DenseParams"),
    "shape": (
        lambda p: (attrs.evolve(p[0], bias=np.zeros(3)), *p[1:]),
        ValueError,
        r"vector\[0\].bias has shape \(3,\), expected that of params\[0\].bias, \(4,\)",
    ),
    "integers": (
        lambda p: tree.map(lambda leaf: np.zeros(leaf.shape, int), p),
        TypeError,
        r"vector\[0\].weight has dtype int64",
    ),
    "complex": (complex_of, TypeError, r"vector\[0\].weight is complex128.*its real or"),
    "precision": (lambda p: tree.astype(p, np.longdouble), TypeError, r"vector\[0\].weight is longdouble|float128"),
    "half": (lambda p: tree.map(lambda leaf: leaf.astype(np.float16), p), TypeError, r"vector\[0\].weight has dtype float16"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_directions(name: str) -> None:
    spoil, kind, message = BAD[name]
    for make in (fn.hvp, fn.ggn_product):
        with pytest.raises(kind, match=message):
            make(MODEL, LOSS)(START.params, START.state, X, LABELS, spoil(START.params), MODE)


def test_complex_data_and_other_trees_are_refused() -> None:
    with pytest.raises(TypeError, match=r"x is complex128\[5, 3\].*two arrays"):
        fn.jvp(MODEL)(START.params, START.state, complex_of(X), None, X, MODE)
    with pytest.raises(TypeError, match=r"params\[0\].weight is complex128"):
        fn.jvp(MODEL)(complex_of(START.params), START.state, X, None, X, MODE)
    with pytest.raises(TypeError, match="complex128"):
        fn.vjp(MODEL)(START.params, START.state, X, np.ones((5, 2), complex), MODE)
    with pytest.raises(TypeError, match="the mode is"):
        fn.hvp(MODEL, LOSS)(START.params, START.state, X, LABELS, START.params, "train")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match=r"dx\[1\] is None, expected an array like x\[1\]"):
        fn.jvp(fn.add_inputs())((), (), (X, X), None, (X, None), MODE)  # type: ignore[arg-type]  # on purpose


# Layers of one's own.  Each is right in real numbers, and loses an imaginary part.


def own(forward: Any, backward: Any) -> Any:
    return fn.define_layer("mine", lambda key, shape: fn.Init((), (), shape), forward, backward, random=False)


def elementwise(value: Any, slope: Any) -> Any:
    return own(
        lambda params, state, x, mode: fn.Forward(value(x), state, x), lambda params, x, dy: fn.Backward(params, slope(x) * dy)
    )


def in_a_buffer(x: Any) -> Any:
    y = np.empty(x.shape)
    y[...] = x**2
    return y


FORWARDS = {
    "abs": lambda x: np.abs(x) ** 2,
    "conj": lambda x: np.conj(x) * np.conj(x),
    "real": lambda x: x.real**2,
    "cast": lambda x: x.astype(float) ** 2,
    "half of it": lambda x: x.real * x,
    "buffer": in_a_buffer,
    "magnitude": lambda x: (x * np.conj(x)).real,
    "out": lambda x: np.multiply(x, x, out=np.empty(x.shape)),
}


@pytest.mark.parametrize("name", FORWARDS)
def test_a_forward_that_is_not_analytic_is_named(name: str) -> None:
    model = fn.dense(3) >> fn.serial(fn.tanh(), elementwise(FORWARDS[name], lambda x: 2 * x))
    start = model.init(fn.Key(0), (3,))
    vector = drawn(start.params)
    with pytest.raises(fn.NotAnalyticError, match=r"params\[1\]\[1\] mine") as caught:
        fn.jvp(model)(start.params, start.state, X, vector, None, MODE)
    assert "[1][1] mine" in caught.value.__notes__[0]
    with pytest.raises(fn.NotAnalyticError, match=r"params\[1\]\[1\] mine"):
        fn.hvp(model, fn.half_squared_error())(start.params, start.state, X, np.ones((5, 3)), vector, MODE)
    # without the trial, NumPy or the loss's slope still tells that something is wrong
    with pytest.raises((fn.NotAnalyticError, np.exceptions.ComplexWarning, TypeError)):
        fn.hvp(model, fn.half_squared_error(), probe=False)(start.params, start.state, X, np.ones((5, 3)), vector, MODE)


@pytest.mark.parametrize("slope", [lambda x: 2 * np.abs(x) * np.sign(x.real), lambda x: 2 * np.conj(x), lambda x: 2 * x.real])
def test_a_backward_that_is_not_analytic_is_named(slope: Any) -> None:
    model = fn.dense(3) >> elementwise(lambda x: x * x, slope)
    start = model.init(fn.Key(0), (3,))
    vector = drawn(start.params)
    fn.jvp(model)(start.params, start.state, X, vector, None, MODE)  # its forward is all that is needed here
    with pytest.raises(fn.NotAnalyticError, match=r"params\[1\] mine"):
        fn.hvp(model, fn.half_squared_error())(start.params, start.state, X, np.ones((5, 3)), vector, MODE)


def test_analytic_layers_of_ones_own_pass_and_are_right() -> None:
    own = fn.dense(3) >> elementwise(lambda x: np.where(x.real > 0, x * x, x), lambda x: np.where(x.real > 0, 2 * x, 1.0))
    start = own.init(fn.Key(0), (3,))
    vector = drawn(start.params)
    for mode in (MODE, fn.Eval()):
        for x in (X, np.zeros((1, 3)), X[:0]):
            made = fn.jvp(own)(start.params, start.state, x, vector, None, mode)
            z, dz = x @ start.params[0].weight + start.params[0].bias, x @ vector[0].weight + vector[0].bias
            np.testing.assert_allclose(made.tangent, np.where(z > 0, 2 * z, 1) * dz, rtol=1e-14)


def test_random_numbers_that_are_not_the_keys_are_found() -> None:
    generator = np.random.default_rng()
    noisy = elementwise(lambda x: x * generator.normal(size=x.shape), lambda x: x)
    with pytest.raises(fn.NotAnalyticError, match=r"another result each time.*mode's key"):
        fn.jvp(noisy)((), (), X, None, X, MODE)


def test_a_loss_that_is_not_analytic_is_named() -> None:
    def forward(power: Any, prediction: Any, target: Any) -> Any:
        return fn.LossForward(power(prediction - target).sum(), prediction - target)

    for power, slope in ((lambda e: np.abs(e) ** 2, lambda e: 2 * e), (lambda e: e * e, lambda e: 2 * np.conj(e))):
        loss: Any = fn.define_loss("mine", partial(forward, power), slope)
        for make in (fn.hvp, fn.ggn_product):
            with pytest.raises(fn.NotAnalyticError, match="the loss mine"):
                make(MODEL, loss)(START.params, START.state, X, np.zeros((5, 2)), drawn(START.params), MODE)


def test_a_loss_of_ones_own_that_is_analytic_is_taken() -> None:
    """Its value is a number without axes, which has to stay an array while the loss is tried."""
    mine: Any = fn.define_loss("mine", lambda y, t: fn.LossForward(((y - t) ** 2).sum() / 2, y - t), lambda e: 1 * e)
    vector = drawn(START.params)
    for make in (fn.hvp, fn.ggn_product):
        made, known = [
            make(MODEL, loss)(START.params, START.state, X, np.zeros((5, 2)), vector, MODE)
            for loss in (mine, fn.half_squared_error(reduction="sum"))
        ]
        for one, other in zip(tree.leaves(made), tree.leaves(known), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


def test_every_product_sees_a_lost_imaginary_part_without_the_trial() -> None:
    """The two ends are compared each time: forward in complex numbers, backward in real ones."""
    lossy = fn.define_layer(
        "lossy",
        init=lambda key, in_shape: fn.Init((), (), in_shape),
        forward=lambda params, state, x, mode: fn.Forward(x * np.abs(x), state, x),
        backward=lambda params, x, dy: fn.Backward((), 2 * np.abs(x) * dy),
    )
    model = fn.dense(2) >> lossy
    start = model.init(fn.Key(0), (3,))
    vector = drawn(start.params)
    for product in (fn.hvp, fn.ggn_product):
        with pytest.raises(fn.NotAnalyticError, match="not analytic"):
            product(model, fn.half_squared_error(), probe=False)(start.params, start.state, X, np.ones((5, 2)), vector, fn.Eval())


def test_a_power_is_smooth_at_zero_beside_other_numbers() -> None:
    r"""y = |(0, b)|_2 has dy/dx = x / y: at the zero its slope along a moved first entry is 1 / b, though sign(0) is 0."""
    x, dx = np.array([[[0.0], [2.0]]]), np.array([[[1.0], [0.0]]])
    made = fn.input_hvp(fn.lp_pool1d(2, 2), fn.half_squared_error())((), (), x, np.full((1, 1, 1), 1.0), dx, fn.Eval())
    # The loss is (y - 1)^2 / 2; its second derivative along the first entry is (y - 1) y'' + y'^2 with y' = 0 and y'' = 1 / y.
    np.testing.assert_allclose(made, [[[0.5], [0.0]]], rtol=1e-12, atol=1e-15)
