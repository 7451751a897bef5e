"""Transformations of gradients, chains, and the optimizers that are made of others."""

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from tests.optim.cases import draw

untyped: Any = fn

TRANSFORMATIONS: dict[str, Callable[[], fn.Transformation]] = {
    "clip_by_value": lambda: fn.clip_by_value(0.5),
    "clip_by_norm": lambda: fn.clip_by_norm(0.5),
    "clip_by_global_norm": lambda: fn.clip_by_global_norm(0.5),
    "clip_adaptive": lambda: fn.clip_adaptive(0.1),
    "weight_decay": lambda: fn.weight_decay(0.1, where=fn.is_matrix),
    "gradient_noise": lambda: fn.gradient_noise(fn.Key(3)),
    "centralize": lambda: fn.centralize(),
    "zero_nans": lambda: fn.zero_nans(),
    "clip_by_block_rms": lambda: fn.clip_by_block_rms(0.5),
}
each_transformation = pytest.mark.parametrize("name", TRANSFORMATIONS)


def test_every_transformation_has_a_case() -> None:
    found = []
    for name in fn.__all__:
        one = getattr(fn, name)
        if callable(one) and not isinstance(one, type) and hasattr(one.__annotations__.get("return"), "startswith"):
            made = vars(__import__(one.__module__, fromlist=["_"])).get(one.__annotations__["return"])
            if hasattr(made, "transform"):
                found.append(name)
    assert sorted(found) == sorted(TRANSFORMATIONS)


def apply(transformation: fn.Transformation, params: Any, grads: Any) -> Any:
    return transformation.transform(params, grads, transformation.init(params)).grads


@each_transformation
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble], ids=lambda dtype: np.dtype(dtype).name)
def test_is_pure_and_keeps_the_structure(name: str, dtype: Any) -> None:
    transformation = TRANSFORMATIONS[name]()
    params, grads = tree.freeze(draw(0, dtype)), tree.freeze(draw(1, dtype))
    state = transformation.init(params)
    first, second = transformation.transform(params, grads, state), transformation.transform(params, grads, state)
    assert tree.same(first.grads, second.grads)
    tree.check_like(params, first.grads)
    tree.check_like(state, first.state)
    assert tree.same(first.grads, grads) == (name == "zero_nans")  # of which there are none
    assert TRANSFORMATIONS[name]() == transformation
    assert pickle.loads(pickle.dumps(transformation)) == transformation
    nothing: Any = ()
    assert apply(transformation, nothing, nothing) == ()


@each_transformation
def test_gradients_that_do_not_match_name_the_leaf(name: str) -> None:
    with pytest.raises(ValueError, match=r"the gradients\['b'\] is float64\[3\], expected float64\[2\]"):
        apply(TRANSFORMATIONS[name](), {"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2), "b": np.ones(3)})


# -------------------------------------------------------------------------------------------------------------- clipping


def test_clip_by_value() -> None:
    grads = (np.array([-3.0, -0.5, 0.2, 7.0]), np.array(2.0))
    clipped = apply(fn.clip_by_value(0.5), grads, grads)
    np.testing.assert_array_equal(clipped[0], [-0.5, -0.5, 0.2, 0.5])
    assert float(clipped[1]) == 0.5


def test_clip_by_norm_is_leaf_by_leaf() -> None:
    grads = (np.array([[3.0], [4.0]]), np.array([0.3, 0.4]))
    clipped = apply(fn.clip_by_norm(1.0), grads, grads)
    np.testing.assert_allclose(clipped[0], [[0.6], [0.8]], rtol=1e-15)
    assert clipped[1] is grads[1]


def test_clip_by_global_norm() -> None:
    grads = {"a": np.array([[1.0], [2.0]]), "b": np.array([2.0, 4.0])}  # norm 5
    clipped = apply(fn.clip_by_global_norm(2.0), grads, grads)
    np.testing.assert_allclose(clipped["a"], [[0.4], [0.8]], rtol=1e-15)
    np.testing.assert_allclose(clipped["b"], [0.8, 1.6], rtol=1e-15)
    assert apply(fn.clip_by_global_norm(5.0), grads, grads) is grads  # within the limit: bit for bit


def test_clipping_keeps_float32_and_what_is_not_finite() -> None:
    grads = (np.array([3.0, 4.0], np.float32), np.array([np.nan], np.float32))
    assert apply(fn.clip_by_global_norm(1.0), grads, grads) is grads
    infinite = (np.array([3.0, np.inf]),)
    assert apply(fn.clip_by_global_norm(1.0), infinite, infinite) is infinite
    assert apply(fn.clip_by_norm(1.0), grads, grads)[0].dtype == np.float32


def test_global_norm_of_many_numbers_keeps_its_digits() -> None:
    values = (np.full(1 << 24, 1e-3, np.float32),)
    assert fn.global_norm(values) == pytest.approx(float(np.float32(1e-3)) * (1 << 12), rel=1e-5, abs=0.0)  # sums of float32


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1.0, 1e20, 1e37])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_global_norm_neither_overflows_nor_vanishes(scale: float, dtype: Any) -> None:
    values = (np.array([3.0 * scale], dtype), {"b": np.array([[4.0 * scale]], dtype), "c": np.zeros(3, dtype)})
    assert fn.global_norm(values) == pytest.approx(5 * scale, rel=1e-6 if dtype is np.float32 else 1e-14, abs=0.0)


