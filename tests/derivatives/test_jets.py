"""Second derivatives by the chain rule: those of circles, exact, and only where every layer is known."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS
from funcnn.derivatives.jets import takes
from funcnn.derivatives.sums import JetResiduals
from funcnn.layers.activations.elementwise import forward_keeping_slope
from tests.derivatives.test_derivative_layers import ALONG, NET, START, X, exact

MODE = fn.Eval()


def bent_layers() -> dict[str, Any]:
    """Return every activation that knows its second derivative."""
    made = [case.make() for cases in LAYERS.values() for case in cases]
    return {
        layer.name: layer
        for layer in made
        if isinstance(layer.forward, partial)
        and layer.forward.func is forward_keeping_slope
        and layer.forward.args[2] is not None
    }


BENT = bent_layers()


@pytest.mark.parametrize("name", BENT)
@pytest.mark.parametrize("dtype", [np.float32, float, np.longdouble])
def test_a_complex_step_of_the_second_derivative_is_the_third(name: str, dtype: Any) -> None:
    """Beside central differences of long double; at 0, in the middle and in the tails."""
    _, with_slope, function = BENT[name].forward.args

    def curvature(x: Any) -> Any:
        return function(x, *with_slope(x))

    x, wide, h, step = np.array([[0.0, 0.3, -1.7, 4.0, -30.0, 90.0]], dtype), np.longdouble, dtype(2.0**-44), np.longdouble(1e-5)
    found = curvature(x + 1j * h)
    expected = (curvature(x.astype(wide) + step) - curvature(x.astype(wide) - step)) / (2 * step)
    np.testing.assert_allclose(found.real, curvature(x), rtol=4 * np.finfo(dtype).eps, atol=0)
    np.testing.assert_allclose(found.imag / h, expected, rtol=max(1e-7, 64 * float(np.finfo(dtype).eps)), atol=1e-9)


@pytest.mark.parametrize("name", BENT)
@pytest.mark.parametrize("make", [fn.laplacian, partial(fn.directional_derivatives, directions=[ALONG, (0.0, 1.0)])])
def test_output_and_gradient_are_those_of_circles(name: str, make: Any) -> None:
    act = BENT[name]
    net = fn.dense(4) >> act >> fn.residual(fn.linear(4) >> act) >> fn.add(fn.linear(2), fn.dense(2) >> act)
    found: list[Any] = []
    for layer in (make(net), make(net, points=32, radius=2.0**-6)):
        start = layer.init(fn.Key(0), (2,))
        params = tree.map(lambda leaf: leaf + 0.1 * np.cos(np.arange(leaf.size)).reshape(leaf.shape), start.params)
        made = layer.forward(params, start.state, X, MODE)
        assert isinstance(made.residuals, JetResiduals) == (not found)
        pulled = layer.backward(params, made.residuals, tree.map(np.cos, made.output))
        found.append([*tree.leaves(made.output), *tree.leaves(pulled.params), pulled.input])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9 * abs(other).max())


@pytest.mark.parametrize("dtype", [np.float32, float])
def test_they_are_those_of_many_digits(dtype: Any) -> None:
    layer = fn.directional_derivatives(NET, [ALONG], 2)
    params, x = tree.astype(START.params, dtype), X.astype(dtype)
    made = fn.apply(layer, params, START.state, x)
    wanted = np.array([exact(one, 2) for one in X], float).T
    for one, other in zip(made, wanted, strict=True):
        assert one.dtype == dtype
        np.testing.assert_allclose(one[:, 0], other, rtol=0, atol=8 * np.finfo(dtype).eps * abs(wanted).max())


def test_other_layers_orders_and_asked_for_circles_are_not_taken() -> None:
    assert takes(NET)
    assert not takes(NET >> fn.layer_norm())
    assert not takes(fn.concatenate(NET, NET))
    assert not takes(NET >> fn.mish())  # of which no second derivative is known
    replaced: Any = evolve(fn.tanh(), backward=fn.relu().backward)
    assert not takes(NET >> replaced)
    for layer in (
        fn.directional_derivatives(NET, [ALONG], 3),
        fn.directional_derivatives(NET, [ALONG], 1),
        fn.laplacian(NET, points=8),
        fn.laplacian(NET, radius=0.03125),
        fn.laplacian(NET, tolerance=0.01),
    ):
        assert not isinstance(layer.forward(START.params, START.state, X, MODE).residuals, JetResiduals)


def test_no_examples_many_outputs_and_bad_input() -> None:
    layer = fn.laplacian(NET)
    assert fn.apply(layer, START.params, START.state, X[:0]).shape == (0, 1)
    with pytest.raises(ValueError, match=r"the input has shape \(3, 3\), expected \(N, 2\)|last axis of the input is 3 long"):
        fn.apply(layer, START.params, START.state, np.ones((3, 3)))
    with pytest.raises(TypeError, match="float64"):
        fn.apply(layer, tree.astype(START.params, np.float32), START.state, X)
