"""The fast forms of array operations equal the plain ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from funcnn import numerics

DTYPES = (np.float32, np.float64, np.longdouble)


def normal(*shape: int, dtype: Any = np.float64) -> Any:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("fast", "plain", "shapes"),
    [
        (numerics.dot, lambda a, b: a @ b, ((3, 4), (4, 2))),
        (numerics.rows, lambda x: x.reshape(-1, x.shape[-1]), ((2, 3, 4),)),
        (numerics.project, lambda x, w: x @ w, ((2, 3, 4), (4, 5))),
        (numerics.project, lambda x, w: x @ w, ((3, 4), (4, 5))),
        (numerics.project_back, lambda d, w: d @ w.T, ((2, 3, 4), (5, 4))),
        (numerics.project_back, lambda d, w: d @ w.T, ((2, 20), (17, 20))),
        (numerics.project_back, lambda d, w: d @ w.T, ((1, 2, 20), (17, 20))),
        (numerics.project_back, lambda d, w: d @ w.T, ((0, 4), (5, 4))),
        (numerics.sum_rows, lambda x: x.sum(0), ((3, 4),)),
        (numerics.column_sums, lambda x: x.sum(-2), ((2, 3, 4),)),
        (numerics.column_sums, lambda x: x.sum(-2), ((2, 0, 3),)),
        (numerics.row_sums, lambda x: x.sum(-1), ((2, 3, 4),)),
        (numerics.row_means, lambda x: x.mean(-1), ((2, 3, 4),)),
        (numerics.row_dots, lambda x, y: (x * y).sum(-1), ((3, 4), (3, 4))),
        (numerics.row_dots, lambda x, y: (x * y).sum(-1), ((2, 3, 4), (2, 3, 4))),
        (numerics.examples, lambda x: x.reshape(len(x), -1), ((2, 3, 4),)),
        (numerics.examples, lambda x: x[:, None], ((3,),)),
        (numerics.absolute, np.abs, ((3, 4),)),
        (numerics.positive_part, lambda x: np.maximum(x, 0), ((3, 4),)),
        (numerics.negative_part, lambda x: np.minimum(x, 0), ((3, 4),)),
        (lambda x: numerics.at_most(0.5, x), lambda x: np.minimum(x, x.dtype.type(0.5)), ((3, 4),)),
        (lambda x: numerics.at_most(0.5, x), lambda x: np.minimum(x, x.dtype.type(0.5)), ((40, 2, 64),)),
        (lambda y: y + numerics.row(normal(4, dtype=y.dtype), y), lambda y: y + normal(4, dtype=y.dtype), ((3, 4),)),
        (lambda y: y + numerics.row(normal(4, dtype=y.dtype), y), lambda y: y + normal(4, dtype=y.dtype), ((1, 4),)),
        (lambda y: y + numerics.row(normal(1, dtype=y.dtype), y), lambda y: y + normal(1, dtype=y.dtype), ((3, 1),)),
    ],
)
def test_fast_form_equals_the_plain_one(
    fast: Callable[..., Any], plain: Callable[..., Any], shapes: tuple[tuple[int, ...], ...], dtype: Any
) -> None:
    arguments = [normal(*shape, dtype=dtype) for shape in shapes]
    got, expected = fast(*arguments), plain(*arguments)
    assert got.dtype == expected.dtype == dtype
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=8 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_long_sums_keep_their_digits(dtype: Any) -> None:
    x = normal(40000, 2, dtype=dtype)
    got = numerics.sum_rows(x)
    assert got.dtype == dtype
    exact = np.ascontiguousarray(x.T).astype(np.longdouble).sum(1)  # along an axis numbers are summed in pairs
    assert (abs(exact - got) < 100 * np.finfo(dtype).eps * abs(x).sum(0)).all()


@pytest.mark.parametrize("shape", [(2, 1100, 300), (70001, 3), (3, 513, 2), (2, 600, 5000)])
def test_sums_of_many_rows_keep_the_digits_of_a_pairwise_sum(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32)
    exact = x.sum(-2, dtype=float)
    assert abs(numerics.column_sums(x) / exact - 1).max() < 6e-7
    assert abs(numerics.sum_rows(x.reshape(-1, shape[-1])) / x.reshape(-1, shape[-1]).sum(0, dtype=float) - 1).max() < 6e-7


@pytest.mark.parametrize("shape", [(0, 3), (0, 2, 3), (2, 0, 3)])
def test_empty_arrays_have_rows_and_examples(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape)
    assert numerics.rows(x).shape == (0, 3)
    assert len(numerics.examples(x)) == shape[0]
    assert numerics.row_sums(x).shape == shape[:-1]


def test_sums_of_products_of_complex_rows_are_analytic() -> None:
    x: Any = normal(3, 4) + 1j * normal(4, 3).T
    y: Any = normal(3, 4) - 2j
    np.testing.assert_allclose(numerics.row_dots(x, y), (x * y).sum(-1), rtol=1e-14)


def test_absolute_is_analytic() -> None:
    x: Any = np.array([2.0, -3.0]) + 1e-20j
    np.testing.assert_array_equal(numerics.absolute(x), [2 + 1e-20j, 3 - 1e-20j])


def test_constants_are_shared_and_cannot_be_written_to() -> None:
    kind = np.dtype(np.float32)
    makers: list[Callable[[], Any]] = [
        lambda: numerics.ones(3, kind),
        lambda: numerics.mean_weights(3, kind),
        lambda: numerics.constant((0.5, 2.0), kind),
        lambda: numerics.filled(3, 0.5, kind),
    ]
    for make in makers:
        assert make() is make()
        assert make().dtype == kind
        assert not make().flags.writeable
    assert numerics.constant(0.5, kind).shape == ()
