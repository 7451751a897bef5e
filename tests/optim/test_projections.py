"""Projections: in the set, nearest, and of what is in it the very same; and what else keeps steps in bounds."""

import itertools
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import projections, tree
from funcnn.typing import Array

untyped: Any = projections
RNG = np.random.default_rng(0)
NEAR = 1 + 1e-6  # what float32 rounds in sums of twelve numbers

SETS: dict[str, tuple[fn.projections.Projection, Callable[[Array], bool]]] = {
    "box": (projections.box(-0.5, 1.0), lambda x: bool(((x >= -0.5) & (x <= 1)).all())),
    "non_negative": (projections.non_negative(), lambda x: bool((x >= 0).all())),
    "l2_ball": (projections.l2_ball(1.5), lambda x: bool(np.linalg.norm(x.ravel()) <= 1.5 * NEAR)),
    "max_norm": (projections.max_norm(0.7), lambda x: bool((np.linalg.norm(x, axis=0) <= 0.7 * NEAR).all())),
    "simplex": (projections.simplex(2.0), lambda x: bool((x >= 0).all() and (abs(x.sum(-1) / 2 - 1) < NEAR - 1).all())),
    "simplex rows": (projections.simplex(axis=0), lambda x: bool((x >= 0).all() and (abs(x.sum(0) - 1) < NEAR - 1).all())),
    "l1_ball": (projections.l1_ball(2.0), lambda x: bool(np.abs(x).sum() <= 2 * NEAR)),
    "orthonormal": (projections.orthonormal(), lambda x: bool(np.abs(x @ x.T - np.eye(3)).max() <= NEAR - 1)),
}
each = pytest.mark.parametrize("name", SETS)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_the_projection_is_in_the_set_and_stays_there(name: str, dtype: Any) -> None:
    onto, inside = SETS[name]
    for scale in (0.1, 1.0, 10.0, 1e6):
        x = (scale * RNG.normal(size=(3, 4))).astype(dtype)
        y = onto(x)
        assert y.dtype == dtype
        assert inside(y.astype(float))
        # float32 rounds lengths and sums: what is at the border moves by some units in the last place
        np.testing.assert_allclose(onto(y).astype(float), y.astype(float), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted({*SETS} - {"orthonormal"}))
def test_no_point_of_the_set_is_nearer(name: str) -> None:
    """Where y is the projection on a convex set, x - y makes no acute angle with any way from y into the set."""
    onto, _ = SETS[name]
    x = 3 * RNG.normal(size=(3, 4))
    y = onto(x)
    for _ in range(200):
        other = onto(3 * RNG.normal(size=(3, 4)))
        assert ((x - y) * (other - y)).sum() <= 1e-10


def test_no_orthonormal_matrix_is_nearer() -> None:
    """The set is not convex: other orthonormal matrices are tried, those near the projection among them."""
    for shape in ((3, 5), (5, 3), (4, 4), (2, 2, 3)):
        x = RNG.normal(size=shape)
        y = projections.orthonormal()(x)
        gram = y.reshape(-1, shape[-1])
        gram = gram @ gram.T if len(gram) < shape[-1] else gram.T @ gram
        np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-14)
        for scale in (1e-3, 0.1, 1.0, 10.0):
            for _ in range(20):
                other = projections.orthonormal()(y + scale * RNG.normal(size=shape))
                assert np.linalg.norm(x - y) <= np.linalg.norm(x - other)
    assert np.isnan(projections.orthonormal()(np.array([[np.nan, 1.0]]))).all()


@each
def test_projections_compare_pickle_and_print(name: str) -> None:
    onto, _ = SETS[name]
    assert pickle.loads(pickle.dumps(onto)) == onto
    assert eval(repr(onto), {**vars(projections), "inf": math.inf}) == onto


