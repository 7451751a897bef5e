"""Requests that cannot be met, at every entry point: an error that names the argument, never a pass."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.check import Report, check_grad, check_hvp, check_jvp, check_layer, check_loss, check_model, check_vjp, numeric_grad
from funcnn.typing import Array

Ask: TypeAlias = Callable[..., object]
X = np.array([0.3, -1.2, 2.0])
ROWS = np.arange(6.0).reshape(2, 3) / 7


def sine_sum(x: Array) -> Array:
    return np.asarray(np.sin(x).sum())


def cosine(x: Array, dy: Array) -> tuple[Array]:
    return (dy * np.cos(x),)


def ask_vjp(**options: Any) -> object:
    return check_vjp(np.sin, cosine, X, **options)


def ask_grad(**options: Any) -> object:
    return check_grad(sine_sum, np.cos, X, **options)


def ask_hvp(**options: Any) -> object:
    return check_hvp(np.sin, lambda x, v: np.cos(x) * v, X, **options)


def ask_jvp(**options: Any) -> object:
    return check_jvp(np.sin, lambda x, v: np.cos(x) * v, X, **options)


def ask_numeric(**options: Any) -> object:
    return numeric_grad(sine_sum, X, **options)


def ask_layer(**options: Any) -> object:
    return check_layer(fn.dense(2), (3,), **options)


def ask_loss(**options: Any) -> object:
    return check_loss(fn.mean_squared_error(), X, 2 * X, **options)


def ask_model(**options: Any) -> object:
    return check_model(fn.dense(2), fn.mean_squared_error(), ROWS, ROWS[:, :2].copy(), **options)


CHECKS: tuple[Ask, ...] = (ask_vjp, ask_grad, ask_hvp, ask_jvp, ask_layer, ask_loss, ask_model)


@pytest.mark.parametrize("ask", [*CHECKS, ask_numeric])
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"seed": 1.5}, TypeError, "seed is 1.5"),
        ({"seed": None}, TypeError, "seed is None"),
        ({"seed": True}, TypeError, "seed is True"),
        ({"reference": "complex"}, ValueError, "reference is 'complex', expected one of 'auto', 'longdouble', 'float64'"),
        ({"reference": None}, ValueError, "reference is None"),
    ],
)
def test_options(ask: Ask, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        ask(**options)


@pytest.mark.parametrize("ask", CHECKS)
@pytest.mark.parametrize("method", ["complete", None, 1])
def test_methods(ask: Ask, method: Any) -> None:
    with pytest.raises(ValueError, match=r"method is .*expected one of 'auto', 'full', 'screen'"):
        ask(method=method)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: check_vjp(None, cosine, X), "f is None, expected a function"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: check_vjp(np.sin, 3, X), "vjp is 3, expected a function"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: check_grad("sin", np.cos, X), "loss is 'sin', expected a function"),  # type: ignore[arg-type]  # on purpose
        (lambda: check_grad(sine_sum, None, X), "grad is None, expected a function"),  # type: ignore[arg-type]  # on purpose
        (lambda: check_jvp(np.sin, X, X), "jvp is a ndarray, expected a function"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: check_hvp(np.sin, X, X), "hvp is a ndarray, expected a function"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: numeric_grad(2.0, X), "f is 2.0, expected a function"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: check_layer(fn.tanh, (3,)), "layer is a function, expected a Layer"),  # type: ignore[arg-type]  # on purpose
        (lambda: check_layer(None, (3,)), "layer is None, expected a Layer"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: check_loss(np.sin, X, X), "loss is a ufunc, expected a Loss"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: check_model(np.sin, fn.mean_squared_error(), ROWS, ROWS), "model is a ufunc"),  # type: ignore[arg-type]  # wrong
        (lambda: check_model(fn.tanh(), fn.mean_squared_error, ROWS, ROWS), "loss is a function"),  # type: ignore[arg-type]  # wrong
    ],
)
def test_what_is_no_function_layer_or_loss(ask: Callable[[], object], words: str) -> None:
    with pytest.raises(TypeError, match=re.escape(words)):
        ask()


@pytest.mark.parametrize("mode", ["train", True, fn.Train, fn.Key(0)])
def test_modes(mode: Any) -> None:
    with pytest.raises(TypeError, match=r"mode is .*expected Train\(key\) or Eval\(\)"):
        ask_layer(mode=mode)
    with pytest.raises(TypeError, match=r"mode is .*expected Train\(key\) or Eval\(\)"):
        ask_model(mode=mode)


@pytest.mark.parametrize("batch", [-1, 1.5, "a", None, True])
def test_batches(batch: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"batch is .*expected an integer of at least 0"):
        ask_layer(batch=batch)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ((-1,), "x is the shape (-1,)"),
        ((2.5,), "x[0] is 2.5"),
        (("a",), "x[0] is 'a'"),
        ((3, (2,)), "x is (3, (2,))"),
        (None, "input is None"),
        ([3.0], "input is a list"),
        (3, "input is a int"),
        (np.array(1.0), "input is float64[]"),
        ((ROWS, [1.0]), "input[1] is a list"),
    ],
)
def test_inputs(x: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(words)):
        check_layer(fn.dense(2), x)
    given: Any = x
    if "input" in words:
        with pytest.raises((TypeError, ValueError), match=re.escape(words)):
            check_model(fn.dense(2), fn.mean_squared_error(), given, ROWS)


def test_parameters_and_states_of_another_layer() -> None:
    made = fn.dense(2).init(fn.Key(0), (3,))
    for params in (made.params.weight, (made.params.weight, made.params.bias), {"weight": made.params.weight}):
        with pytest.raises(TypeError, match=r"params has the leaves .*, expected params.weight, params.bias"):
            ask_layer(params=params)
        with pytest.raises(TypeError, match=r"params has the leaves .*, expected params.weight, params.bias"):
            ask_model(params=params)
    with pytest.raises(TypeError, match=r"params.bias is None"):
        ask_layer(params=attrs.evolve(made.params, bias=None))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match=r"state has the leaves of an empty tree, expected state.mean"):
        check_layer(fn.batch_norm(), (3,), state=())  # type: ignore[misc]  # wrong on purpose


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.ones(2), "has shape (2,), expected (3,)"),
        ([1.0, 2.0, 3.0], "is a list"),
        (np.ones(3, int), "is int64[3]"),
        (np.zeros(3), "is zero everywhere: any gradient would pass"),
        (np.array([1.0, np.inf, 1.0]), "has entries that are not finite"),
    ],
)
def test_cotangents_and_vectors(given: Any, words: str) -> None:
    with pytest.raises(ValueError, match="cotangent " + re.escape(words)):
        ask_vjp(cotangent=given)
    with pytest.raises(ValueError, match="cotangent " + re.escape(words)):
        numeric_grad(np.sin, X, cotangent=given)
    with pytest.raises(ValueError, match="vector " + re.escape(words)):
        ask_hvp(vector=given)


def test_numeric_gradients_of_what_has_none() -> None:
    with pytest.raises(ValueError, match="gives 1 numbers that are not finite at this point"):
        numeric_grad(lambda x: x.sum() * np.nan, X)
    with pytest.raises(TypeError, match=r"gives int64\[\]"):
        numeric_grad(np.argmax, X)

    def fails(x: Array) -> Array:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as raised:
        numeric_grad(fails, X)
    assert "raised by the function" in raised.value.__notes__[0]


def kinds(report: Report) -> set[tuple[str, str]]:
    return {(one.kind, one.path) for one in report.findings}


def test_results_of_other_kinds_of_array() -> None:
    rows = ROWS.copy()
    for made in (np.ma.masked_array, np.matrix):
        report = check_vjp(np.sin, lambda x, dy, made=made: (made(dy * np.cos(x)),), rows)
        assert report.verdict == "fail"
        assert ("structure", "[0]") in kinds(report)


def test_a_gradient_that_fails_with_another_cotangent() -> None:
    def vjp(x: Array, dy: Array) -> tuple[Array]:
        if dy[0] < 0:
            raise ArithmeticError("negative")
        return cosine(x, dy)

    report = check_vjp(np.sin, vjp, X, cotangent=np.ones(3))
    assert report.verdict == "fail"
    assert "fails with another cotangent: ArithmeticError: negative" in report.findings[0].text


def test_numbers_in_an_output_are_arrays() -> None:
    def f(x: Array) -> Any:
        return {"sum": np.sum(x), "parts": (float(x[0] ** 2), x.argmax())}

    def vjp(x: Array, dy: Any) -> tuple[Array]:
        d = np.full_like(x, dy["sum"])
        d[0] += 2 * x[0] * dy["parts"][0]
        return (d,)

    assert check_vjp(f, vjp, X).ok
    assert not check_vjp(f, lambda x, dy: (np.full_like(x, dy["sum"]),), X).ok


def test_a_python_float_has_the_precision_of_the_arguments() -> None:
    assert check_vjp(lambda x: float((x * x).sum()), lambda x, dy: (2 * x * dy,), X.astype(np.float32)).ok


def test_infinite_entries_have_a_gradient_of_zero_where_the_function_is_finite() -> None:
    x = np.array([[0.3, -np.inf, 1.2], [1.0, 2.0, -np.inf]])

    def softmax(x: Array) -> Array:
        e = np.exp(x - x.max(1, keepdims=True))
        y: Array = e / e.sum(1, keepdims=True)
        return y

    def vjp(x: Array, dy: Array, more: float = 0.0) -> tuple[Array]:
        y = softmax(x)
        return (y * (dy - (y * dy).sum(1, keepdims=True)) + more * dy * np.isinf(x),)

    assert check_vjp(softmax, vjp, x).ok
    assert check_vjp(softmax, lambda x, dy: vjp(x, dy, 0.1), x).verdict == "fail"


def test_the_page_says_first_what_is_wrong_and_ends_with_a_line_to_paste() -> None:
    def scaled(x: Array, dy: Array) -> tuple[Array]:
        return (2 * dy * np.cos(x),)

    lines = str(check_vjp(np.sin, scaled, X, method="full", reference="float64", cotangent=np.ones(3))).splitlines()
    assert lines[:2] == ["FAIL: gradient of sin", "1 of 1 leaf not passed; look at [0] (constant_factor)"]
    assert (
        lines[-1] == "again: fn.check.check_vjp(sin, scaled, x, cotangent=cotangent, method='full', reference='float64', seed=0)"
    )
    unnamed = str(check_grad(lambda p: np.sin(p).sum(), lambda p: np.sin(p), X))
    assert unnamed.splitlines()[-1] == "again: fn.check.check_grad(loss, grad, params, seed=0)"


def test_a_cause_is_told_once() -> None:
    report = check_vjp(np.sin, lambda x, dy: (abs(dy) * np.cos(x),), X)
    assert str(report).count("not linear in dy") == 1
    assert "rejected" not in str(report)


def test_a_report_in_a_notebook() -> None:
    report = check_vjp(lambda x: np.sin(x), lambda x, dy: (dy * np.cos(x) * (x > 1),), X)
    page = report._repr_html_()
    assert page.startswith("<div>")
    assert page.count("<svg") == 1
    assert "FAIL" in page
    assert "row_or_column" in page or "region" in page
    assert "&lt;lambda&gt;" in page  # text, not markup
    assert "<svg" not in check_vjp(np.sin, cosine, X)._repr_html_()
