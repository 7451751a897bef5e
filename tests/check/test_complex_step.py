"""The complex step beside the differences: it says what holds, stays silent where it must, and accuses no right gradient."""

import pickle
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import check
from funcnn.certificate.cases.activations import ACTIVATIONS
from funcnn.check import Finding, Witness
from funcnn.check.case.case import Case
from funcnn.check.case.cotangents import draw
from funcnn.check.case.problem import Question, pose
from funcnn.check.case.sampler import sampler
from funcnn.check.differences.leaf import Comparison
from funcnn.check.witness.dot import dot_test
from funcnn.typing import Array

X = np.array([0.3, -1.2, 2.0])
Function = Callable[..., Any]


def silu(x: Array) -> Array:
    return np.asarray(x / (1 + np.exp(-x)))


def silu_vjp(x: Array, dy: Array) -> tuple[Array, ...]:
    s = 1 / (1 + np.exp(-x))
    return (dy * s * (1 + x * (1 - s)),)


def dense(x: Array, w: Array) -> Array:
    return np.tanh(x @ w)


def dense_vjp(x: Array, w: Array, dy: Array) -> tuple[Array, ...]:
    d = dy / np.cosh(x @ w) ** 2
    return d @ w.T, x.T @ d


def erratic(vjp: Function, size: float) -> Function:
    """Return a gradient with an error that changes wildly with the last digits of the arguments, as that of quotients does."""

    def spoiled(*given: Any) -> tuple[Array, ...]:
        seed = zlib.crc32(b"".join(np.asarray(one, float).tobytes() for one in given[:-1]))
        noise = np.random.default_rng(seed)
        return tuple(one * (1 + size * noise.uniform(0.5, 1, one.shape)).astype(one.dtype) for one in vjp(*given))

    return spoiled


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_analytic_holds_to_rounding(dtype: type) -> None:
    rng = np.random.default_rng(0)
    for f, vjp, shapes in ((silu, silu_vjp, [(4,)]), (dense, dense_vjp, [(3, 4), (4, 2)]), (np.exp, exp_vjp, [(2, 3)])):
        args: list[Array] = [rng.normal(size=shape).astype(dtype) for shape in shapes]
        made = check.check_vjp(f, vjp, *args)
        assert made.ok
        assert made.witness is not None
        assert made.witness.verdict == "holds"
        assert made.witness.error < 2e-15
        assert "complex step: <Jv, w> = <v, J'w> holds to" in str(made)
        assert pickle.loads(pickle.dumps(made)) == made


def exp_vjp(x: Array, dy: Array) -> tuple[Array, ...]:
    return (dy * np.exp(x),)


def into_reals(x: Array) -> Array:
    made = np.zeros(x.shape)
    made[:] = 3 * x
    return made


def of_rank(x: Array) -> Array:
    """Return what is looked up by a comparison that complex numbers answer in another way."""
    return np.where(x.imag == 0, x, 2 * x) if x.dtype.kind == "c" else x + 0


NOT_ANALYTIC: dict[str, tuple[Function, Function, str]] = {
    "abs": (np.abs, lambda x, dy: (dy * np.sign(x),), "real outputs"),
    "square of abs": (lambda x: np.abs(x) ** 2, lambda x, dy: (2 * x * dy,), "real outputs"),
    "real": (lambda x: x.real * 2, lambda x, dy: (2 * dy,), "real outputs"),
    "conj": (np.conj, lambda x, dy: (dy + 0,), "differences say"),
    "abs in one factor": (lambda x: np.abs(x) * x, lambda x, dy: (2 * np.abs(x) * dy,), "differences say"),
    "root of a square by conj": (lambda x: np.sqrt(x * np.conj(x)), lambda x, dy: (dy * np.sign(x),), "differences say"),
    "float": (lambda x: np.array([float(one) for one in x]), lambda x, dy: (dy + 0,), "imaginary part"),
    "cast": (lambda x: 2 * x.astype(np.float64), lambda x, dy: (2 * dy,), "imaginary part"),
    "real array": (into_reals, lambda x, dy: (3 * dy,), "imaginary part"),
    "refuses": (lambda x: np.cbrt(x), lambda x, dy: (dy / (3 * np.cbrt(x) ** 2),), "does not take complex numbers"),
    "another function": (of_rank, lambda x, dy: (dy + 0,), "another function"),
}


@pytest.mark.parametrize("name", sorted(NOT_ANALYTIC))
def test_what_is_not_analytic_is_said_to_be_and_accuses_nobody(name: str) -> None:
    f, vjp, reason = NOT_ANALYTIC[name]
    made = check.check_vjp(f, vjp, X)
    assert made.ok
    assert made.findings == ()
    assert made.witness is not None
    assert made.witness.verdict == "silent"
    assert reason in made.witness.reason
    assert f"complex step: nothing, for the function is not analytic: {made.witness.reason}" in str(made)


