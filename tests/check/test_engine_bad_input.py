"""Bad input: a clear error or a finding with the name of the argument, never a pass."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from funcnn.check import check_grad, check_layer, check_vjp, numeric_grad
from funcnn.typing import Array

X = np.array([0.3, -1.2, 2.0])


def cosine(x: Array, dy: Array) -> tuple[Array]:
    return (dy * np.cos(x),)


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((np.arange(3),), ValueError, "x is int64[3]"),
        ((np.array([True, False]),), ValueError, "x is bool[2]"),
        ((np.array([1.0, 2.0], dtype=object),), TypeError, "x is object[2]"),
        ((np.array(["a"]),), TypeError, "x is <U1[1]"),
        ((X + 1j,), TypeError, "x is complex128[3]"),
        ((2.0,), TypeError, "x is a float (2.0)"),
        (([1.0, 2.0],), TypeError, "x is a list"),
        (({"a": [1.0]},), TypeError, "x['a'] is a list"),
        ((None,), TypeError, "x is None"),
        ((np.ma.masked_array(X, [False, True, False]),), TypeError, "x is a masked array"),
    ],
)
def test_arguments_that_cannot_be_differentiated(args: tuple[Any, ...], error: type[Exception], words: str) -> None:
    def f(x: Any) -> Any:
        return np.sin(x)

    with pytest.raises(error, match=re.escape(words)):
        check_vjp(f, cosine, *args)
    with pytest.raises(error, match=re.escape(words)):
        numeric_grad(f, *args)


def test_arguments_that_share_memory() -> None:
    def vjp(a: Array, b: Array, dy: Array) -> tuple[Array, Array]:
        return b * dy, a * dy

    for a, b in ((X, X), (X[:2], X[1:]), (X, X[::-1])):
        with pytest.raises(ValueError, match=r"a and b share memory.*b\.copy\(\)"):
            check_vjp(lambda a, b: a * b, vjp, a, b)
    assert check_vjp(lambda a, b: a * b, vjp, X[:1], X[1:2]).ok


def test_empty_arrays_are_no_pass() -> None:
    report = check_vjp(np.sin, cosine, np.zeros((0, 3)))
    assert report.verdict == "inconclusive"
    assert report.findings[0].path == "[0]"
    wrong = check_vjp(np.sin, lambda x, dy: (np.zeros(3),), np.zeros((0, 3)))
    assert wrong.verdict == "fail"


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (lambda x: x.argmax(), TypeError, "gives int64[]"),
        (lambda x: x * 1j, TypeError, "gives complex128[3]"),
        (lambda x: [np.sin(x)], TypeError, "the output is a list"),
        (lambda x: None, TypeError, "the output is None"),
    ],
)
def test_outputs_that_cannot_be_differentiated(f: Callable[..., Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        check_vjp(f, cosine, X)


def test_errors_of_the_function_and_of_the_gradient_say_where_they_came_from() -> None:
    def fails(*args: Array) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as raised:
        check_vjp(fails, cosine, X)
    assert "raised by the function" in raised.value.__notes__[0]
    with pytest.raises(KeyError, match="mine") as raised:
        check_vjp(np.sin, fails, X)
    assert "raised by the gradient" in raised.value.__notes__[0]


def test_a_function_that_raises_or_ends_next_to_the_point() -> None:
    def only_here(x: Array) -> Array:
        if not (x == 1).all():
            raise ArithmeticError
        return 2 * x

    assert check_vjp(only_here, lambda x, dy: (2 * dy,), np.ones(2)).verdict == "inconclusive"
    nowhere = check_vjp(lambda x: np.where(x == 1, x, np.nan), lambda x, dy: (1 * dy,), np.ones(2))
    assert nowhere.verdict == "inconclusive"


def test_a_function_that_is_not_finite_at_the_point() -> None:
    with np.errstate(all="ignore"):
        for x in (np.array([1.0, -1.0]), np.array([0.0, 1.0])):
            report = check_vjp(np.log, lambda x, dy: (dy / x,), x)
            assert report.verdict == "fail"
            assert report.findings[0].diagnosis.tag == "nonfinite"


def test_a_function_with_another_shape_each_time() -> None:
    sizes = iter(range(1, 100))

    def grows(x: Array) -> Array:
        y: Array = np.ones(next(sizes)) * x.sum()
        return y

    report = check_vjp(grows, cosine, X)
    assert report.verdict == "fail"
    assert report.findings[0].diagnosis.tag == "shape"


def test_an_argument_that_is_not_a_number() -> None:
    x = np.array([np.nan, 1.0])
    report = check_vjp(lambda x: np.nan_to_num(np.tanh(x)), lambda x, dy: (dy / np.cosh(x) ** 2,), x)
    assert not report.ok
    assert "[0]" in {one.path for one in report.findings}
    unsure = check_vjp(lambda x: np.nan_to_num(np.tanh(x)), lambda x, dy: (dy / np.cosh(np.nan_to_num(x)) ** 2,), x)
    assert unsure.verdict == "inconclusive"
    assert "the argument itself is nan" in unsure.findings[0].text


@pytest.mark.parametrize("cotangent", [np.ones(2), np.ones((3, 1)), "a", None, np.array([1.0, np.nan, 1.0]), (X,)])
def test_cotangents(cotangent: Any) -> None:
    if cotangent is None:
        assert check_vjp(np.sin, cosine, X, cotangent=None).ok
    else:
        with pytest.raises((ValueError, TypeError), match="cotangent"):
            check_vjp(np.sin, cosine, X, cotangent=cotangent)


def test_a_scalar_function_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"gives float64\[3\], expected a single number"):
        check_grad(np.sin, np.cos, X)
    with pytest.raises(ValueError, match="a gradient needs one, or a cotangent"):
        numeric_grad(np.sin, X)


@pytest.mark.parametrize("grads", [None, 3.0, (X,), {"a": X}, [1.0, 2.0, 3.0], "x", np.array(["a", "b", "c"])])
def test_gradients_of_any_other_kind_are_findings(grads: Any) -> None:
    report = check_grad(lambda x: np.sin(x).sum(), lambda x: grads, X)
    assert report.verdict == "fail"
    assert {one.path for one in report.findings} == {"params"}
    assert str(report)


def test_nothing_at_all() -> None:
    with pytest.raises(ValueError, match="there is no argument"):
        check_vjp(lambda: np.ones(2), lambda dy: ())


def test_a_layer_and_an_input_that_do_not_fit() -> None:
    import funcnn as fn

    made = fn.dense(3).init(fn.Key(0), (4,))
    with pytest.raises(ValueError, match="expected 4 features"):
        check_layer(fn.dense(3), np.ones((2, 5)), params=made.params)


def test_a_function_that_raises_when_it_is_called_again() -> None:
    calls = 0

    def tired(x: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 4:
            raise RuntimeError("no more")
        return np.sin(x)

    with pytest.raises(RuntimeError, match="no more") as caught:
        check_vjp(tired, lambda x, dy: (dy * np.cos(x),), np.ones(3))
    assert "when it was called again" in caught.value.__notes__[0]


def test_the_order_of_bytes_is_no_dtype() -> None:
    x = np.array([0.3, -1.2], ">f8")
    for vjp in (lambda x, dy: (dy * np.cos(x),), lambda x, dy: ((dy * np.cos(x)).astype(x.dtype),)):
        assert check_vjp(np.sin, vjp, x).ok
