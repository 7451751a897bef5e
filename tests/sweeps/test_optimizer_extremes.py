"""Every optimizer and transformation at gradients of any size: zero, subnormal, tiny, huge, the largest, infinite and NaN.

The right values are those of the papers' equations in long double, whose range no square of a float64 leaves.
"""

import inspect
import itertools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.optim import flat, fused, layout
from funcnn.typing import Array
from tests.optim.cases import OPTIMIZERS, OptimizerCase

DTYPES = [np.float32, np.float64]
RULES = [
    (case, f"{name}-{case.label or index}")
    for name, found in OPTIMIZERS.items()
    for index, case in enumerate(found)
    if case.reference is not None
]
CASES = [pytest.param(case, id=name) for case, name in RULES]
ELEMENTWISE = [pytest.param(case, id=name) for case, name in RULES if case.elementwise]
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)


def sizes(dtype: Any) -> list[float]:
    """From the smallest to the largest, and about the places where squares leave the range."""
    info = np.finfo(dtype)
    root_tiny, root_max = math.sqrt(float(info.tiny)), math.sqrt(float(info.max))
    return [
        64 * float(info.smallest_subnormal), float(info.tiny), root_tiny * 1e-3, root_tiny, root_tiny * 1e3, 1e-22, 1e-8, 1.0,
        1e8, root_max * 1e-3, root_max, root_max * 1e3, float(info.max) / 64, float(info.max) / 2,
    ]  # fmt: skip


def leaves(seed: int, dtype: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Any:
        return (rng.uniform(0.5, 1, shape) * rng.choice([-1.0, 1.0], shape)).astype(dtype)

    return {"matrix": draw(4, 3), "vector": draw(5)}


def gradients(pattern: str, size: float, dtype: Any) -> list[dict[str, Any]]:
    """Six times a gradient of numbers between half of a size and that size; or one such between ordinary ones.

    Not several ones: of gradients whose squares are no numbers it is not remembered by how much.
    """
    scales = {"all": (size,) * 6, "one": (1.0, 1.0, size, 1.0, 1.0, 1.0), "first": (size, 1.0, 0.0, 1.0, 1.0, 1.0)}[pattern]
    seeds = (1,) * 6 if pattern == "all" else range(1, 7)
    return [
        {k: (leaf * dtype(scale)).astype(dtype) for k, leaf in leaves(seed, dtype).items()}
        for seed, scale in zip(seeds, scales, strict=True)
    ]


@each_dtype
@pytest.mark.parametrize("pattern", ["all", "one", "first"])
@pytest.mark.parametrize("case", CASES)
def test_steps_are_those_of_exact_arithmetic(case: OptimizerCase, pattern: str, dtype: Any) -> None:
    assert case.reference is not None
    opt, info = case.make(), np.finfo(dtype)
    for size in sizes(dtype):
        params, grads = leaves(0, dtype), gradients(pattern, size, dtype)
        state = opt.init(params)
        new: Any = params
        with np.errstate(all="ignore"):
            for one in grads:
                updated = opt.update(new, one, state)
                new, state = updated.params, updated.state
        for key, p in params.items():
            wide = p.astype(np.longdouble)
            exact = case.reference(wide, [one[key].astype(np.longdouble) for one in grads])
            if type(opt).__name__ == "Momentum" and size > float(info.max) / 4:
                continue  # the velocity is too large for a number
            if type(opt).__name__ == "RAdam" and size > math.sqrt(float(info.max)) * 1e-3:
                continue  # its first steps are no quotients: what they make of such gradients is of no use to anybody
            expected = np.where(np.abs(exact) > info.max, np.copysign(np.inf, exact), exact)
            got = new[key].astype(np.longdouble)
            with np.errstate(all="ignore"):
                error = np.abs(got - expected)
                allowed = float(info.eps) * TOLERANCE * (np.abs(wide) + np.abs(expected - wide) + way(case, opt, grads, key))
            right = (got == expected) | (error <= allowed)
            assert right.all(), (size, key, got[~right][:3], expected[~right][:3])


TOLERANCE = 200.0


def way(case: OptimizerCase, opt: Any, grads: list[Any], key: str) -> Any:
    """How far single steps go, whose rounding errors stay when they cancel: as a gradient, for rules that do not divide."""
    if type(opt).__name__ in ("SGD", "OptimisticSGD", "Momentum", "ScheduleFree", "RAdam", "Averaged"):
        return sum(np.abs(one[key].astype(np.longdouble)) for one in grads)
    return 0


@each_dtype
@pytest.mark.parametrize("case", ELEMENTWISE)
def test_what_is_not_finite_spoils_its_own_parameter_alone(case: OptimizerCase, dtype: Any) -> None:
    for bad in (np.nan, np.inf, -np.inf):
        for size in (1.0, float(np.finfo(dtype).max) / 2):
            opt, params = case.make(), leaves(0, dtype)
            runs = []
            for spoil in (False, True):
                new: Any = params
                state = opt.init(params)
                with np.errstate(all="ignore"):
                    for one in gradients("all", size, dtype):
                        if spoil:
                            one["matrix"][1, 2] = bad
                            one["vector"][3] = bad
                        updated = opt.update(new, one, state)
                        new, state = updated.params, updated.state
                runs.append(new)
            clean, spoilt = runs
            for key, place in (("matrix", (1, 2)), ("vector", (3,))):
                other = np.ones(clean[key].shape, bool)
                other[place] = False
                np.testing.assert_array_equal(clean[key][other], spoilt[key][other])
                if np.isnan(bad):
                    assert np.isnan(spoilt[key][place])


@each_dtype
@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in ("freeze",)])
def test_zero_gradients_and_zero_parameters_give_numbers(name: str, dtype: Any) -> None:
    for case in OPTIMIZERS[name]:
        opt = case.make()
        for scale in (0.0, 1.0, float(np.finfo(dtype).smallest_subnormal)):
            params: Any = {key: leaf * dtype(scale) for key, leaf in leaves(0, dtype).items()}
            zeros = {key: np.zeros_like(leaf) for key, leaf in params.items()}
            params = (params,)
            state = opt.init(params)
            for _ in range(3):
                updated = opt.update(params, (zeros,), state)
                params, state = updated.params, updated.state
            assert all(np.isfinite(leaf).all() for leaf in tree.leaves((params, state)) if leaf.ndim)