@pytest.mark.parametrize(
    ("f", "vjp"),
    [
        (lambda x: np.maximum(x, 0), lambda x, dy: (dy * (x > 0),)),
        (np.sort, lambda x, dy: (dy[np.argsort(np.argsort(x))],)),
        (lambda x: np.where(x > 0, x**2, 3 * x), lambda x, dy: (dy * np.where(x > 0, 2 * x, 3),)),
        (lambda x: x.max(keepdims=True), lambda x, dy: (dy * (x == x.max()),)),
        (lambda x: np.add(x, 1, out=np.zeros_like(x)), lambda x, dy: (dy + 0,)),
    ],
)
def test_branches_are_analytic_beside_their_kinks(f: Function, vjp: Function) -> None:
    made = check.check_vjp(f, vjp, X)
    assert made.ok
    assert made.witness is not None
    assert made.witness.verdict == "holds"


def dot_tested(size: float, width: int = 2, seed: int = 1) -> tuple[Witness | None, tuple[Finding, ...]]:
    """Return what is said of a gradient that is off by this much where differences have passed it."""
    rng = np.random.default_rng(seed)
    args = (rng.normal(size=(3, 80)), rng.normal(size=(80, width)) / 9)
    problem = pose(Question("dense", dense, dense_vjp), args, ("x", "w"))
    case = Case(problem, sampler(problem), draw(3 * width, rng), 0)
    right = dense_vjp(*args, case.cotangent.astype(float).reshape(3, width))
    passed: list[Comparison | None] = [Comparison(one.reshape(-1), 0.0, 1e-7) for one in right]
    return dot_test(case, (right[0], right[1] * (1 + size * rng.uniform(0.5, 1, right[1].shape))), passed)


@pytest.mark.parametrize("width", [2, 60])
@pytest.mark.parametrize("size", [1e-9, 1e-7, 1e-3])
def test_what_differences_let_pass_is_found(size: float, width: int) -> None:
    """Leaf by leaf, or along one direction where the leaves are too large to move each alone."""
    witness, found = dot_tested(size, width)
    assert witness is not None
    assert witness.verdict == "fails"
    assert size / 1e3 < witness.error < size
    (finding,) = found
    assert finding.kind == "complex step"
    assert finding.path == ("[1]" if width == 2 else "")
    assert "the complex step contradicts the gradient" in finding.text


@pytest.mark.parametrize("width", [2, 60])
def test_what_rounding_explains_is_not(width: int) -> None:
    for seed in range(10):
        witness, found = dot_tested(0.0, width, seed)
        assert witness is not None
        assert witness.verdict == "holds"
        assert witness.error < 1e-15
        assert found == ()


def test_what_is_a_little_off_accuses_nobody() -> None:
    witness, found = dot_tested(1e-12)
    assert witness is not None
    assert witness.verdict == "open"
    assert found == ()


def test_a_failure_makes_a_report_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever differences thought of it."""
    monkeypatch.setattr(Comparison, "wrong", property(lambda self: np.zeros(self.analytic.shape, bool)))
    made = check.check_vjp(silu, erratic(silu_vjp, 1e-6), X, explain=False)
    assert "complex step" in {finding.kind for finding in made.findings}
    assert made.verdict == "fail"
    assert "complex step: <Jv, w> = <v, J'w> fails, by " in str(made)


def test_nothing_is_asked_at_kinks_and_of_leaves_that_are_wrong() -> None:
    at_kink = check.check_vjp(lambda x: np.maximum(x, 0), lambda x, dy: (dy * (x > 0),), np.array([0.0, 1.0]))
    assert (at_kink.verdict, at_kink.witness) == ("kink-ok", None)
    wrong = check.check_vjp(np.sin, lambda x, dy: (dy * np.sin(x),), X, explain=False)
    assert (wrong.verdict, wrong.witness) == ("fail", None)


@pytest.mark.parametrize(
    "layer",
    [
        fn.dense(3) >> fn.relu() >> fn.dense(2),
        fn.layer_norm(),
        fn.dense(4) >> fn.gelu() >> fn.softmax(),
        fn.batch_norm(),
        fn.dropout(0.5) >> fn.dense(2),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_pass_in_training(layer: Any) -> None:
    made = check.check_layer(layer, (4,), mode=fn.Train(fn.Key(3)))
    assert made.ok
    assert made.witness is not None
    assert made.witness.verdict == "holds"
    assert made.witness.error < 1e-13


def test_losses_pass() -> None:
    rng = np.random.default_rng(3)
    losses: list[tuple[Any, Any]] = [
        (fn.mean_squared_error(), rng.normal(size=(3, 4))),
        (fn.softmax_cross_entropy(), rng.integers(0, 4, 3)),
    ]
    for loss, target in losses:
        made = check.check_loss(loss, rng.normal(size=(3, 4)), target)
        assert made.witness is not None
        assert made.witness.verdict == "holds"


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_pass_at_zero(name: str) -> None:
    """Smooth ones are put together from parts with kinks there, which must turn in the same way at a complex step."""
    case = ACTIVATIONS[name][0]
    layer = case.promised()
    made = check.check_layer(layer, np.zeros_like(case.x()), explain=False)
    assert made.ok
    assert made.witness is None or made.witness.verdict == "holds"
