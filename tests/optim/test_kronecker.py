"""Shampoo and SOAP against the papers' algorithms, number by number, with eigenvalues by Jacobi's rotations."""

import math
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.optim.rules.kronecker import axes
from tests.optim.cases import BETAS, draw

SHAPES = {"matrix": (3, 4), "square": (3, 3), "kernel": (2, 3, 2), "row": (1, 2), "convolution": (2, 2, 1, 3), "column": (2, 1)}
"""With no two eigenvalues of 0 in a first matrix, whose vectors would be anything."""
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble], ids=lambda dtype: np.dtype(dtype).name)


def drawn(seed: int, dtype: Any) -> Any:
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


def jacobi(matrix: Any) -> tuple[Any, Any]:
    """Return the eigenvalues and eigenvectors of a symmetric matrix, largest first, by rotations of two rows and columns."""
    a = np.array(matrix, np.longdouble)
    size = len(a)
    vectors = np.eye(size, dtype=np.longdouble)
    for _ in range(60):
        for i in range(size):
            for j in range(i + 1, size):
                if a[i, j] == 0:
                    continue
                angle = 0.5 * np.arctan2(2 * a[i, j], a[j, j] - a[i, i])
                c, s = np.cos(angle), np.sin(angle)
                for own in (a.T, a, vectors.T):  # columns, rows, columns
                    own[[i, j]] = np.array([c * own[i] - s * own[j], s * own[i] + c * own[j]])
    order = np.argsort(-np.diag(a))
    return np.diag(a)[order], vectors[:, order]


def products(g: Any, axis: int) -> Any:
    """Return the sums of products of the slices of an axis."""
    length = g.shape[axis]
    found = np.zeros((length, length), np.longdouble)
    for i in range(length):
        for j in range(length):
            found[i, j] = (g.take(i, axis) * g.take(j, axis)).sum()
    return found


def multiplied(matrix: Any, g: Any, axis: int) -> Any:
    found = np.zeros_like(g)
    for index in np.ndindex(g.shape):
        for j in range(g.shape[axis]):
            found[index] += matrix[index[axis], j] * g[(*index[:axis], j, *index[axis + 1 :])]
    return found


def orthonormal(matrix: Any) -> Any:
    """Return Gram and Schmidt's columns."""
    columns: list[Any] = []
    for column in matrix.T:
        for _ in range(2):
            for before in columns:
                column = column - before * (before * column).sum()
        columns.append(column / np.sqrt((column**2).sum()))
    return np.array(columns).T


def by_shampoo(p: Any, grads: list[Any], momentum: float, eps: float, every: int, diagonal: tuple[int, ...] = ()) -> Any:
    """Algorithm 2 of the paper, with its diagonals for some axes."""
    order, velocity = p.ndim, 0 * p
    sums = [eps * np.eye(length, dtype=np.longdouble) for length in p.shape]
    roots: list[Any] = [None] * order
    for t, g in enumerate(grads):
        step = g
        for axis in range(order):
            found = products(g, axis)
            sums[axis] = sums[axis] + (np.diag(np.diag(found)) if axis in diagonal else found)
            if t % every == 0:
                values, vectors = jacobi(sums[axis])
                roots[axis] = (vectors * values ** (-1 / np.longdouble(2 * order))) @ vectors.T
            step = multiplied(roots[axis], step, axis)
        velocity = momentum * velocity + step
        p = p - 0.1 * velocity
    return p