# --------------------------------------------------------------------------------------------------------- transformations

LIMIT = 0.25


def norm(leaf: Any) -> Any:
    return np.sqrt(np.sum(leaf * leaf))


def by_norm(g: Any, p: Any, every: list[Any]) -> Any:
    return g * min(1, LIMIT / norm(g)) if norm(g) > 0 else g


def by_global_norm(g: Any, p: Any, every: list[Any]) -> Any:
    total = np.sqrt(sum(norm(one) ** 2 for one in every))
    return g * min(1, LIMIT / total) if total > 0 else g


def by_unit(g: Any, p: Any, every: list[Any]) -> Any:
    def clip(g: Any, p: Any) -> Any:
        limit = LIMIT * max(norm(p), np.longdouble(1e-3))
        return g * limit / norm(g) if norm(g) > limit else g

    return np.stack([clip(g[:, o], p[:, o]) for o in range(g.shape[1])], 1) if g.ndim > 1 else clip(g, p)


TRANSFORMATIONS: dict[str, tuple[Any, Callable[[Any, Any, list[Any]], Any]]] = {
    "clip_by_value": (fn.clip_by_value(LIMIT), lambda g, p, every: np.clip(g, -LIMIT, LIMIT)),
    "clip_by_norm": (fn.clip_by_norm(LIMIT), by_norm),
    "clip_by_global_norm": (fn.clip_by_global_norm(LIMIT), by_global_norm),
    "clip_adaptive": (fn.clip_adaptive(LIMIT), by_unit),
    "clip_by_block_rms": (
        fn.clip_by_block_rms(LIMIT),
        lambda g, p, every: g * min(1, LIMIT * np.sqrt(g.size) / norm(g)) if norm(g) > 0 else g,
    ),
    "weight_decay": (fn.weight_decay(LIMIT), lambda g, p, every: g + LIMIT * p),
    "centralize": (fn.centralize(), lambda g, p, every: g - np.mean(g, 0, keepdims=True) if g.ndim > 1 else g),
}


