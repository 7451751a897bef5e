"""Checks of products with Jacobians and Hessians that others wrote."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.check import check_hvp, check_jvp

X = np.array([[0.3, -1.2, 2.0], [1.1, 0.4, -0.7]])
W = np.array([[0.5, -0.3], [0.2, 0.9], [-0.6, 0.1]])


def layer(params: Any, x: Any, labels: Any) -> Any:
    y = np.tanh(x @ params["weight"])
    return {"y": y, "sum": (params["bias"] * y).sum(), "labels": labels + 1}


def pushed(params: Any, x: Any, labels: Any, dparams: Any, dx: Any, dlabels: Any) -> Any:
    assert dlabels is None
    y = np.tanh(x @ params["weight"])
    dy = (1 - y * y) * (dx @ params["weight"] + x @ dparams["weight"])
    return {"y": dy, "sum": np.asarray((dparams["bias"] * y + params["bias"] * dy).sum()), "labels": None}


AT: Any = {"weight": W, "bias": np.array([0.5, 2.0])}, X, np.array([3, 1])


def test_a_right_product_passes() -> None:
    report = check_jvp(layer, pushed, *AT)
    assert report.verdict == "pass"
    assert [one.path for one in report.leaves] == ["[0]['bias']", "[0]['weight']", "[1]", "directions"]
    assert check_jvp(np.sin, lambda x, dx: np.cos(x) * dx, X.astype(np.float32)).verdict == "pass"


def test_a_wrong_column_is_named() -> None:
    def wrong(params: Any, x: Any, labels: Any, dparams: Any, dx: Any, dlabels: Any) -> Any:
        made = pushed(params, x, labels, dparams, dx, dlabels)
        return {**made, "y": made["y"] + 1e-6 * dx[1, 2]}

    report = check_jvp(layer, wrong, *AT)
    assert report.verdict == "fail"
    assert {(one.path, one.index) for one in report.findings if one.path != "directions"} == {("[1]", (1, 2))}


def test_a_product_that_is_right_for_unit_vectors_alone_is_found() -> None:
    def wrong(x: Any, dx: Any) -> Any:
        return np.cos(x) * dx + np.roll(dx, 1) * dx

    report = check_jvp(np.sin, wrong, X)
    assert {one.path for one in report.findings} == {"directions"}


def test_many_entries_are_looked_at_along_directions() -> None:
    x = np.linspace(-2, 2, 1200).reshape(300, 4)
    assert check_jvp(np.sin, lambda x, dx: np.cos(x) * dx, x).verdict == "pass"

    def wrong(x: Any, dx: Any) -> Any:
        made = np.cos(x) * dx
        made[7, 2] *= 1 + 1e-6
        return made

    report = check_jvp(np.sin, wrong, x)
    assert report.verdict == "fail"
    assert [one.path for one in report.leaves if one.verdict != "pass"] == ["directions"]


def test_many_zeros_are_moved_too() -> None:
    x = np.zeros((300, 4))
    assert check_jvp(np.sin, lambda x, dx: np.cos(x) * dx, x).verdict == "pass"
    assert check_jvp(np.sin, lambda x, dx: 1.001 * dx, x, explain=False).verdict == "fail"


def test_products_of_the_library_pass() -> None:
    model, loss = fn.dense(3) >> fn.tanh() >> fn.dense(2), fn.softmax_cross_entropy()
    start, labels = model.init(fn.Key(0), (3,)), np.array([0, 1])
    forward, product = fn.jvp(model), fn.hvp(model, loss)

    def output(params: Any, x: Any) -> Any:
        return fn.apply(model, params, start.state, x)

    def along(params: Any, x: Any, dparams: Any, dx: Any) -> Any:
        return forward(params, start.state, x, dparams, dx, fn.Eval()).tangent

    assert check_jvp(output, along, start.params, X).verdict == "pass"

    def gradient(params: Any) -> Any:
        return fn.loss_and_grad(model, loss)(params, start.state, X, labels, fn.Eval()).grads

    def hessian(params: Any, vector: Any) -> Any:
        return product(params, start.state, X, labels, vector, fn.Eval())

    assert check_hvp(gradient, hessian, start.params).verdict == "pass"
    report = check_hvp(gradient, lambda p, v: tree.map(lambda leaf: 1.001 * leaf, hessian(p, v)), start.params)
    assert report.verdict == "fail"
    assert report.notes == ()  # it is symmetric all the same


def test_what_is_not_symmetric_is_said() -> None:
    a = np.array([[2.0, 1.0], [0.5, 3.0]])
    symmetric = (a + a.T) / 2
    p = np.array([0.3, -0.4])
    report = check_hvp(lambda p: a @ p, lambda p, v: symmetric @ v, p)
    assert report.verdict == "fail"
    assert "the derivative of grad is not symmetric" in report.notes[-1]
    report = check_hvp(lambda p: symmetric @ p, lambda p, v: a @ v, p)
    assert "the product is not symmetric" in report.notes[-1]
    assert "not symmetric" in str(report)


@pytest.mark.parametrize("narrow", [False, True])
def test_single_precision_is_not_called_asymmetric_for_its_rounding(narrow: bool) -> None:
    a = np.array([[2.0, 1.0], [1.0, 3.0]], np.float32)
    p = np.array([0.3, -0.4], np.float32)

    def grad(p: Any) -> Any:
        made = a @ p
        return made.astype(np.float32) if narrow else made

    report = check_hvp(grad, lambda p, v: np.float32(1.1) * (a @ v), p)
    assert (report.verdict, report.notes) == ("fail", ())  # a wrong factor, and symmetric all the same
    if not narrow:
        a[0, 1] += np.float32(0.5)
        report = check_hvp(grad, lambda p, v: (a + a.T) @ v / np.float32(2), p)
        assert "the derivative of grad is not symmetric" in report.notes[-1]


def test_numbers_without_axes_have_products_too() -> None:
    at = {"t": np.asarray(0.4), "x": np.array([0.3, -1.2])}

    def tangent(at: Any, along: Any) -> Any:
        return along["t"] * at["x"] + at["t"] * along["x"]

    assert check_jvp(np.sin, lambda t, dt: np.cos(t) * dt, np.asarray(0.4)).verdict == "pass"
    assert check_jvp(lambda at: at["t"] * at["x"], tangent, at).verdict == "pass"
    wrong = check_jvp(lambda at: at["t"] * at["x"], lambda at, along: tangent(at, along) + 1e-6 * along["t"], at)
    assert ("[0]['t']", ()) in {(one.path, one.index) for one in wrong.findings}

    def uneven(at: Any) -> Any:  # of which dt and dx are no gradient of one function
        return {"t": np.asarray(at["x"].sum()), "x": 0 * at["x"]}

    report = check_hvp(uneven, lambda at, along: {"t": np.asarray(along["x"].sum()), "x": along["x"]}, at)
    assert "the derivative of grad is not symmetric" in report.notes[-1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x, dx: (np.cos(x) * dx)[0], "jvp gives float64[3] for the output, expected the shape of the output, (2, 3)"),
        (lambda x, dx: (dx, dx), "expected a tree like the output"),
        (lambda x, dx: None, "jvp gives None for the output"),
    ],
)
def test_a_product_of_another_structure_is_refused(wrong: Any, words: str) -> None:
    with pytest.raises(ValueError, match="jvp gives") as caught:
        check_jvp(np.sin, wrong, X)
    assert words in str(caught.value)
    with pytest.raises(ValueError, match="nothing to differentiate"):
        check_jvp(lambda n: n + 1, lambda n, dn: dn, np.arange(3))
