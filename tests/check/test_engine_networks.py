"""Checks of layers, losses and networks, and what their reports say."""

import json
from functools import partial
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.check import check_layer, check_loss, check_model
from funcnn.check.networks import constants, example_shape, is_shape
from funcnn.typing import Array

MODEL = fn.dense(4) >> fn.tanh() >> fn.serial(fn.dense(3), fn.relu())
X = np.random.default_rng(1).normal(size=(5, 2))


def doubled(backward: Any, params: Any, residuals: Any, dy: Any) -> Any:
    """Return a gradient whose bias is twice what it should be."""
    made = backward(params, residuals, dy)
    return fn.Backward(attrs.evolve(made.params, bias=2 * made.params.bias), made.input)


def quadrupled(backward: Any, residuals: Any) -> Any:
    """Return four times the gradient of a loss."""
    return 4 * backward(residuals)


WRONG = attrs.evolve(fn.dense(3), backward=partial(doubled, fn.dense(3).backward))


def test_every_leaf_of_the_parameters_and_the_input_is_named() -> None:
    for mode in (fn.Train(fn.Key(2)), fn.Eval()):
        report = check_layer(MODEL, (2,), mode=mode)
        assert report.ok
        paths = ["params[0].weight", "params[0].bias", "params[2][0].weight", "params[2][0].bias", "input"]
        assert [leaf.path for leaf in report.leaves] == paths


def test_the_wrong_leaf_of_a_composition_is_named() -> None:
    report = check_layer(fn.tanh() >> WRONG, (2,))
    assert [one.path for one in report.findings] == ["params[1].bias"]
    assert report.findings[0].diagnosis.tag == "constant_factor"
    assert [leaf.verdict for leaf in report.leaves] == ["pass", "fail", "pass"]


def test_several_inputs_are_drawn_from_their_shapes() -> None:
    report = check_layer(fn.parallel(fn.dense(3), fn.tanh()), ((2,), (4,)))
    assert report.ok
    assert [leaf.path for leaf in report.leaves if leaf.path.startswith("input")] == ["input[0]", "input[1]"]


def test_batch_state_and_parameters_can_be_given() -> None:
    made = MODEL.init(fn.Key(0), (2,))
    report = check_layer(MODEL, X, params=made.params, state=made.state)
    assert report.ok
    assert report.leaves[-1].shape == (5, 2)
    assert check_layer(MODEL, (2,), batch=7).leaves[-1].shape == (7, 2)


def test_float32_parameters_and_input() -> None:
    params = fn.tree.astype(MODEL.init(fn.Key(0), (2,)).params, np.float32)
    report = check_layer(MODEL, X.astype(np.float32), params=params)
    assert report.ok
    assert {leaf.dtype for leaf in report.leaves} == {"float32"}


def test_a_backward_that_writes_into_its_residuals_is_found() -> None:
    def backward(params: Any, residuals: Any, dy: Array) -> Any:
        value = residuals.value
        value.setflags(write=True)
        value *= value
        value -= 1
        return fn.Backward(params, -value * dy)

    report = check_layer(attrs.evolve(fn.tanh(), backward=backward), (3,))
    assert "mutates_input" in {one.diagnosis.tag for one in report.findings}


def test_a_layer_may_not_hand_on_its_cotangent() -> None:
    def backward(params: Any, residuals: Any, dy: Array) -> Any:
        return fn.Backward(params, dy)

    assert check_layer(fn.identity(), (3,)).findings == ()
    report = check_layer(attrs.evolve(fn.identity(), backward=backward), (3,))
    assert [one.diagnosis.tag for one in report.findings] == ["aliasing"]


def test_losses() -> None:
    prediction = np.random.default_rng(0).normal(size=(4, 3))
    cases: list[tuple[fn.Loss[Any, Any], Any]] = [
        (fn.mean_squared_error(), 2 * prediction),
        (fn.softmax_cross_entropy(), np.array([0, 2, 1, 1])),
    ]
    for loss, target in cases:
        report = check_loss(loss, prediction, target)
        assert report.ok
        assert [leaf.path for leaf in report.leaves] == ["prediction"]
        wrong = attrs.evolve(loss, backward=partial(quadrupled, loss.backward))
        found = check_loss(wrong, prediction, target).findings[0]
        assert (found.path, found.diagnosis.tag) == ("prediction", "constant_factor")


def test_a_network_with_its_loss() -> None:
    labels = np.array([0, 1, 2, 2, 1])
    report = check_model(MODEL, fn.softmax_cross_entropy(), X, labels, mode=fn.Train(fn.Key(0)))
    assert report.ok
    assert all(leaf.path.startswith("params") for leaf in report.leaves)
    wrong = fn.dense(3) >> fn.relu() >> WRONG
    found = check_model(wrong, fn.softmax_cross_entropy(), X, labels).findings
    assert [one.path for one in found] == ["params[2].bias"]


def test_the_report_as_a_page() -> None:
    report = check_layer(fn.tanh() >> WRONG, (2,), seed=3, mode=fn.Train(fn.Key(4)))
    page = str(report)
    worst = report.findings[0]
    assert page.startswith("FAIL: gradient of serial")
    assert worst.index is not None
    for part in (
        f"params[1].bias[{worst.index[0]}]",
        f"analytic {worst.analytic:.9g}, numeric {worst.numeric:.9g}",
        "constant_factor",
        "3 of 3 entries are off",
        "would see",
        "fn.check.check_layer(layer, (2,), batch=3, mode=fn.Train(fn.Key(4)), seed=3)",
        "      |",
    ):
        assert part in page
    with pytest.raises(AssertionError, match=r"params\[1\].bias"):
        report.raise_if_failed()


def test_the_report_as_data() -> None:
    for report in (check_layer(MODEL, (2,)), check_layer(WRONG, (2,))):
        made = json.loads(json.dumps(report.to_dict()))
        assert made["verdict"] == report.verdict
        assert made["ok"] is report.ok
        assert [leaf["path"] for leaf in made["leaves"]] == [leaf.path for leaf in report.leaves]
        assert [one["diagnosis"]["tag"] for one in made["findings"]] == [one.diagnosis.tag for one in report.findings]


def test_shapes_and_constants() -> None:
    assert is_shape((3, 4))
    assert is_shape(((3,), (4, 5)))
    assert not is_shape((np.ones(3),))
    assert example_shape((np.ones((2, 3)), np.ones((2, 4, 5)))) == ((3,), (4, 5))
    assert constants(partial(lambda rate, eps, x: x, 0.1, eps=3)) == {"rate": 0.1, "eps": 3.0}
