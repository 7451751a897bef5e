"""Every optimizer of the package, times every property that it must have."""

import importlib.util
import io
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, cast, get_type_hints

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.optim import blocks, flat, fused, layout
from funcnn.optim.optimizer import check_trainable
from funcnn.optim.rules.schedule_free import ScheduleFree
from funcnn.optim.transformations.averaging import Lerp
from funcnn.optim.transformations.partition import Partition
from funcnn.typing import Array
from tests.optim.cases import OPTIMIZERS, OptimizerCase, draw


def test_every_optimizer_has_a_case() -> None:
    found = []
    for name in fn.__all__:
        one = getattr(fn, name)
        if callable(one) and not isinstance(one, type):
            made = get_type_hints(one).get("return")
            if hasattr(made, "init") and hasattr(made, "update"):
                found.append(name)
    found.remove("donate_state")  # an optimizer of its argument's kind, with tests of its own
    assert sorted(OPTIMIZERS) == sorted(found), "add the missing factories to OPTIMIZERS in tests/optim/cases.py"


def cases() -> Iterator[Any]:
    for name, found in OPTIMIZERS.items():
        for index, case in enumerate(found):
            yield pytest.param(case, id=f"{name}-{case.label or index}")


each_case = pytest.mark.parametrize("case", list(cases()))
each_rule = pytest.mark.parametrize("case", [one for one in cases() if one.values[0].reference is not None])
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble], ids=lambda dtype: np.dtype(dtype).name)


def run(opt: fn.Optimizer, params: Any, updates: int = 6, dtype: Any = np.float64) -> tuple[Any, Any]:
    state = opt.init(params)
    for seed in range(1, updates + 1):
        updated = opt.update(params, draw(seed, dtype), state)
        params, state = updated.params, updated.state
    return params, state


def assert_close(got: Any, expected: Any, tolerance: float) -> None:
    tree.check_like(expected, got)
    for path, ours, theirs in zip(tree.paths(got), tree.leaves(got), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=path)


def wide(p: Array, grads: list[Array]) -> tuple[Array, list[Array]]:
    return p.astype(np.longdouble), [g.astype(np.longdouble) for g in grads]


@each_rule
@each_dtype
def test_follows_the_equations_of_the_paper(case: OptimizerCase, dtype: Any) -> None:
    assert case.reference is not None
    start = tree.freeze(draw(0, dtype))
    params, _ = run(case.make(), start, 6, dtype)
    columns = zip(tree.leaves(start), *[tree.leaves(draw(seed, dtype)) for seed in range(1, 7)], strict=True)
    expected = [np.asarray(case.reference(*wide(p, grads))) for p, *grads in columns]
    tolerance = 1e-13 if dtype != np.float32 else 2e-5
    assert_close(tree.astype(params, np.longdouble), tree.rebuild(start, iter(expected)), tolerance)


@each_case
@each_dtype
def test_keeps_structure_shapes_and_dtype(case: OptimizerCase, dtype: Any) -> None:
    start = draw(0, dtype)
    opt = case.make()
    state = opt.init(start)
    updated = opt.update(start, draw(1, dtype), state)
    tree.check_like(start, updated.params)
    tree.check_like(state, updated.state)
    assert int(updated.state.count) == 1


@each_case
def test_keeps_leaves_of_different_precision(case: OptimizerCase) -> None:
    def mixed(seed: int) -> Any:
        return draw(seed, np.float32), draw(seed + 100, np.float64)

    opt = case.make()
    start = mixed(0)
    state = opt.init(start)
    for seed in range(1, 4):
        updated = opt.update(start, mixed(seed), state)
        start, state = updated.params, updated.state
    tree.check_like(mixed(0), start)


@each_case
def test_is_pure(case: OptimizerCase) -> None:
    opt, params, grads = case.make(), tree.freeze(draw(0)), tree.freeze(draw(1))
    state = opt.init(params)
    for _ in range(3):
        tree.freeze(state)  # whoever writes into these raises
        before = [leaf.tobytes() for leaf in tree.leaves((params, grads, state))]
        first, second = opt.update(params, grads, state), opt.update(params, grads, state)
        assert tree.same(first.params, second.params)
        assert tree.same(first.state, second.state)
        assert before == [leaf.tobytes() for leaf in tree.leaves((params, grads, state))]
        params, state = first.params, first.state