@pytest.mark.parametrize("size", [1e-15, 1e-19, 1e-21, 1e-22, 1e-23])
def test_the_norm_of_tiny_single_precision_numbers_keeps_its_digits(size: float) -> None:
    values = (np.full(1000, size, np.float32), np.array([3 * size, 4 * size], np.float32))  # squares from 1e-30 to 1e-46
    exact = math.sqrt(math.fsum(float(one) ** 2 for leaf in values for one in leaf))
    assert fn.global_norm(values) == pytest.approx(exact, rel=1e-6, abs=0.0)  # sums of float32


def test_global_norm_of_the_extremes() -> None:
    assert fn.global_norm(()) == 0.0
    assert fn.global_norm((np.zeros(3), np.zeros((0, 2)))) == 0.0
    assert fn.global_norm((np.array([1.0, np.inf]),)) == math.inf
    assert math.isnan(fn.global_norm((np.array([np.inf]), np.array([np.nan]))))
    huge = (np.array([3e300]), np.array([4e300]))
    assert fn.global_norm(huge) == pytest.approx(5e300, rel=1e-14, abs=0.0)
    np.testing.assert_allclose(apply(fn.clip_by_global_norm(1.0), huge, huge), [[0.6], [0.8]])


def test_clip_adaptive_unit_by_unit() -> None:
    p = np.array([[3.0, 0.0], [4.0, 0.0]])  # norms of the units: 5 and 0, of which the least is 1e-2
    g = np.array([[30.0, 3e-4], [40.0, 4e-4]])  # 50 and 5e-4
    (clipped,) = apply(fn.clip_adaptive(0.1, eps=1e-2), (p,), (g,))
    np.testing.assert_allclose(clipped, [[0.3, 3e-4], [0.4, 4e-4]], rtol=1e-14)
    (vector,) = apply(fn.clip_adaptive(0.1), (np.array([3.0, 4.0]),), (np.array([30.0, 40.0]),))
    np.testing.assert_allclose(vector, [0.3, 0.4], rtol=1e-14)
    within = (np.array([[0.1, 0.0]]),)
    assert apply(fn.clip_adaptive(0.5), (np.array([[1.0, 1.0]]),), within)[0] is within[0]


# ------------------------------------------------------------------------------------------------- the other gradients


def test_weight_decay_is_the_gradient_of_the_penalty() -> None:
    params = {"layer": {"weight": np.array([[1.0, -2.0]]), "bias": np.array([3.0])}}
    grads = tree.map(np.ones_like, params)
    for where in (r"weight'\]$", fn.is_matrix, lambda path, shape: "weight" in path):
        new = apply(fn.weight_decay(0.5, where=where), params, grads)
        np.testing.assert_array_equal(new["layer"]["weight"], [[1.5, 0.0]])
        np.testing.assert_array_equal(new["layer"]["bias"], [1.0])
    np.testing.assert_array_equal(apply(fn.weight_decay(0.5), params, grads)["layer"]["bias"], [2.5])