@each_dtype
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformations_are_those_of_exact_arithmetic(name: str, dtype: Any) -> None:
    made, formula = TRANSFORMATIONS[name]
    for size in sizes(dtype):
        for scale in (1.0, *sizes(dtype)[::3]) if name in ("clip_adaptive", "weight_decay") else (1.0,):
            grads = gradients("all", size, dtype)[0]
            params = {key: leaf * dtype(scale) for key, leaf in leaves(0, dtype).items()}
            with np.errstate(all="ignore"):
                got = made.transform(params, grads, made.init(params)).grads
            wide = [leaf.astype(np.longdouble) for leaf in grads.values()]
            for key, g in grads.items():
                exact = formula(g.astype(np.longdouble), params[key].astype(np.longdouble), wide)
                info = np.finfo(dtype)
                allowed = 50 * float(info.eps) * np.abs(exact) + 4 * float(info.smallest_subnormal)
                if name == "centralize":
                    allowed = allowed + 50 * float(info.eps) * np.max(np.abs(g.astype(np.longdouble)))
                error = np.abs(got[key].astype(np.longdouble) - exact)
                over = np.abs(exact) > float(info.max)
                assert ((error <= allowed) | over).all(), (size, scale, key, got[key].ravel()[:3], exact.ravel()[:3])
                np.testing.assert_array_equal(np.isinf(got[key][over]), True)


@each_dtype
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformations_hide_nothing_that_is_not_finite(name: str, dtype: Any) -> None:
    made, _ = TRANSFORMATIONS[name]
    for bad in (np.nan, np.inf, -np.inf):
        params, grads = leaves(0, dtype), leaves(1, dtype)
        grads["matrix"][1, 1] = grads["vector"][2] = bad
        with np.errstate(all="ignore"):
            got = made.transform(params, grads, made.init(params)).grads
        assert not np.isfinite(got["matrix"][1, 1])
        assert not np.isfinite(got["vector"][2])
        if "clip" in name:  # as it is, with its sign
            np.testing.assert_array_equal(got["matrix"][1, 1], grads["matrix"][1, 1])


@each_dtype
def test_means_of_gradients_do_not_overflow(dtype: Any) -> None:
    for steps in (1, 2, 3, 4, 7):
        for size in sizes(dtype)[1:]:
            opt = fn.accumulated(fn.sgd(1.0), steps)
            params: Any = (np.zeros(3, dtype),)
            state = opt.init(params)
            grads = [np.asarray(np.random.default_rng(i).uniform(0.5, 1, 3) * size, dtype) for i in range(steps)]
            for g in grads:
                updated = opt.update(params, (g,), state)
                params, state = updated.params, updated.state
            exact = -np.mean(np.stack(grads).astype(np.longdouble), 0)
            error = np.abs(params[0].astype(np.longdouble) - exact)
            assert (error <= 8 * np.finfo(dtype).eps * np.abs(exact) + 8 * np.finfo(dtype).smallest_subnormal).all(), (
                steps,
                size,
            )


@each_dtype
@pytest.mark.parametrize("adaptive", [False, True])
def test_sharpness_aware_looks_as_far_as_its_radius(adaptive: bool, dtype: Any) -> None:
    for size in sizes(dtype):
        params, seen = leaves(0, dtype), []
        grads = gradients("all", size, dtype)[0]

        def function(here: Any, state: Any, x: Any, target: Any, mode: Any) -> Any:
            seen.append(here)  # noqa: B023  # called within the turn
            return fn.LossAndGrad(np.float64(0), grads, state, x)  # noqa: B023  # as above

        with np.errstate(all="ignore"):
            fn.sharpness_aware(function, 0.125, adaptive=adaptive)(params, (), None, None, fn.Eval())
        wide = {key: g.astype(np.longdouble) for key, g in grads.items()}
        if adaptive:
            wide = {key: np.abs(params[key].astype(np.longdouble)) * g for key, g in wide.items()}
        length = np.sqrt(sum(np.sum(g * g) for g in wide.values()))
        for key, g in wide.items():
            exact = 0.125 * g / length * (np.abs(params[key].astype(np.longdouble)) if adaptive else 1)
            moved = seen[1][key].astype(np.longdouble) - params[key].astype(np.longdouble)
            np.testing.assert_allclose(np.float64(moved), np.float64(exact), atol=4 * float(np.finfo(dtype).eps))


@each_dtype
def test_global_norms(dtype: Any) -> None:
    for size in sizes(dtype):
        grads = gradients("all", size, dtype)[0]
        exact = np.sqrt(sum(np.sum(g.astype(np.longdouble) ** 2) for g in grads.values()))
        expected = float(exact) if exact < np.finfo(np.float64).max else math.inf
        assert fn.global_norm(grads) == pytest.approx(expected, rel=20 * float(np.finfo(dtype).eps), abs=0.0)


# ------------------------------------------------------------------------------------------------------------------ others