@each_case
def test_gives_read_only_arrays_of_its_own(case: OptimizerCase) -> None:
    opt, params, grads = case.make(), draw(0), draw(1)  # writable: the caller may go on to write into them
    state = opt.init(params)
    updated = opt.update(params, grads, state)
    for leaf in tree.leaves((updated.params, updated.state)):
        changed = not any(leaf is one for one in tree.leaves(params))  # frozen parameters are handed through
        assert not (changed and leaf.flags.writeable)
    kept = [leaf.copy() for leaf in tree.leaves((state, updated.state))]
    for leaf in tree.leaves((params, grads)):
        leaf[...] = np.nan
    for leaf, copy in zip(tree.leaves((state, updated.state)), kept, strict=True):
        np.testing.assert_array_equal(leaf, copy)


@each_case
def test_state_is_a_tree_that_resumes_exactly(case: OptimizerCase) -> None:
    opt = case.make()
    params, state = run(opt, draw(0), 4)
    file = io.BytesIO()
    arrays: Any = {f"leaf{index}": leaf for index, leaf in enumerate(tree.leaves((params, state)))}
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        again_params, again_state = tree.rebuild((params, state), iter([loaded[f"leaf{index}"] for index in range(len(loaded))]))
    for seed in (9, 10):
        ours, theirs = opt.update(params, draw(seed), state), opt.update(again_params, draw(seed), again_state)
        params, state, again_params, again_state = ours.params, ours.state, theirs.params, theirs.state
    assert tree.same(params, again_params)
    assert tree.same(state, again_state)


@each_case
def test_compares_prints_pickles_and_evolves(case: OptimizerCase) -> None:
    opt: Any = case.make()
    assert attrs.evolve(opt) == opt
    assert isinstance(opt, fn.Optimizer)
    if "<lambda>" not in repr(opt):
        assert pickle.loads(pickle.dumps(opt)) == opt
        assert case.make() == opt
        assert hash(case.make()) == hash(opt)


@each_case
def test_works_without_any_leaf(case: OptimizerCase) -> None:
    opt, nothing = case.make(), cast(Any, ((), {}))
    if isinstance(opt, Partition):
        with pytest.raises(ValueError, match="takes no leaf"):
            opt.init(nothing)
    else:
        assert opt.update(nothing, nothing, opt.init(nothing)).params == nothing


@each_case
def test_arrays_that_are_not_contiguous_give_the_same(case: OptimizerCase) -> None:
    def scattered(leaf: Any) -> Any:
        wide = np.full((*leaf.shape, 2), np.nan) if leaf.ndim else np.full((2,), np.nan)
        wide[..., 0] = leaf
        return wide[..., 0]

    opt, plain = case.make(), (draw(0), draw(1))
    odd = tree.map(scattered, plain)
    got, expected = opt.update(odd[0], odd[1], opt.init(odd[0])), opt.update(plain[0], plain[1], opt.init(plain[0]))
    assert_close(got.params, expected.params, 0.0 if case.elementwise else 1e-14)
    turned = tree.map(lambda leaf: np.asarray(leaf, order="F"), plain)
    got = opt.update(turned[0], turned[1], opt.init(turned[0]))
    assert_close(got.params, expected.params, 0.0 if case.elementwise else 1e-14)


def with_kernel() -> list[Any]:
    """The settings of rules that write out a second form, for large leaves."""
    made = [(one.id, one.values[0].make()) for one in cases()] + [
        ("lerp", Lerp(lambda count: 0.25)),
        ("lerp to", Lerp(lambda count: 1.0)),
    ]
    found = [(name, opt) for name, opt in made if isinstance(opt, flat.Elementwise)]
    return [pytest.param(opt, id=name) for name, opt in found if type(opt)._kernel is not flat.Elementwise._kernel]


