"""Functions of other people's making: their containers, their habits, their kernels, their symmetric matrices."""

import dataclasses
from typing import NamedTuple

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.check.adapters.forms import Numbers, gradient_to_tree, to_foreign, to_tree
from funcnn.typing import Array

check = fn.check.check_foreign
RNG = np.random.default_rng(3)
X = RNG.normal(size=(3, 4))


@dataclasses.dataclass(frozen=True)
class Cell:
    weight: Array
    name: str
    _scale: float


@attrs.define
class Pair:
    first: list[Array]
    second: Array


class Named(NamedTuple):
    a: Array
    b: float


def test_any_container_comes_back_as_it_was() -> None:
    given = {
        "cells": [Cell(np.ones(2), "tanh", 0.5)],
        3: Pair([np.zeros(1)], np.ones((1, 1))),
        "n": 7,
        "pair": Named(np.ones(1), 2.0),
    }
    kind = Numbers()
    tree = to_tree(given, kind)
    paths = ["['3'].first[0]", "['3'].second", "['cells'][0].weight", "['cells'][0].scale", "['pair'].a", "['pair'].b"]
    assert list(fn.tree.paths(tree)) == paths
    doubled = fn.tree.map(lambda leaf: 2 * leaf, tree)
    back = to_foreign(given, doubled, kind.foreign)
    assert isinstance(back, dict)
    (cell,) = back["cells"]
    assert isinstance(cell, Cell)
    assert (cell.name, cell._scale, back["n"]) == ("tanh", 1.0, 7)
    assert isinstance(cell._scale, float)
    assert isinstance(back[3], Pair)
    assert back["pair"].b == 4.0
    assert given["cells"][0]._scale == 0.5  # type: ignore[index]  # of many kinds
    again = gradient_to_tree(tree, back)
    for one, other in zip(fn.tree.leaves(doubled), fn.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)


def cell_value(cell: Cell, x: list[Array]) -> list[Array]:
    return [np.tanh(one @ cell.weight) * cell._scale for one in x]


def cell_vjp(cell: Cell, x: list[Array], dy: list[Array], factor: float = 1.0) -> tuple[object, ...]:
    ys = [np.tanh(one @ cell.weight) for one in x]
    dzs = [d * cell._scale * (1 - y**2) for d, y in zip(dy, ys, strict=True)]
    dweight = sum(one.T @ dz for one, dz in zip(x, dzs, strict=True))
    dscale = factor * sum(np.sum(d * y) for d, y in zip(dy, ys, strict=True))
    return {"weight": dweight, "name": None, "_scale": dscale}, [dz @ cell.weight.T for dz in dzs]


def test_dataclasses_and_lists_are_trees() -> None:
    cell = Cell(RNG.normal(size=(4, 2)), "tanh", 0.7)
    report = check(cell_value, cell_vjp, cell, [X, X[:2] + 1])
    assert report.ok, report
    assert [leaf.path for leaf in report.leaves] == ["[0].weight", "[0].scale", "[1][0]", "[1][1]"]
    wrong = check(cell_value, lambda cell, x, dy: cell_vjp(cell, x, dy, 0.5), cell, [X, X[:2] + 1])
    assert [(one.path, one.diagnosis.tag) for one in wrong.findings] == [("[0].scale", "constant_factor")]


def careless(x: Array, n: Array, dy: Array) -> list[object]:
    dy *= np.cos(x)  # writes into dy, gives it back in another dtype and 0 for integers
    return [dy.astype(np.float64)[:], np.zeros(n.shape)]


def test_values_alone_are_judged_without_the_contract() -> None:
    x, n = X.astype(np.float32), np.arange(3)
    strict = check(lambda x, n: np.sin(x), careless, x, n)
    assert {one.kind for one in strict.findings} >= {"mutation", "structure"}
    assert check(lambda x, n: np.sin(x), careless, x, n, contract=False).ok
    wrong = check(lambda x, n: np.sin(x), lambda x, n, dy: careless(x, n, 1.001 * dy), x, n, contract=False)
    assert [one.kind for one in wrong.findings] == ["value"]


def kernel(x: Array) -> Array:
    if not (x.flags.writeable and x.flags.c_contiguous):
        raise ValueError("buffer source array is read-only")
    return np.exp(x)


def test_kernels_that_refuse_read_only_or_strided_buffers() -> None:
    assert check(kernel, lambda x, dy: (kernel(x) * dy,), X, writable=True).ok
    accused = check(kernel, lambda x, dy: (kernel(x) * dy,), X)
    assert {one.kind for one in accused.findings} == {"layout"}
    wrong = check(kernel, lambda x, dy: (kernel(x).T[:3, :3].sum() * dy,), X, writable=True)
    assert wrong.verdict == "fail"


