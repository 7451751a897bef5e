"""Digits that are trusted are there: estimates of rounding against long double, over every layer of the library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS
from funcnn.certificate.subjects import start
from funcnn.check import TrustedDigits, trusted_digits
from funcnn.check.case.sampler import WIDER
from funcnn.typing import Array

LAST = 0.25  # of a last digit: less than that no result in this precision is off


def true_errors(model: Any, loss: Any, params: Any, state: Any, x: Any, target: Any) -> dict[str, float]:
    """Return by how much output, loss and gradient differ from those in long double, in their worst entries."""
    step = fn.loss_and_grad(model, loss)
    wide: Any = np.longdouble

    def results(params: Any, state: Any, x: Any, target: Any) -> dict[str, Array]:
        made = step(params, state, x, target, fn.Eval())
        slopes = {"params" + path: slope for path, _, slope in tree.with_cotangents(params, made.grads) if slope is not None}
        return {**dict(tree.walk(made.output, "output")), "loss": np.asarray(made.loss), **slopes}

    plain = results(params, state, x, target)
    exact = results(*[tree.astype(one, wide) for one in (params, state, x, target)])
    return {path: float(np.max(np.abs(value - exact[path]), initial=0)) for path, value in plain.items()}


def subjects(dtype: str) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Yield small layers, each a network of its own with a squared error."""
    for name, cases in LAYERS.items():
        for case in cases:
            if case.method == "screen" or case.surrogate:
                continue
            model = case.make()
            params, state = (tree.astype(one, dtype) for one in start(case, model))
            x = tree.astype(case.x(), dtype)
            output = fn.apply(model, params, state, x)
            if isinstance(output, np.ndarray):
                yield name, model, (params, state, x, np.zeros_like(output))


@pytest.mark.skipif(not WIDER, reason="long double is no wider than float64 here")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_estimates_are_of_the_size_of_the_errors(dtype: str) -> None:
    under, over, loss = [], [], fn.mean_squared_error()
    for name, model, given in list(subjects(dtype))[:: 1 if dtype == "float64" else 3]:
        seen = trusted_digits(model, loss, *given)
        true = true_errors(model, loss, *given)
        assert {one.path for one in seen.results} == set(true)
        for one in seen.results:
            least = LAST * float(np.finfo(one.dtype).eps) * one.size
            if one.size:
                under.append((true[one.path] / max(one.error, least), name, one.path))
                over.append(one.error / max(true[one.path], least))
    assert len(under) > 300
    assert max(under) < (20,)
    assert np.quantile([ratio for ratio, *_ in under], 0.99) < 3
    assert np.quantile(over, 0.98) < 100


def digits(offset: float, dtype: str = "float64") -> tuple[TrustedDigits, dict[str, float]]:
    """Return the estimate for a norm of rows that lie at an offset, through a layer that takes it away and adds it again."""
    model = fn.dense(4) >> fn.tanh() >> fn.dense(2)
    first, middle, last = model.init(fn.Key(1), (3,)).params
    x = np.random.default_rng(1).normal(size=(6, 3)) + offset
    bias = -offset * first.weight.sum(0)
    params: Any = tree.astype((fn.tree.rebuild(first, iter((first.weight, bias))), middle, last), dtype)
    given = params, ((), (), ()), x.astype(dtype), np.zeros((6, 2), dtype)
    loss = fn.mean_squared_error()
    return trusted_digits(model, loss, *given), true_errors(model, loss, *given)


@pytest.mark.parametrize("offset", [1.0, 1e4, 1e8])
def test_digits_that_cancel_are_told(offset: float) -> None:
    seen, true = digits(offset)
    for path in ("output", "loss", "params[0].bias"):
        assert abs(seen[path].digits - (15.5 - np.log10(offset))) < 2
        assert 0.03 < seen[path].error / true[path] < 100
    assert seen.worst.digits == min(one.digits for one in seen.results)


def test_single_precision_has_fewer_digits() -> None:
    double, single = digits(1.0)[0], digits(1.0, "float32")[0]
    assert double["loss"].digits > 14
    assert 5 < single["loss"].digits < 7.5
    assert single["loss"].dtype == "float32"


def test_at_a_kink_the_gradient_has_no_digits() -> None:
    model = fn.dense(1) >> fn.relu()
    params = model.init(fn.Key(1), (2,)).params
    bias = -np.ones((1, 2)) @ params[0].weight
    given: Any = ((tree.rebuild(params[0], iter((params[0].weight, bias[0]))), ()), ((), ()), np.ones((1, 2)), np.ones((1, 1)))
    seen = trusted_digits(model, fn.mean_absolute_error(), *given, draws=20)
    assert seen["params[0].weight"].digits < 1


def test_a_layer_without_rounding_keeps_all_digits() -> None:
    model = fn.flatten()
    seen = trusted_digits(model, fn.mean_squared_error(), (), (), np.zeros((2, 2, 2)), np.zeros((2, 4)))
    assert [one.path for one in seen.results] == ["output", "loss"]
    assert all(one.error == 0 for one in seen.results)
    assert all(15 < one.digits < 16 for one in seen.results)


def test_the_same_call_says_the_same_and_shows_a_table() -> None:
    one, other = digits(1.0)[0], digits(1.0)[0]
    assert one == other
    lines = str(one).splitlines()
    assert lines[0].split() == ["result", "dtype", "largest", "rounding", "digits"]
    assert [line.split()[0] for line in lines[1:]] == [
        "output", "loss", "params[0].weight", "params[0].bias", "params[2].weight", "params[2].bias",
    ]  # fmt: skip
    with pytest.raises(KeyError, match=r"there is no result 'params', only output, loss"):
        one["params"]


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"model": fn.dense}, TypeError, "model is a function, expected a Layer, such as dense.10.: call the factory"),
        ({"loss": 3}, TypeError, "loss is 3, expected a Loss"),
        ({"mode": "train"}, TypeError, "mode is 'train', expected Train.key. or Eval.."),
        ({"draws": 0}, ValueError, "draws"),
        ({"draws": 1.5}, TypeError, "draws"),
    ],
)
def test_bad_input_is_named(changed: dict[str, Any], error: type[Exception], text: str) -> None:
    given: dict[str, Any] = {"model": fn.flatten(), "loss": fn.mean_squared_error(), "params": (), "state": ()}
    given |= {"x": np.zeros((2, 2)), "target": np.zeros((2, 2))}
    with pytest.raises(error, match=text):
        trusted_digits(**{**given, **changed})


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_not_finite_has_no_digits(number: float) -> None:
    model = fn.dense(1)
    start = model.init(fn.Key(0), (2,))
    seen = trusted_digits(model, fn.mean_squared_error(), start.params, start.state, np.array([[1.0, number]]), np.ones((1, 1)))
    assert [one.digits for one in seen.results] == [0.0] * len(seen.results)
    lost = fn.check.Trusted("loss", "float64", 1.0, np.nan)  # another last digit, and it is none
    assert lost.digits == 0