def by_soap(p: Any, grads: list[Any], decay: float, every: int, turned: tuple[int, ...]) -> Any:
    """Algorithms 3 and 4 of the paper, with Adam's corrections, and its first step, which makes the bases."""
    beta1, beta2, eps = 0.8, 0.9, 1e-3
    m, v = 0 * p, 0 * p
    grams = {axis: (1 - beta2) * products(grads[0], axis) for axis in turned}
    bases = {axis: jacobi(grams[axis])[1] for axis in turned}
    for t, g in enumerate(grads[1:], 1):
        own, m = g, beta1 * m + (1 - beta1) * g
        mean = m
        for axis in turned:
            own, mean = multiplied(bases[axis].T, own, axis), multiplied(bases[axis].T, mean, axis)
        v = beta2 * v + (1 - beta2) * own**2
        step = (mean / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        for axis in turned:
            step = multiplied(bases[axis], step, axis)
        p = p - 0.1 * (step + decay * p)
        for axis in turned:
            grams[axis] = beta2 * grams[axis] + (1 - beta2) * products(g, axis)
            if t % every == 0:
                bases[axis] = orthonormal(grams[axis] @ bases[axis])
    return p


def run(opt: fn.Optimizer, params: Any, steps: list[Any]) -> tuple[Any, Any]:
    state = opt.init(params)
    for grads in steps:
        updated = opt.update(params, grads, state)
        params, state = updated.params, updated.state
    return params, state


def compare(opt: Any, reference: Any, dtype: Any, params: Any, steps: list[Any]) -> None:
    got, _ = run(opt, params, steps)
    tolerance = 1e-4 if dtype == np.float32 else 1e-11  # times the condition of the matrices
    for name, start in params.items():
        expected = reference(start.astype(np.longdouble), [one[name].astype(np.longdouble) for one in steps])
        assert got[name].dtype == dtype
        np.testing.assert_allclose(got[name].astype(np.longdouble), expected, rtol=tolerance, atol=tolerance, err_msg=name)


@each_dtype
@pytest.mark.parametrize(("momentum", "every"), [(0.0, 1), (0.8, 2)])
def test_shampoo_follows_the_paper(momentum: float, every: int, dtype: Any) -> None:
    params = {**drawn(0, dtype), "vector": np.ones(4, dtype)}
    steps = [{**drawn(seed, dtype), "vector": np.cos(seed * np.arange(4, dtype=dtype))} for seed in range(1, 6)]
    opt = fn.shampoo(0.1, momentum=momentum, eps=0.5, every=every)
    compare(opt, lambda p, grads: by_shampoo(p, grads, momentum, 0.5, every), dtype, params, steps)


@each_dtype
@pytest.mark.parametrize("every", [1, 3])
def test_soap_follows_the_paper(every: int, dtype: Any) -> None:
    opt = fn.soap(0.1, weight_decay=0.2, every=every, **BETAS)
    steps = [drawn(seed, dtype) for seed in range(1, 8)]
    compare(opt, lambda p, grads: by_soap(p, grads, 0.2, every, tuple(range(p.ndim))), dtype, drawn(0, dtype), steps)


def test_a_number_and_a_vector_are_adagrad_and_adam() -> None:
    """A number has one product with itself; what is not turned takes all of Adam's steps."""
    small = {"number": np.array(2.0), "vector": np.array([1.0, -1.0, 0.5])}
    steps: list[Any] = [{key: np.asarray(np.sin(leaf + seed)) for key, leaf in small.items()} for seed in range(4)]
    got, _ = run(fn.soap(0.1, weight_decay=0.3, **BETAS), small, steps)
    expected, _ = run(fn.adam(0.1, **BETAS), small, steps)
    for key in small:
        np.testing.assert_allclose(got[key], expected[key], rtol=1e-14)
    got, _ = run(fn.shampoo(0.1, eps=0.5, max_axis_length=2), small, steps)  # the vector is too long
    for key, start in small.items():
        p, total = start, 0.5 + 0 * start
        for one in steps:
            total = total + one[key] ** 2
            p = p - 0.1 * one[key] / np.sqrt(total)
        np.testing.assert_allclose(got[key], p, rtol=1e-14)


def test_long_axes_have_no_matrix() -> None:
    table = np.random.default_rng(0).normal(size=(50_000, 3))
    opt = fn.soap(0.1, every=1, **BETAS)
    assert [slot.shape for slot in opt.init(table).slots] == [(50_000, 3), (50_000, 3), (3, 3), (3, 3)]
    assert [slot.shape for slot in fn.shampoo(max_axis_length=3).init(table).slots] == [(50_000,), (50_000,), (3, 3), (3, 3)]
    part = {"table": table[:5]}
    steps: list[Any] = [{"table": np.sin(table[5 * seed : 5 * seed + 5])} for seed in range(1, 6)]
    one_sided = fn.soap(0.1, every=1, max_axis_length=4, **BETAS)
    compare(one_sided, lambda p, grads: by_soap(p, grads, 0.0, 1, (1,)), np.float64, part, steps)
    mixed = fn.shampoo(0.1, eps=0.5, max_axis_length=4)
    compare(mixed, lambda p, grads: by_shampoo(p, grads, 0.0, 0.5, 1, (0,)), np.float64, part, steps)
    diagonals = fn.shampoo(0.1, eps=0.5, where="nothing at all")
    compare(diagonals, lambda p, grads: by_shampoo(p, grads, 0.0, 0.5, 1, (0, 1)), np.float64, part, steps)


def test_the_first_step_makes_the_eigenvectors() -> None:
    params, grads = draw(0), draw(1)
    opt = fn.soap(0.1, where=lambda path, shape: shape == (5, 2))
    updated = opt.update(params, grads, opt.init(params))
    assert tree.same(updated.params[2], params[2])
    assert not tree.same(updated.params[1], params[1])
    gram, basis = updated.state.slots[-4:-2]
    assert basis.shape == (5, 5)
    turned = basis.T @ gram @ basis
    np.testing.assert_allclose(basis.T @ basis, np.eye(5), atol=1e-14)
    np.testing.assert_allclose(turned, np.diag(np.diag(turned)), atol=1e-14)
    assert (np.diff(np.diag(turned)) <= 1e-14).all()


@pytest.mark.parametrize("opt", [fn.shampoo(0.1, eps=1e-6), fn.soap(0.1, eps=0.0)], ids=["shampoo", "soap"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_of_any_size_take_the_same_steps(opt: Any, dtype: Any) -> None:
    """A common factor cancels as far as squares are numbers, and the steps stay finite beyond."""
    most = float(np.finfo(dtype).maxexp)
    runs = []
    for exponent in (0, -int(0.2 * most), int(0.3 * most), int(0.95 * most)):
        own = attrs.evolve(opt, eps=math.ldexp(opt.eps, min(2 * exponent, 1000)))
        steps = [tree.map(lambda g, e=exponent: np.asarray(np.ldexp(g, e)), drawn(seed, dtype)) for seed in (1, 2, 3)]  # type: ignore[misc]  # e is a number
        runs.append(run(own, drawn(0, dtype), steps)[0])
    for other in runs[1:-1]:
        for ours, theirs in zip(tree.leaves(other), tree.leaves(runs[0]), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3 if dtype == np.float32 else 1e-9)
    assert all(np.isfinite(leaf).all() for leaf in tree.leaves(runs[-1]))


@pytest.mark.parametrize("opt", [fn.shampoo(0.1), fn.soap(0.1)], ids=["shampoo", "soap"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_not_hidden(opt: Any, bad: float) -> None:
    params = {"spoilt": np.ones((2, 3)), "other": np.ones((2, 2))}
    grads = {key: np.cos(np.arange(leaf.size, dtype=float)).reshape(leaf.shape) for key, leaf in params.items()}
    spoilt = {**grads, "spoilt": grads["spoilt"] * bad}
    with np.errstate(invalid="ignore"):
        got, _ = run(opt, params, [grads, spoilt, grads])
    assert np.isnan(got["spoilt"]).any()
    assert np.isfinite(got["other"]).all()


def test_a_root_multiplies_to_the_inverse() -> None:
    columns = np.random.default_rng(0).normal(size=(4, 9))
    matrix = columns @ columns.T
    root = axes.inverse_root(matrix, 4, 0.25)
    np.testing.assert_allclose(root @ root @ root @ root @ (matrix + 0.25 * np.eye(4)), np.eye(4), atol=1e-12)
    assert math.isclose(axes.inverse_root(np.array([15.75]), 4, 0.25)[0], 0.5, rel_tol=1e-15)