SCALES = [
    pytest.param(size, dtype, id=f"{size:g}-{np.dtype(dtype).name}")
    for size, dtype in itertools.product([1e-150, 1e-20, 1e-5, 1.0, 1e5, 1e10, 1e18, 1e100], DTYPES)
    if dtype is not np.float32 or 1e-30 < size < 1e19  # values and gradients would be none of float32
]


@pytest.mark.parametrize(("size", "dtype"), SCALES)
def test_minimize_at_any_scale(size: float, dtype: Any) -> None:
    """A bowl whose gradients are that large: its minimum does not depend on the scale of the function."""
    rng = np.random.default_rng(0)
    centre, curvature = rng.normal(size=6), rng.uniform(0.5, 4, 6)

    def function(params: Any) -> Any:
        (p,) = params
        away = p - centre.astype(dtype)
        slope = dtype(size) * curvature.astype(dtype) * away
        value = dtype(size) * np.sum(curvature.astype(dtype) * away * away) / 2
        return fn.LossAndGrad(value, (slope,), (), None)

    with np.errstate(all="ignore"):
        found = fn.minimize(function, (np.zeros(6, dtype),), tolerance=size * float(np.finfo(dtype).eps) * 64)
    assert found.converged, found.message
    np.testing.assert_allclose(found.params[0], centre, atol=1e3 * float(np.finfo(dtype).eps))


SCHEDULES: list[tuple[Callable[[int], float], int, float]] = [
    (fn.schedules.step(1.0, every=1, factor=10.0), 5000, math.inf),
    (fn.schedules.step(0.0, every=1, factor=10.0), 5000, 0.0),
    (fn.schedules.step(1e-300, every=1, factor=10.0), 400, 1e100),
    (fn.schedules.step(1.0, every=1, factor=0.1), 5000, 0.0),
    (fn.schedules.multi_step(1.0, list(range(1, 500)), factor=10.0), 5000, math.inf),
    (fn.schedules.exponential(1.0, 10.0), 5000, math.inf),
    (fn.schedules.exponential(1.0, 0.1), 10**9, 0.0),
    (fn.schedules.inverse_time(1.0, 1e300), 10**12, 0.0),
    (fn.schedules.noam(1, 1), 10**18, 1e-9),
    (fn.schedules.cyclic(0.0, 1.0, 1, mode="halving"), 10**9 + 1, 0.0),
    (fn.schedules.warm_restarts(1.0, 1, multiplier=2), 2**60 - 1, 1.0),
    (fn.schedules.polynomial(1.0, 0.25, 1, power=1e300), 0, 1.0),
    (fn.schedules.one_cycle(1.0, 3, warmup_fraction=math.nextafter(1, 0)), 3, 1 / 25e4),
]


@pytest.mark.parametrize(("schedule", "count", "expected"), SCHEDULES, ids=lambda one: repr(one)[:40])
def test_schedules_far_out(schedule: Any, count: int, expected: float) -> None:
    assert schedule(count) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_noise_that_has_vanished() -> None:
    noise = fn.gradient_noise(fn.Key(0), decay=1000.0)
    params = (np.ones(3),)
    state: fn.OptState[Any] = fn.OptState(np.array(10**6))
    np.testing.assert_array_equal(noise.transform(params, params, state).grads[0], 1.0)