@pytest.mark.parametrize("opt", with_kernel())
@pytest.mark.parametrize("in_place", [False, True])
@each_dtype
def test_the_form_for_large_leaves_gives_the_bits_of_the_formula(opt: Any, dtype: Any, in_place: bool) -> None:
    rng = np.random.default_rng(3)
    p, g = (rng.normal(size=200).astype(dtype) for _ in range(2))
    slots = opt._start(p)
    for count, label in ((0, None), (1, True), (2, False), (300, None)):
        c = flat.coefficients(opt._coefficients(count, label), p.dtype)
        expected = opt._rule(c, p, g, *slots)
        kept = [slot.copy() for slot in slots]
        out = [np.empty_like(p), *(kept if in_place else [np.empty_like(slot) for slot in slots])]
        opt._kernel(c, p, g, kept, out)
        assert tree.same(tuple(out), tuple(expected))
        p, g, slots = expected[0], rng.normal(size=200).astype(dtype), expected[1:]


@each_case
@pytest.mark.parametrize("threaded", [1 << 20, 4])
def test_large_leaves_in_blocks_give_the_same(case: OptimizerCase, threaded: int, monkeypatch: pytest.MonkeyPatch) -> None:
    params, state = run(case.make(), draw(0))
    small_blocks(monkeypatch, COMPILED=1 << 20, THREADED=threaded)
    blocked, blocked_state = run(case.make(), draw(0))
    assert_close(blocked, params, 1e-15)
    assert len(tree.leaves(state)) == len(tree.leaves(blocked_state))


def small_blocks(monkeypatch: pytest.MonkeyPatch, COMPILED: int, **sizes: int) -> None:
    """Have small leaves count as large ones, and be cut in blocks."""
    monkeypatch.setattr(layout, "_SEEN", {})
    monkeypatch.setattr(flat, "COMPILED", COMPILED)
    for name, value in {"LARGE": 6, **sizes}.items():
        monkeypatch.setattr(layout, name, value)
    for name, value in {"BLOCK": 4, "LINE": 2}.items():
        monkeypatch.setattr(blocks, name, value)


class Interpreted:
    """In place of Numba: what is compiled there is called as it stands."""

    @staticmethod
    def njit(**options: Any) -> Callable[[Any], Any]:
        assert options == {"nogil": True, "error_model": "numpy"}
        return lambda function: function


COMPILERS = [Interpreted(), *([importlib.import_module("numba")] if importlib.util.find_spec("numba") else [])]


