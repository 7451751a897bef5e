"""The fast forms of array operations equal the plain ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from funcnn.kernels import arrays

DTYPES = (np.float32, np.float64, np.longdouble)


def normal(*shape: int, dtype: Any = np.float64) -> Any:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("fast", "plain", "shapes"),
    [
        (arrays.dot, lambda a, b: a @ b, ((3, 4), (4, 2))),
        (arrays.as_matrix, lambda x: x.reshape(-1, x.shape[-1]), ((2, 3, 4),)),
        (arrays.matmul_last, lambda x, w: x @ w, ((2, 3, 4), (4, 5))),
        (arrays.matmul_last, lambda x, w: x @ w, ((3, 4), (4, 5))),
        (arrays.matmul_last_transposed, lambda d, w: d @ w.T, ((2, 3, 4), (5, 4))),
        (arrays.matmul_last_transposed, lambda d, w: d @ w.T, ((2, 20), (17, 20))),
        (arrays.matmul_last_transposed, lambda d, w: d @ w.T, ((1, 2, 20), (17, 20))),
        (arrays.matmul_last_transposed, lambda d, w: d @ w.T, ((0, 4), (5, 4))),
        (arrays.sum_axis0, lambda x: x.sum(0), ((3, 4),)),
        (arrays.column_sums, lambda x: x.sum(-2), ((2, 3, 4),)),
        (arrays.column_sums, lambda x: x.sum(-2), ((2, 0, 3),)),
        (arrays.sum_last, lambda x: x.sum(-1), ((2, 3, 4),)),
        (arrays.mean_last, lambda x: x.mean(-1), ((2, 3, 4),)),
        (arrays.dot_last, lambda x, y: (x * y).sum(-1), ((3, 4), (3, 4))),
        (arrays.dot_last, lambda x, y: (x * y).sum(-1), ((2, 3, 4), (2, 3, 4))),
        (arrays.flatten_examples, lambda x: x.reshape(len(x), -1), ((2, 3, 4),)),
        (arrays.flatten_examples, lambda x: x[:, None], ((3,),)),
        (arrays.absolute, np.abs, ((3, 4),)),
        (arrays.positive_part, lambda x: np.maximum(x, 0), ((3, 4),)),
        (arrays.negative_part, lambda x: np.minimum(x, 0), ((3, 4),)),
        (lambda x: arrays.minimum_with(0.5, x), lambda x: np.minimum(x, x.dtype.type(0.5)), ((3, 4),)),
        (lambda x: arrays.minimum_with(0.5, x), lambda x: np.minimum(x, x.dtype.type(0.5)), ((40, 2, 64),)),
        (lambda y: y + arrays.broadcastable_bias(normal(4, dtype=y.dtype), y), lambda y: y + normal(4, dtype=y.dtype), ((3, 4),)),
        (lambda y: y + arrays.broadcastable_bias(normal(4, dtype=y.dtype), y), lambda y: y + normal(4, dtype=y.dtype), ((1, 4),)),
        (lambda y: y + arrays.broadcastable_bias(normal(1, dtype=y.dtype), y), lambda y: y + normal(1, dtype=y.dtype), ((3, 1),)),
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
    got = arrays.sum_axis0(x)
    assert got.dtype == dtype
    exact = np.ascontiguousarray(x.T).astype(np.longdouble).sum(1)  # along an axis numbers are summed in pairs
    assert (abs(exact - got) < 100 * np.finfo(dtype).eps * abs(x).sum(0)).all()


@pytest.mark.parametrize("shape", [(2, 1100, 300), (70001, 3), (3, 513, 2), (2, 600, 5000)])
def test_sums_of_many_rows_keep_the_digits_of_a_pairwise_sum(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32)
    exact = x.sum(-2, dtype=float)
    assert abs(arrays.column_sums(x) / exact - 1).max() < 6e-7
    assert abs(arrays.sum_axis0(x.reshape(-1, shape[-1])) / x.reshape(-1, shape[-1]).sum(0, dtype=float) - 1).max() < 6e-7


@pytest.mark.parametrize("shape", [(0, 3), (0, 2, 3), (2, 0, 3)])
def test_empty_arrays_have_rows_and_examples(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape)
    assert arrays.as_matrix(x).shape == (0, 3)
    assert len(arrays.flatten_examples(x)) == shape[0]
    assert arrays.sum_last(x).shape == shape[:-1]


def test_sums_of_products_of_complex_rows_are_analytic() -> None:
    x: Any = normal(3, 4) + 1j * normal(4, 3).T
    y: Any = normal(3, 4) - 2j
    np.testing.assert_allclose(arrays.dot_last(x, y), (x * y).sum(-1), rtol=1e-14)


def test_absolute_is_analytic() -> None:
    x: Any = np.array([2.0, -3.0]) + 1e-20j
    np.testing.assert_array_equal(arrays.absolute(x), [2 + 1e-20j, 3 - 1e-20j])


def test_constants_are_shared_and_cannot_be_written_to() -> None:
    kind = np.dtype(np.float32)
    makers: list[Callable[[], Any]] = [
        lambda: arrays.ones(3, kind),
        lambda: arrays.mean_weights(3, kind),
        lambda: arrays.constant((0.5, 2.0), kind),
        lambda: arrays.filled(3, 0.5, kind),
    ]
    for make in makers:
        assert make() is make()
        assert make().dtype == kind
        assert not make().flags.writeable
    assert arrays.constant(0.5, kind).shape == ()


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("moved", [(1, 1), (1, 0), (0, 1), (0, 0)])
@pytest.mark.parametrize("shapes", [((40, 30), (30, 50)), ((3, 4), (4, 2)), ((30, 40, 2), (2, 3))])
def test_products_of_steps_are_those_of_both_parts(dtype: Any, moved: Any, shapes: Any) -> None:
    generator = np.random.default_rng(0)
    a, b = (
        generator.normal(size=shape) + 1e-15j * one * generator.normal(size=shape)
        for shape, one in zip(shapes, moved, strict=True)
    )
    a, b = a.astype(dtype), b.astype(dtype)
    made = arrays.dot(a, b)
    wide = [part.astype(np.longdouble) for part in (a.real, a.imag, b.real, b.imag)]
    eps = 40 * np.finfo(dtype).eps
    assert made.dtype == dtype
    np.testing.assert_allclose(made.real, wide[0] @ wide[2], rtol=0, atol=eps * 40)
    np.testing.assert_allclose(made.imag, wide[0] @ wide[3] + wide[1] @ wide[2], rtol=0, atol=eps * 40e-15)


def test_products_of_other_complex_numbers_are_whole() -> None:
    generator = np.random.default_rng(0)
    both = [generator.normal(size=shape) + 1j * generator.normal(size=shape) for shape in ((40, 30), (30, 50))]
    a: Any = both[0]
    b: Any = both[1]
    np.testing.assert_allclose(arrays.dot(a, b), a @ b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(arrays.dot(1j * a.real, 1j * b.real), -a.real @ b.real, rtol=0, atol=1e-12)
    spoiled = a.copy()
    spoiled[0, 0] = np.nan
    assert np.isnan(arrays.dot(spoiled, b)[0]).all()
