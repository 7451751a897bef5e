"""SciPy's ``fun`` and ``jac``, and objects with methods."""

from functools import partial

import numpy as np
import pytest

import funcnn as fn
from funcnn.check.fixture import GradCheck
from funcnn.typing import Array

RNG = np.random.default_rng(4)
POINT = np.array([0.5, -1.2, 0.3])


def rosenbrock(x: Array) -> float:
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def rosenbrock_gradient(x: Array) -> Array:
    step = x[1:] - x[:-1] ** 2
    gradient = np.zeros_like(x)
    gradient[:-1] = -400 * x[:-1] * step - 2 * (1 - x[:-1])
    gradient[1:] += 200 * step
    return gradient


class Sparse:
    """What a sparse matrix has, and nothing else."""

    def __init__(self, dense: Array) -> None:
        self.dense, self.shape = dense, dense.shape

    @property
    def T(self) -> "Sparse":  # noqa: N802  # SciPy's name
        return Sparse(self.dense.T)

    def __matmul__(self, other: Array) -> Array:
        return np.asarray(self.dense @ other)


def test_gradients_jacobians_and_hessians_for_optimizers() -> None:
    check = fn.check.check_scipy
    assert check(rosenbrock, rosenbrock_gradient, POINT).ok
    assert check(lambda x: (rosenbrock(x), rosenbrock_gradient(x)), True, POINT).ok
    assert not check(rosenbrock, lambda x: rosenbrock_gradient(x) * [1, 1, 1.001], POINT, explain=False).ok

    def residuals(x: Array, a: float) -> list[float]:
        return [a * x[0] * x[1], x[2] ** 2]

    def jacobian(x: Array, a: float) -> list[list[float]]:
        return [[a * x[1], a * x[0], 0], [0, 0, 2 * x[2]]]

    assert check(residuals, jacobian, POINT, 3.0).ok
    assert check(residuals, lambda x, a: Sparse(np.array(jacobian(x, a))), POINT, 3.0).ok
    swapped = check(residuals, lambda x, a: np.array(jacobian(x, a))[::-1], POINT, 3.0, explain=False)
    assert swapped.verdict == "fail"
    with pytest.raises(ValueError, match=r"jac gives shape \(3, 2\), expected \(2, 3\)"):
        check(residuals, lambda x, a: np.array(jacobian(x, a)).T, POINT, 3.0)
    # A Hessian is the Jacobian of a gradient.
    assert check(lambda x: np.array([x[0] * x[1], x[0] ** 2 / 2]), lambda x: np.array([[x[1], x[0]], [x[0], 0]]), POINT[:2]).ok
    with pytest.raises(TypeError, match="jac is False"):
        check(rosenbrock, False, POINT)
    with pytest.raises(TypeError, match="expected a vector"):
        check(rosenbrock, rosenbrock_gradient, POINT[None])


class Layer:
    """Remembers its input, adds gradients up and writes into dy: what objects of courses do."""

    def __init__(self, factor: float = 1.0) -> None:
        self.params = {"w": RNG.normal(size=(3, 2)), "b": RNG.normal(size=2)}
        self.grads = {"w": np.zeros((3, 2)), "b": np.zeros(2)}
        self.factor = factor

    def forward(self, x: Array) -> Array:
        self.x, self.y = x, np.tanh(x @ self.params["w"] + self.params["b"])
        return self.y

    def backward(self, dy: Array) -> Array:
        dy *= 1 - self.y**2
        self.grads["w"] += self.x.T @ dy
        self.grads["b"] += self.factor * dy.sum(0)
        return np.asarray(dy @ self.params["w"].T)


PARAMETERS = {"params['w']": "grads['w']", "params['b']": "grads['b']"}


def test_objects_with_forward_and_backward() -> None:
    x = RNG.normal(size=(5, 3))
    layer = Layer()
    before = layer.params["w"].copy()
    report = fn.check.check_backward(layer, x, parameters=PARAMETERS)
    assert report.ok, report
    assert [leaf.path for leaf in report.leaves] == ["params['w']", "params['b']", "input"]
    np.testing.assert_array_equal(layer.params["w"], before)
    assert not layer.grads["w"].any()
    wrong = fn.check.check_backward(Layer(0.2), x, parameters=PARAMETERS)
    assert [(one.path, one.diagnosis.tag) for one in wrong.findings] == [("params['b']", "constant_factor")]


class Model:
    def loss(self, w: Array, x: Array) -> float:
        return float(np.sum(np.tanh(x @ w) ** 2))

    def gradient(self, w: Array, x: Array) -> Array:
        y = np.tanh(x @ w)
        return np.asarray(2 * x.T @ (y * (1 - y**2)))

    def wrong(self, w: Array, x: Array) -> Array:
        return -self.gradient(w, x)

    def many(self, w: Array, x: Array) -> Array:
        return x @ w


def test_objects_with_loss_and_gradient() -> None:
    x = RNG.normal(size=(5, 3))
    assert fn.check.check_object(Model(), POINT, x).ok
    wrong = fn.check.check_object(Model(), POINT, x, gradient="wrong")
    assert [(one.path, one.diagnosis.tag) for one in wrong.findings] == [("params", "sign_flip")]
    with pytest.raises(ValueError, match="expected a single number"):
        fn.check.check_object(Model(), POINT, x, loss="many")


def test_methods_and_attributes_that_are_not_there() -> None:
    with pytest.raises(TypeError, match="gradient is 'grad', expected the name of a method"):
        fn.check.check_object(Model(), POINT, gradient="grad")
    with pytest.raises(TypeError, match="make one first"):
        fn.check.check_object(Model, POINT)
    with pytest.raises(TypeError, match="has no attribute 'weights'"):
        fn.check.check_backward(Layer(), POINT, parameters={"weights": "grads"})


def test_the_fixture_has_them_all() -> None:
    gradcheck = GradCheck({"seed": 3, "method": "auto"})
    assert gradcheck.scipy(rosenbrock, rosenbrock_gradient, POINT).seed == 3
    assert gradcheck.instance(Model(), POINT, RNG.normal(size=(5, 3))).ok
    assert gradcheck.backward(Layer(), RNG.normal(size=(5, 3))).ok
    assert gradcheck.foreign(np.sin, lambda x, dy: [dy * np.cos(x)], POINT, contract=False).ok
    with pytest.raises(pytest.fail.Exception, match="FAIL"):
        gradcheck.scipy(rosenbrock, partial(np.multiply, 2.0), POINT)