def single(x: Array) -> Array:
    assert x.dtype == np.float32, "a kernel of single precision reads nothing else"
    return np.sin(x) * x


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1.05, "fail")])
def test_kernels_of_single_precision(factor: float, verdict: str) -> None:
    def vjp(x: Array, dy: Array) -> tuple[Array]:
        assert x.dtype == dy.dtype == np.float32
        return (dy * (np.sin(x) + x * np.cos(x) * np.float32(factor)),)

    report = check(single, vjp, X, precision="single", explain=False)
    assert report.verdict == verdict, report
    assert report.leaves[0].dtype == "float32"
    assert report.leaves[0].power < 0.05


@pytest.mark.parametrize("noise", [1e-12, 1e-7])
def test_kernels_that_vary_from_call_to_call(noise: float) -> None:
    random = np.random.default_rng(0)

    def vary(y: Array) -> Array:
        return y * (1 + noise * random.normal(size=y.shape))

    def check_with(factor: float, deterministic: bool) -> fn.check.Report:
        return check(
            lambda x: vary(np.tanh(x)),
            lambda x, dy: (vary(factor * dy * (1 - np.tanh(x) ** 2)),),
            X,
            deterministic=deterministic,
            explain=False,
        )

    assert check_with(1.0, True).findings[0].kind == "determinism"
    report = check_with(1.0, False)
    assert report.ok, report
    assert 10 * noise < report.leaves[0].power < 0.1
    assert check_with(1 + 10 * report.leaves[0].power, False).verdict == "fail"


@pytest.mark.parametrize(("noise", "slope"), [(1e-3, 1.0), (1e-7, 1e-8)])
def test_noise_that_hides_the_slope_is_never_a_pass(noise: float, slope: float) -> None:
    random = np.random.default_rng(0)
    report = check(
        lambda x: (1 + slope * np.tanh(x)) * (1 + noise * random.normal(size=x.shape)),
        lambda x, dy: (0.0 * dy,),
        X,
        deterministic=False,
    )
    assert not report.ok
    assert not any(one.kind == "value" for one in report.findings)


SYMMETRIC = X @ X.T + np.eye(3)


def log_det_triangle(a: Array, dy: Array) -> tuple[Array]:
    inverse = np.linalg.inv(a)
    return (dy * (2 * np.tril(inverse) - np.diag(np.diag(inverse))),)


def test_symmetric_arguments_and_cotangents() -> None:
    def log_det(a: Array) -> Array:
        return np.asarray(np.log(np.linalg.det(np.tril(a) + np.tril(a, -1).T)))

    assert check(log_det, log_det_triangle, SYMMETRIC, symmetric=(0,)).ok
    assert not check(log_det, lambda a, dy: (np.tril(log_det_triangle(a, dy)[0].T.T / 2),), SYMMETRIC, symmetric=(0,)).ok

    def square_vjp(a: Array, dy: Array) -> tuple[Array]:
        return (2 * dy @ a,)  # right for symmetric a and dy only

    assert check(lambda a: a @ a, square_vjp, SYMMETRIC, symmetric=(0, "output")).ok
    assert not check(lambda a: a @ a, square_vjp, SYMMETRIC, explain=False).ok


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"symmetrical": (0,)}, TypeError, "no option 'symmetrical'"),
        ({"symmetric": 0}, TypeError, "expected a tuple"),
        ({"symmetric": (1,)}, ValueError, "below 1"),
        ({"symmetric": (0,)}, ValueError, "square matrix"),
        ({"precision": "half"}, ValueError, "'auto' or 'single'"),
        ({"contract": "no"}, TypeError, "contract is 'no'"),
        ({"seed": -1}, ValueError, "seed"),
    ],
)
def test_options_that_mean_nothing_are_errors(options: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check(np.sin, lambda x, dy: (dy * np.cos(x),), X, **options)  # type: ignore[arg-type]  # on purpose


def test_what_is_called_symmetric_must_be() -> None:
    with pytest.raises(ValueError, match="differs from its transpose"):
        check(np.sin, lambda x, dy: (dy * np.cos(x),), X[:, :3], symmetric=(0,))
    with pytest.raises(ValueError, match="the output differs from its transpose"):
        check(lambda x: x @ x, lambda x, dy: (dy,), X[:, :3], symmetric=("output",))


def test_a_framework_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    monkeypatch.setitem(__import__("sys").modules, "jax", None)
    with pytest.raises(ImportError, match="check_torch needs PyTorch"):
        fn.check.check_torch(np.sin, X)
    with pytest.raises(ImportError, match="check_jax needs JAX"):
        fn.check.check_jax(np.sin, X)