@pytest.mark.parametrize("compiler", COMPILERS, ids=lambda one: getattr(one, "__name__", "interpreted"))
@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, fn.donate_state], ids=["beside", "in place"])
@pytest.mark.parametrize("make", [fn.adam, fn.adamw, partial(fn.adamw, where=r"'a'")], ids=["adam", "adamw", "adamw-where"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("threaded", [1 << 20, 4])
def test_compiled_rules_give_the_same_bits(
    make: Any, wrap: Any, dtype: Any, threaded: int, compiler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(5)
    grads = {key: generator.normal(size=shape).astype(dtype) for key, shape in {"a": (5, 7), "b": (40,), "c": (3,)}.items()}
    grads["b"][:3] = 0, np.inf, np.nan
    params = tree.map(np.cos, {key: np.zeros_like(leaf) for key, leaf in grads.items()})

    def three_steps(installed: Any) -> Any:
        monkeypatch.setattr(fused, "import_module", installed)
        fused.compiled.cache_clear()
        opt, new = wrap(make(0.1)), params
        state = opt.init(new)
        for _ in range(3):
            updated = opt.update(new, grads, state)
            new, state = updated.params, updated.state
        return new, state

    def missing(name: str) -> Any:
        raise ImportError(name)

    small_blocks(monkeypatch, COMPILED=4, THREADED=4, COMPILED_THREADED=threaded)
    try:
        with np.errstate(invalid="ignore"):
            assert tree.same(three_steps(missing), three_steps(lambda name: compiler))
    finally:
        fused.compiled.cache_clear()


@pytest.mark.parametrize("name", ["sgd", "nesterov", "adam", "adamw"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_and_small_leaves_together_follow_the_equations(name: str, dtype: Any) -> None:
    shapes: dict[str, Any] = {
        "a": (7,),
        "blocks": (3, 70_000),
        "b": (),
        "threads": (1100, 1000),
        "c": (2, 3),
        "just": (layout.LARGE,),
    }

    def drawn(seed: int) -> Any:
        generator = np.random.default_rng(seed)
        made = {key: np.asarray(generator.normal(size=shape)).astype(dtype) for key, shape in shapes.items()}
        return {**made, "blocks": np.asfortranarray(made["blocks"])}

    case = OPTIMIZERS[name][0]
    assert case.reference is not None
    opt, params, grads = case.make(), drawn(0), [drawn(seed) for seed in (1, 2, 3)]
    new, state = params, opt.init(params)
    for g in grads:
        updated = opt.update(new, g, state)
        new, state = updated.params, updated.state
    for key in shapes:
        expected = case.reference(params[key], [g[key] for g in grads])
        tolerance = 1e-13 if dtype is np.float64 else 3e-6
        np.testing.assert_allclose(new[key], expected, rtol=tolerance, atol=tolerance, err_msg=key)
        assert not new[key].flags.writeable


@pytest.mark.parametrize("case", [one for one in cases() if one.values[0].elementwise])
def test_each_leaf_alone_gives_the_same(case: OptimizerCase) -> None:
    params, _ = run(case.make(), draw(0))
    for index, leaf in enumerate(tree.leaves(params)):
        opt, alone = case.make(), tree.leaves(draw(0))[index]
        state = opt.init(alone)
        for seed in range(1, 7):
            updated = opt.update(alone, tree.leaves(draw(seed))[index], state)
            alone, state = updated.params, updated.state
        np.testing.assert_allclose(alone, leaf, rtol=1e-15)


def spoil(params: Any, what: str) -> Any:
    first, second, third = params
    if what == "structure":
        return ({**first, "extra": first["vector"]}, second, third)
    if what == "kind":
        return ((first["vector"], first["matrix"], first["number"], first["nothing"]), second, third)
    if what == "shape":
        return ({**first, "matrix": first["matrix"].T}, second, third)
    return ({**first, "matrix": first["matrix"].astype(np.float32)}, second, third)


@each_case
@pytest.mark.parametrize(
    ("what", "place"), [("structure", "[0]"), ("kind", "[0]"), ("shape", "[0]['matrix']"), ("dtype", "[0]['matrix']")]
)
def test_gradients_that_do_not_match_name_the_leaf(case: OptimizerCase, what: str, place: str) -> None:
    opt, params = case.make(), draw(0)
    with pytest.raises(ValueError, match="gradients") as error:
        opt.update(params, spoil(draw(1), what), opt.init(params))
    assert place in str(error.value)


def remembers(opt: fn.Optimizer) -> bool:
    state = opt.init(draw(0))
    return bool(state.slots) or any(one.slots for one in state.inner)


@pytest.mark.parametrize("case", [one for one in cases() if remembers(one.values[0].make())])
def test_a_state_of_other_parameters_is_an_error(case: OptimizerCase) -> None:
    opt, params = case.make(), draw(0)
    state = opt.init(params)
    other = (params, params)
    with pytest.raises(ValueError, match="state"):
        opt.update(other, other, state)


@each_case
def test_integer_parameters_are_an_error(case: OptimizerCase) -> None:
    opt = case.make()
    params: Any = {"matrix": np.ones((2, 2)), "index": np.arange(3)}
    with pytest.raises(TypeError, match=r"index.*int64.*floating"):
        opt.init(params)


@each_case
def test_a_list_is_an_error(case: OptimizerCase) -> None:
    params: Any = {"weight": [1.0, 2.0]}
    with pytest.raises(TypeError, match="weight"):
        case.make().init(params)


# ----------------------------------------------------------------------------------------------------------- convergence

SPECTRUM = np.array([1.0, 3.0, 10.0, 30.0, 100.0, 2.0])  # condition number 100
ROTATION = np.linalg.qr(np.random.default_rng(4).normal(size=(6, 6)))[0]
HESSIAN = ROTATION @ np.diag(SPECTRUM) @ ROTATION.T
GOAL = {"weight": np.array([[0.3, -0.2], [0.8, -0.5]]), "bias": np.array([0.7, -0.9])}


def quadratic(params: Any) -> tuple[float, Any]:
    """Half the square of the distance to GOAL, in the metric of a matrix of condition number 100."""
    away, unravel = tree.ravel(tree.map(np.subtract, params, GOAL))
    slope = HESSIAN @ away
    return float(0.5 * away @ slope), unravel(slope)


@pytest.mark.parametrize("case", [one for one in cases() if one.values[0].converging is not None])
def test_minimizes_a_quadratic_of_condition_number_100(case: OptimizerCase) -> None:
    assert case.converging is not None
    opt = case.converging()
    params = {"weight": np.array([[0.2, 0.1], [-0.1, 0.2]]), "bias": np.array([0.1, 0.2])}
    state, start = opt.init(params), quadratic(params)[0]
    for _ in range(case.steps):
        updated = opt.update(params, quadratic(params)[1], state)
        params, state = updated.params, updated.state
    if isinstance(opt, ScheduleFree):
        params = opt.evaluation(params, state)
    assert quadratic(params)[0] < case.close * start


def rosenbrock(x: Any) -> tuple[float, Any]:
    a, b = x
    return float((1 - a) ** 2 + 100 * (b - a**2) ** 2), np.array([-2 * (1 - a) - 400 * a * (b - a**2), 200 * (b - a**2)])


@pytest.mark.parametrize(
    "opt",
    [
        fn.momentum(2e-4, momentum=0.98),
        fn.nesterov(5e-4, momentum=0.98),
        fn.adam(0.02),
        fn.adabelief(0.02),
        fn.nadam(0.02),
        fn.rprop(0.01),
        fn.lookahead(fn.adam(0.02)),
    ],
    ids=lambda opt: type(opt).__name__,
)
def test_follows_the_valley_of_rosenbrock(opt: fn.Optimizer) -> None:
    x = np.array([-1.2, 1.0])
    state = opt.init(x)
    for _ in range(4000):
        updated = opt.update(x, rosenbrock(x)[1], state)
        x, state = updated.params, updated.state
    np.testing.assert_allclose(x, [1, 1], atol=0.01)  # where 4000 steps of these rates end


# ---------------------------------------------------------------------------------------- states and parameters that are none


@each_case
def test_what_is_no_state_is_named(case: OptimizerCase) -> None:
    opt, params = case.make(), draw(0)
    state = opt.init(params)
    untyped: Any = opt
    for wrong in (None, params, 3, (), type(state)):
        with pytest.raises(TypeError, match=r"^state is .*, expected what init or update of "):
            untyped.update(params, params, wrong)
    counts: list[Any] = [-1, np.array(-1), np.array(1.5), np.array([1]), None]
    for count in counts:
        with pytest.raises((TypeError, ValueError), match=r"^state\.count is "):
            untyped.update(params, params, type(state)(count, state.slots, state.inner))
    for grads in (None, 3, "x", state):
        with pytest.raises((TypeError, ValueError), match="gradients"):
            untyped.update(params, grads, state)


@each_case
def test_a_state_of_another_optimizer_is_named(case: OptimizerCase) -> None:
    opt, params = case.make(), draw(0)
    state = opt.init(params)
    others = [
        fn.OptState(state.count, (*state.slots, np.zeros(3)), state.inner),
        fn.OptState(state.count, state.slots, (*state.inner, fn.OptState(state.count))),
    ]
    if state.inner:
        others.append(fn.OptState(state.count, state.slots, state.inner[1:]))
    if state.slots:
        others.append(fn.OptState(state.count, state.slots[1:], state.inner))
    for other in others:
        with pytest.raises(ValueError, match=r"^state does not fit: it must come from init or update of "):
            opt.update(params, params, other)


@each_case
def test_half_precision_is_refused_by_name(case: OptimizerCase) -> None:
    opt = case.make()
    with pytest.raises(TypeError, match=r"parameter \S+ has dtype float16: optimizers compute in float32 at least"):
        opt.init(tree.astype(draw(0), np.float16))
    bfloat16: Any = SimpleNamespace(name="bfloat16", kind="V")  # what ml_dtypes calls it and says of it
    with pytest.raises(TypeError, match=r"optimizers compute in float32 at least"):
        check_trainable("[0]", bfloat16)