def test_coupled_and_decoupled_decay_agree_for_gradient_descent_only() -> None:
    params, grads = (np.array([[2.0]]),), (np.array([[1.0]]),)
    chained = fn.chain(fn.weight_decay(0.5), fn.sgd(0.1))
    assert chained.update(params, grads, chained.init(params)).params[0] == pytest.approx(
        2 * (1 - 0.05) - 0.1, rel=1e-14, abs=0.0
    )
    adam, adamw = fn.chain(fn.weight_decay(0.5), fn.adam(0.1)), fn.adamw(0.1, weight_decay=0.5)
    assert adam.update(params, grads, adam.init(params)).params[0] == pytest.approx(1.9, rel=1e-8, abs=0.0)  # but for eps
    assert adamw.update(params, grads, adamw.init(params)).params[0] == pytest.approx(1.8, rel=1e-8, abs=0.0)


def test_noise_has_its_variance_and_decays() -> None:
    noise, grads = fn.gradient_noise(fn.Key(1), variance=0.04, decay=1.0), (np.ones(40_000),)
    state, drawn = noise.init(grads), np.zeros(1)
    for count in range(4):
        step = noise.transform(grads, grads, state)
        drawn, state = step.grads[0] - 1, step.state
        assert drawn.mean() == pytest.approx(0, abs=5 * 0.2 / 200)
        assert drawn.std() == pytest.approx(0.2 / math.sqrt(1 + count), rel=0.02, abs=0.0)  # of 40,000 draws: five deviations
    assert int(state.count) == 4
    again = noise.transform(grads, grads, noise.init(grads)).grads[0] - 1
    assert not np.array_equal(again, drawn)


def test_centralize_leaves_no_mean() -> None:
    grads = draw(1)
    centred = apply(fn.centralize(), draw(0), grads)
    assert np.abs(centred[0]["matrix"].mean(0)).max() < 1e-15
    assert np.abs(centred[1].mean((0, 1))).max() < 1e-15
    assert centred[0]["vector"] is grads[0]["vector"]
    np.testing.assert_allclose(grads[1] - centred[1], np.broadcast_to(grads[1].mean((0, 1)), grads[1].shape))


# ----------------------------------------------------------------------------------------------------------------- chain


def test_chain_passes_gradients_in_order() -> None:
    params, grads = (np.array([1.0]),), (np.array([10.0]),)
    clip_first = fn.chain(fn.clip_by_value(1.0), fn.weight_decay(5.0), fn.sgd(0.1))
    decay_first = fn.chain(fn.weight_decay(5.0), fn.clip_by_value(1.0), fn.sgd(0.1))
    assert clip_first.update(params, grads, clip_first.init(params)).params[0] == pytest.approx(1 - 0.1 * 6, rel=1e-14, abs=0.0)
    assert decay_first.update(params, grads, decay_first.init(params)).params[0] == pytest.approx(1 - 0.1 * 1, rel=1e-14, abs=0.0)


def test_chains_nest() -> None:
    inner = fn.chain(fn.clip_by_value(1.0), fn.momentum(0.1))
    nested, plain = fn.chain(fn.weight_decay(0.1), inner), fn.chain(fn.weight_decay(0.1), fn.clip_by_value(1.0), fn.momentum(0.1))
    params = draw(0)
    one, other = nested.init(params), plain.init(params)
    for seed in range(1, 4):
        first, second = nested.update(params, draw(seed), one), plain.update(params, draw(seed), other)
        assert tree.same(first.params, second.params)
        params, one, other = first.params, first.state, second.state