def test_huge_and_ordinary_leaves_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds hold in every form of a rule: gathered, in blocks, and compiled."""

    def last(params: Any, grads: Any) -> Array:
        opt = fn.adam(0.5)
        state: fn.OptState[Any] = opt.init(params)
        for _ in range(3):
            updated = opt.update(params, grads, state)
            params, state = updated.params, updated.state
        made: Array = params[0]
        return made

    params, grads = (np.zeros(40, np.float32),), (np.logspace(0, 38, 40).astype(np.float32),)
    interpreted = SimpleNamespace(njit=lambda **options: lambda function: function)

    def missing(name: str) -> Any:
        raise ImportError(name)

    forms = []
    try:
        for large, compiled, installed in ((100, 100, missing), (16, 100, missing), (16, 16, lambda name: interpreted)):
            monkeypatch.setattr(layout, "_SEEN", {})
            fused.compiled.cache_clear()
            monkeypatch.setattr(layout, "LARGE", large)
            monkeypatch.setattr(flat, "COMPILED", compiled)
            monkeypatch.setattr(fused, "import_module", installed)
            with np.errstate(all="ignore"):
                forms.append(last(params, grads))
    finally:
        fused.compiled.cache_clear()
    np.testing.assert_array_equal(forms[0], forms[1])
    np.testing.assert_array_equal(forms[0], forms[2])
    np.testing.assert_allclose(forms[0], -1.5, rtol=1e-5)  # float32 is among the kinds


EPS = [
    (name, key)
    for name in OPTIMIZERS
    for key in inspect.signature(getattr(fn, name)).parameters
    if key.startswith("eps") and name != "adadelta"
]


@each_dtype
@pytest.mark.parametrize(("name", "key"), EPS)
def test_an_epsilon_that_is_not_0_does_not_vanish(name: str, key: str, dtype: Any) -> None:
    """In single precision 1e-60 is 0, and a gradient of 0 over a root of 0 would be NaN."""
    factory = getattr(fn, name)
    still = {"weight_decay": 0.0} if "weight_decay" in inspect.signature(factory).parameters else {}
    opt = factory(**{key: 1e-60}, **still)
    params: Any = leaves(0, dtype)
    zeros, state = {one: np.zeros_like(leaf) for one, leaf in params.items()}, opt.init(params)
    for _ in range(3):
        updated = opt.update(params, zeros, state)
        params, state = updated.params, updated.state
    assert all(np.isfinite(leaf).all() for leaf in tree.leaves((params, state)))
    assert tree.same(params, leaves(0, dtype))


@each_dtype
def test_penalties_of_large_parameters(dtype: Any) -> None:
    root = math.sqrt(float(np.finfo(dtype).max))
    for size in (0.0, 1e-3, 1.0, root * 1e-3, root, root * 1e3):
        params = leaves(0, dtype)
        params = {key: leaf * dtype(size) for key, leaf in params.items()}
        wide = [leaf.astype(np.longdouble) for leaf in params.values()]
        strength = 2.0**-30
        with np.errstate(all="ignore"):
            for made, exact in (
                (fn.l1_penalty(strength), strength * sum(np.sum(np.abs(leaf)) for leaf in wide)),
                (fn.l2_penalty(strength), strength * sum(np.sum(leaf * leaf) for leaf in wide) / 2),
            ):
                assert float(made.value(params)) == pytest.approx(float(exact), rel=50 * float(np.finfo(dtype).eps), abs=0.0)


def squares_of(opt: Any) -> tuple[int, float] | None:
    """The result that stands for the squares of gradients, where there is one and squares can be too large."""
    return opt._squares if isinstance(opt, flat.Elementwise) and opt._square_share is not None else None


WATCHED = [pytest.param(case, id=name) for case, name in RULES if squares_of(case.make()) is not None]


@each_dtype
@pytest.mark.parametrize("case", WATCHED)
def test_a_watched_result_is_at_least_the_squares_that_it_stands_for(case: OptimizerCase, dtype: Any) -> None:
    """What spares the ordinary update a look at its gradients: no square beyond the limit may escape it."""
    opt = case.make()
    squares = squares_of(opt)
    assert isinstance(opt, flat.Elementwise)
    assert squares is not None
    place, multiple = squares
    rng = np.random.default_rng(0)
    p, g = (rng.normal(size=50).astype(dtype) for _ in range(2))
    slots = opt._start(p)
    for count in range(8):
        c = [flat.coefficient(value, p.dtype) for value in opt._coefficients(count, None)]
        out = opt._rule(c, p, g, *slots)
        assert (out[place] >= 0.5 * multiple * g * g).all()
        p, g, slots = out[0], (g * dtype(0.1) if count % 2 else rng.normal(size=50).astype(dtype)), out[1:]


@each_dtype
@pytest.mark.parametrize("numbers", [7, flat.SHORT + 1])
@pytest.mark.parametrize("name", ["adam", "amsgrad", "rmsprop", "adagrad", "yogi"])
def test_huge_gradients_where_numpy_raises_are_those_where_it_is_silent(name: str, numbers: int, dtype: Any) -> None:
    updates = []
    for mode in ("ignore", "raise"):
        opt = getattr(fn, name)(0.5)
        params: Any = (np.zeros(numbers, dtype),)
        state = opt.init(params)
        with np.errstate(over=mode):
            for size in (1.0, float(np.finfo(dtype).max) / 2, 1.0):
                updated = opt.update(params, (np.full(numbers, dtype(size)),), state)
                params, state = updated.params, updated.state
        updates.append(updated)
    quiet, loud = updates
    np.testing.assert_array_equal(quiet.params[0], loud.params[0])
    assert np.isfinite(quiet.params[0]).all()
    for one, other in zip(quiet.state.slots, loud.state.slots, strict=True):
        np.testing.assert_array_equal(one, other)