def test_lengths_of_any_size() -> None:
    for size in (1e-300, 1e-160, 1e160, 1e300):
        x = size * np.array([3.0, 4.0])
        np.testing.assert_allclose(projections.l2_ball(size)(x), size * np.array([0.6, 0.8]), rtol=1e-14)
        np.testing.assert_array_equal(projections.l2_ball(6 * size)(x), x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: projections.box(1.0, 0.0), "low is 1.0 and high 0.0"),
        (lambda: projections.l2_ball(0.0), "radius is 0.0"),
        (lambda: projections.max_norm(-1.0), "limit is -1.0"),
        (lambda: projections.simplex(math.inf), "radius is inf"),
        (lambda: untyped.simplex(axis=0.5), "axis is 0.5"),
        (lambda: projections.orthonormal()(np.ones(2)), r"to be made orthonormal is float64\[2\], expected two axes"),
        (lambda: projections.max_norm(axis=2)(np.ones((2, 2))), r"axis is 2, and a leaf to be projected is float64\[2, 2\]"),
    ],
)
def test_wrong_sets_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_projected_steps_find_the_least_of_a_constrained_bowl() -> None:
    """The least squares whose solution is to be a distribution."""
    a, b = RNG.normal(size=(8, 5)), RNG.normal(size=8)
    opt = fn.projected(fn.sgd(0.02), projections.simplex())
    x = np.full(5, 0.2)
    state = opt.init(x)
    for _ in range(3000):
        updated = opt.update(x, a.T @ (a @ x - b), state)
        x, state = updated.params, updated.state
    slope = a.T @ (a @ x - b)
    assert x.sum() == pytest.approx(1)
    support = x > 1e-9
    np.testing.assert_allclose(slope[support], slope[support][0], atol=1e-8)  # the conditions of Karush, Kuhn and Tucker
    assert (slope[~support] >= slope[support][0] - 1e-8).all()


def test_what_is_not_meant_and_what_does_not_move_stays() -> None:
    opt = fn.projected(fn.accumulated(fn.sgd(1.0), 2), projections.non_negative(), where="weight")
    params = {"weight": np.array([-1.0]), "bias": np.array([-1.0])}
    zeros = tree.map(np.zeros_like, params)
    first = opt.update(params, zeros, opt.init(params))
    assert first.params is params
    second = opt.update(first.params, zeros, first.state)
    assert (second.params["weight"][0], second.params["bias"][0]) == (0, -1)
    with pytest.raises(TypeError, match=r"onto is .*expected a projection"):
        fn.projected(fn.sgd(), projections.simplex)  # type: ignore[arg-type]  # wrong on purpose


def test_large_updates_are_skipped_and_counted() -> None:
    opt = fn.skip_large_updates(fn.momentum(0.1), 5.0, max_consecutive_errors=2)
    params = {"a": np.ones(2), "b": np.ones(3)}
    small, state = {"a": np.ones(2), "b": np.ones(3)}, opt.init(params)
    for bad in (4.0, np.nan):
        updated = opt.update(params, {"a": np.full(2, bad), "b": np.ones(3)}, state)
        assert updated.params is params
        assert tree.same(updated.state.inner, state.inner)
        state = updated.state
    assert opt.skipped(state) == 2
    with pytest.raises(FloatingPointError, match=r"norm of the gradients is inf, above max_norm=5, for the 3th time in a row"):
        opt.update(params, {"a": np.full(2, np.inf), "b": np.ones(3)}, state)
    updated = opt.update(params, small, state)
    assert not np.array_equal(updated.params["a"], params["a"])
    assert opt.skipped(updated.state) == 2


def test_zero_nans_and_block_clipping() -> None:
    grads = {"a": np.array([np.nan, np.inf, 2.0]), "b": np.array([[30.0, 40.0]])}
    zero = fn.zero_nans()
    got = zero.transform(grads, grads, zero.init(grads)).grads
    np.testing.assert_array_equal(got["a"], [0, np.inf, 2])
    clip = fn.clip_by_block_rms(1.0)
    finite = {"a": np.full(400, 0.9), "b": np.array([[30.0, 40.0]])}
    clipped = clip.transform(finite, finite, clip.init(finite)).grads
    assert clipped["a"] is finite["a"]
    np.testing.assert_allclose(np.sqrt(np.mean(clipped["b"] ** 2)), 1)


def test_a_product_of_schedules_needs_rates() -> None:
    with pytest.raises(TypeError, match="at least one rate"):
        fn.schedules.product()
    with pytest.raises(ValueError, match=r"rates\[1\] is -1.0"):
        fn.schedules.product(1.0, -1.0)
    with pytest.raises(ValueError, match="is 25, expected at least 30"):
        fn.schedules.warmup_stable_decay(1.0, 10, 25, 20)
    for rate, count in itertools.product((fn.schedules.product(2.0, lambda c: c / 2),), range(3)):
        assert rate(count) == count