def test_chain_says_what_is_wrong() -> None:
    chain: Any = fn.chain
    with pytest.raises(TypeError, match=r"chain needs an optimizer"):
        chain()
    with pytest.raises(TypeError, match="part 0 is an optimizer, which can only stand last"):
        chain(fn.sgd(0.1), fn.adam(0.1))
    with pytest.raises(TypeError, match="the last part takes the step and must be an optimizer"):
        chain(fn.clip_by_value(1.0))
    with pytest.raises(TypeError, match=r"part 0 is not a transformation: 0\.5"):
        chain(0.5, fn.sgd(0.1))
    with pytest.raises(TypeError, match="last part"):
        chain(fn.clip_by_value(1.0), fn.adam)
    params = (np.ones(2),)
    opt = fn.chain(fn.clip_by_value(1.0), fn.sgd(0.1))
    with pytest.raises(ValueError, match=r"state does not fit: .*, but it has 0 inner states in place of 2"):
        opt.update(params, params, fn.sgd(0.1).init(params))


# ------------------------------------------------------------------------------------------------------------- partition


def test_partition_gives_each_leaf_to_the_first_rule_that_takes_it() -> None:
    params: Any = {"embed": {"weight": np.ones((2, 2))}, "out": {"weight": np.ones((2, 2)), "bias": np.ones(2)}}
    grads = tree.map(np.ones_like, params)
    opt = fn.partition(("embed", fn.sgd(0.5)), (fn.is_matrix, fn.sgd(0.25)), rest=fn.momentum(0.125))
    state = opt.init(params)
    new = opt.update(params, grads, state).params
    assert new["embed"]["weight"][0, 0] == 0.5
    assert new["out"]["weight"][0, 0] == 0.75
    assert new["out"]["bias"][0] == 0.875
    assert [len(one.slots) for one in state.inner] == [0, 0, 1]


def test_partition_is_each_optimizer_on_its_own_leaves() -> None:
    opt, adam, momentum = fn.partition((fn.is_matrix, fn.adam(0.1)), rest=fn.momentum(0.1)), fn.adam(0.1), fn.momentum(0.1)
    params = draw(0)
    whole, all_adam, all_momentum = params, params, params
    state, first, second = opt.init(params), adam.init(params), momentum.init(params)
    for seed in range(1, 4):
        one, two, three = (
            opt.update(whole, draw(seed), state),
            adam.update(all_adam, draw(seed), first),
            momentum.update(all_momentum, draw(seed), second),
        )
        whole, all_adam, all_momentum = one.params, two.params, three.params
        state, first, second = one.state, two.state, three.state
    assert tree.same(whole[1], all_adam[1])
    assert tree.same(whole[0]["matrix"], all_adam[0]["matrix"])
    assert tree.same(whole[0]["vector"], all_momentum[0]["vector"])


def test_frozen_leaves_stay_and_have_no_state() -> None:
    params = draw(0)
    opt = fn.freeze(r"^\[0\]", fn.adam(0.1))
    state = opt.init(params)
    updated = opt.update(params, draw(1), state)
    assert all(ours is theirs for ours, theirs in zip(updated.params[0].values(), params[0].values(), strict=True))
    assert not np.array_equal(updated.params[1], params[1])
    assert sum(slot.size for slot in state.inner[1].slots) == 2 * (params[1].size + params[2][1].size)


def test_partition_says_what_is_wrong() -> None:
    partition: Any = fn.partition
    with pytest.raises(ValueError, match=r"rule 0 of the partition, where='embed', takes no leaf; the leaves are \['\[0\]'\]"):
        fn.partition(("embed", fn.sgd(0.1)), rest=fn.sgd(0.1)).init((np.ones(2),))
    with pytest.raises(ValueError, match="not a regular expression"):
        fn.partition(("[0", fn.sgd(0.1)), rest=fn.sgd(0.1))
    with pytest.raises(TypeError, match="where is 3"):
        partition((3, fn.sgd(0.1)), rest=fn.sgd(0.1))
    with pytest.raises(TypeError, match="expected an optimizer"):
        partition(("x", 0.1), rest=fn.sgd(0.1))
    with pytest.raises(TypeError, match=r"a rule is a pair \(where, optimizer\)"):
        partition("x", rest=fn.sgd(0.1))
    with pytest.raises(ValueError, match="two axes"):
        fn.muon(where="bias").init({"bias": np.ones(3)})


# -------------------------------------------------------------------------------------------------------------- averages


def iterates(opt: fn.Optimizer, count: int) -> tuple[list[float], Any, Any]:
    params = (np.array([1.0]),)
    state, seen = opt.init(params), []
    for step in range(count):
        updated = opt.update(params, (np.array([float(step + 1)]),), state)
        params, state = updated.params, updated.state
        seen.append(float(params[0][0]))
    return seen, params, state


@pytest.mark.parametrize("warmup", [False, True])
def test_exponential_average(warmup: bool) -> None:
    opt = fn.ema(fn.sgd(0.5), 0.6, warmup=warmup)
    seen, params, state = iterates(opt, 5)
    assert seen == iterates(fn.sgd(0.5), 5)[0]
    average = 1.0
    for t, p in enumerate(seen, 1):
        d = min(0.6, t / (t + 9)) if warmup else 0.6
        average = d * average + (1 - d) * p
    assert opt.average(params, state)[0][0] == pytest.approx(average, rel=1e-14, abs=0.0)


@pytest.mark.parametrize("start", [0, 2, 5])
def test_polyaks_mean(start: int) -> None:
    opt = fn.polyak(fn.sgd(0.5), start=start)
    seen, params, state = iterates(opt, 5)
    expected = np.mean(seen[start:]) if start < 5 else seen[-1]
    assert opt.average(params, state)[0][0] == pytest.approx(expected, rel=1e-14, abs=0.0)


def test_lookahead_goes_back_every_k_updates() -> None:
    opt = fn.lookahead(fn.sgd(0.5), steps=2, alpha=0.25)
    seen, params, state = iterates(opt, 4)
    fast = slow = 1.0
    expected = []
    for step in range(4):
        fast -= 0.5 * (step + 1)
        if step % 2:
            slow += 0.25 * (fast - slow)
            fast = slow
        expected.append(fast)
    assert seen == pytest.approx(expected, rel=1e-14, abs=0.0)
    assert opt.slow(params, state)[0][0] == pytest.approx(slow, rel=1e-14, abs=0.0)


def test_schedule_free_evaluates_the_weighted_mean() -> None:
    opt = fn.schedule_free(0.5, beta=0.8)
    _, params, state = iterates(opt, 4)
    z, points = 1.0, []
    for step in range(4):
        z -= 0.5 * (step + 1)
        points.append(z)
    assert opt.evaluation(params, state)[0][0] == pytest.approx(np.mean(points), rel=1e-14, abs=0.0)


@pytest.mark.parametrize("beta2", [0.0, 0.9, 0.999])
@pytest.mark.parametrize("warmup", [0, 1, 7])
def test_weights_of_schedule_free_are_their_sums(beta2: float, warmup: int) -> None:
    from funcnn.optim.rules.schedule_free import weights

    total = 0.0
    for t in range(1, 30):
        weight = (1 - beta2**t) * min(1.0, t / warmup if warmup else 1.0) ** 2
        total += weight
        assert weights(t, warmup, beta2) == pytest.approx(
            (weight, total), rel=1e-12, abs=1e-12
        )  # the closed form cancels where both are small


# ----------------------------------------------------------------------------------------------------- fewer updates


def test_accumulated_is_one_update_with_the_mean() -> None:
    opt, plain = fn.accumulated(fn.adam(0.1), 3), fn.adam(0.1)
    params, large = draw(0), draw(0)
    state, other = opt.init(params), plain.init(large)
    for batch in range(2):
        grads = [draw(10 * batch + seed) for seed in (1, 2, 3)]
        for index, one in enumerate(grads):
            before = params
            updated = opt.update(params, one, state)
            params, state = updated.params, updated.state
            assert (params is before) == (index < 2)
        step = plain.update(large, tree.map(lambda a, b, c: np.asarray((a + b + c) / 3), *grads), other)
        large, other = step.params, step.state
    for ours, theirs in zip(tree.leaves(params), tree.leaves(large), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)
    assert int(state.inner[0].count) == 2


def test_skip_nonfinite_skips_and_counts() -> None:
    opt = fn.skip_nonfinite(fn.momentum(0.1), max_consecutive_errors=2)
    params, good = {"a": np.ones(2), "b": np.ones(3)}, {"a": np.ones(2), "b": np.full(3, 1e200)}
    state = opt.init(params)
    for bad in (np.nan, np.inf):
        updated = opt.update(params, {"a": np.ones(2), "b": np.array([1.0, bad, 1.0])}, state)
        assert updated.params is params
        assert tree.same(updated.state.inner, state.inner)
        state = updated.state
    assert opt.skipped(state) == 2
    with pytest.raises(FloatingPointError, match=r"the gradients\['b'\] are not finite, for the 3th time in a row"):
        opt.update(params, {"a": np.ones(2), "b": np.full(3, np.nan)}, state)
    updated = opt.update(params, good, state)  # squares overflow, and yet it is finite
    assert not np.array_equal(updated.params["a"], params["a"])
    assert opt.skipped(updated.state) == 2
    opt.update(params, {"a": np.ones(2), "b": np.full(3, np.nan)}, updated.state)  # counted anew


def test_reduce_on_plateau() -> None:
    opt = fn.reduce_on_plateau(fn.sgd(1.0), factor=0.5, patience=1, threshold=0.1, cooldown=1, min_scale=0.2)
    params = (np.array([0.0]),)
    state = opt.init(params)
    scales = []
    for value in (1.0, 0.95, 0.7, 0.69, 0.68, 0.67, 0.66, 0.65, 0.65, 0.65, 0.65, 0.65, math.nan):
        state = opt.report(value, state)
        scales.append(opt.scale(state))
    # 0.95 is no improvement of 10 %, 0.7 is; two without are a plateau; one report of cooldown
    assert scales == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2]
    assert opt.update(params, (np.array([1.0]),), state).params[0][0] == pytest.approx(-0.2, rel=1e-14, abs=0.0)
    rising = fn.reduce_on_plateau(fn.sgd(1.0), patience=0, mode="max")
    state = rising.init(params)
    for value, scale in ((0.5, 1.0), (0.6, 1.0), (0.6, 0.1)):
        state = rising.report(value, state)
        assert rising.scale(state) == pytest.approx(scale, rel=1e-14, abs=0.0)


# ------------------------------------------------------------------------------------------------------------ validation


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fn.sgd(-0.1), r"learning_rate is -0.1, expected a number in \[0, inf\)"),
        (lambda: fn.sgd(math.nan), "learning_rate is nan"),
        (lambda: fn.sgd(math.inf), "learning_rate is inf"),
        (lambda: fn.momentum(momentum=1.0), r"momentum is 1.0, expected a number in \[0, 1\)"),
        (lambda: fn.nesterov(momentum=-0.1), "momentum is -0.1"),
        (lambda: fn.adam(beta1=1.0), "beta1 is 1.0"),
        (lambda: fn.adam(beta2=-0.1), "beta2 is -0.1"),
        (lambda: fn.adam(eps=-1e-8), "eps is -1e-08"),
        (lambda: fn.adamw(weight_decay=-1.0), "weight_decay is -1.0"),
        (lambda: fn.adamw(where="["), "not a regular expression"),
        (lambda: fn.adagrad(initial_accumulator_value=-1.0), "initial_accumulator_value is -1.0"),
        (lambda: fn.rmsprop(decay=1.0), "decay is 1.0"),
        (lambda: fn.rmsprop(momentum=1.0), "momentum is 1.0"),
        (lambda: fn.adadelta(eps=0.0), r"eps is 0.0, expected a number in \(0, inf\)"),
        (lambda: fn.amsgrad(beta1=1.0), "beta1 is 1.0"),
        (lambda: fn.radam(threshold=3.0), r"threshold is 3.0, expected a number in \[4, inf\]"),
        (lambda: fn.yogi(initial_accumulator_value=-1.0), "initial_accumulator_value is -1.0"),
        (lambda: fn.sign_sgd(momentum=1.0), "momentum is 1.0"),
        (lambda: fn.lion(beta2=1.0), "beta2 is 1.0"),
        (lambda: fn.rprop(100.0), "initial"),
        (lambda: fn.rprop(increase=0.9), "increase is 0.9"),
        (lambda: fn.lars(trust_coefficient=0.0), "trust_coefficient is 0.0"),
        (lambda: fn.lamb(weight_decay=-1.0), "weight_decay is -1.0"),
        (lambda: fn.adafactor(clip_threshold=0.0), "clip_threshold is 0.0"),
        (lambda: fn.adafactor(where="("), "not a regular expression"),
        (lambda: fn.muon(iterations=0), "iterations is 0"),
        (lambda: untyped.muon(scale="large"), "scale is 'large'"),
        (lambda: fn.schedule_free(beta=1.0), "beta is 1.0"),
        (lambda: fn.schedule_free_adamw(warmup_steps=-1), "warmup_steps is -1"),
        (lambda: fn.clip_by_value(0.0), "limit is 0.0"),
        (lambda: fn.clip_by_norm(-1.0), "max_norm is -1.0"),
        (lambda: fn.clip_by_global_norm(0.0), "max_norm is 0.0"),
        (lambda: fn.clip_adaptive(0.0), "ratio is 0.0"),
        (lambda: fn.weight_decay(-1.0), "decay is -1.0"),
        (lambda: fn.gradient_noise(fn.Key(0), -1.0), "variance is -1.0"),
        (lambda: fn.ema(fn.sgd(), 1.0), "decay is 1.0"),
        (lambda: fn.polyak(fn.sgd(), start=-1), "start is -1"),
        (lambda: fn.lookahead(fn.sgd(), alpha=0.0), "alpha is 0.0"),
        (lambda: fn.accumulated(fn.sgd(), 0), "steps is 0"),
        (lambda: fn.skip_nonfinite(fn.sgd(), max_consecutive_errors=0), "max_consecutive_errors is 0"),
        (lambda: fn.skip_large_updates(fn.sgd(), 0.0), "max_norm is 0.0"),
        (lambda: fn.clip_by_block_rms(0.0), "limit is 0.0"),
        (lambda: fn.reduce_on_plateau(fn.sgd(), factor=1.0), "factor is 1.0"),
        (lambda: untyped.reduce_on_plateau(fn.sgd(), mode="up"), "mode is 'up'"),
    ],
)
def test_hyper_parameters_out_of_range(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_not_an_optimizer() -> None:
    make: Any
    for make in (fn.ema, fn.polyak, fn.lookahead, fn.skip_nonfinite, fn.reduce_on_plateau):
        with pytest.raises(TypeError, match=r"expected an optimizer, such as adam\(1e-3\)"):
            make(fn.sgd)
    with pytest.raises(TypeError, match="key is 3"):
        fn.gradient_noise(3)  # type: ignore[arg-type]  # wrong on purpose


def test_slots_are_trees_of_the_papers_moments() -> None:
    opt = fn.adam(0.1, beta1=0.8, beta2=0.9)
    params, g = draw(0), draw(1)
    updated = opt.update(params, g, opt.init(params))
    mean, square = opt.slot("mean", params, updated.state), opt.slot("square", params, updated.state)
    np.testing.assert_allclose(mean[0]["matrix"], 0.2 * g[0]["matrix"], rtol=1e-14)
    np.testing.assert_allclose(square[2][1], 0.1 * g[2][1] ** 2, rtol=1e-14)
    tree.check_like(params, mean)
    with pytest.raises(ValueError, match=r"no slot 'velocity', only \('mean', 'square'\)"):
        opt.slot("velocity", params, updated.state)


@each_transformation
def test_what_is_no_state_of_a_transformation_is_named(name: str) -> None:
    one: Any = TRANSFORMATIONS[name]()
    params = draw(0)
    for wrong in (None, params, 3):
        with pytest.raises(TypeError, match=r"^state is .*, expected what init or update of "):
            one.transform(params, params, wrong)
    with pytest.raises(ValueError, match=r"^state\.count is -1"):
        one.transform(params, params, fn.OptState(np.array(-1)))
    for grads in (None, 3, one.init(params)):
        with pytest.raises((TypeError, ValueError), match="gradients"):
            one.transform(params, grads, one.init(params))
