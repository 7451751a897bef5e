"""Parts of a batch side by side: the same function as the layer alone, and what happens when it cannot be."""

import pickle
import threading
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS, LayerCase
from funcnn.certificate.subjects import MODES, start
from funcnn.runtime import blas
from funcnn.runtime.threads import run_concurrently
from funcnn.sharding.batch_parts import BatchBarrier, Part
from funcnn.sharding.shard import added_up


def every_case() -> list[Any]:
    return [pytest.param(case, id=f"{name}-{case.label or i}") for name, cases in LAYERS.items() for i, case in enumerate(cases)]


def cotangent(output: Any) -> Any:
    """Return a cotangent of an output, no two numbers alike; None where a leaf has none."""
    leaves = [
        np.cos(np.arange(leaf.size)).reshape(leaf.shape) if leaf.dtype.kind == "f" else None for leaf in tree.leaves(output)
    ]
    return tree.rebuild(output, iter(leaves))  # type: ignore[arg-type]  # a cotangent has None where a tree has integers


def results(layer: Any, params: Any, state: Any, x: Any, mode: fn.Mode) -> list[Any]:
    """Return the leaves of the output, the next state, the parameters' gradient and the input's."""
    made = layer.forward(params, state, x, mode)
    pulled = layer.backward(params, made.residuals, cotangent(made.output))
    slopes = [slope for _, _, slope in tree.with_cotangents((params, x), (pulled.params, pulled.input)) if slope is not None]
    return [*tree.leaves((made.output, made.state)), *slopes]


@pytest.mark.parametrize("case", every_case())
def test_every_layer_of_the_package_is_the_same_in_parts(case: LayerCase) -> None:
    """Statistics of the batch and random numbers included: a layer that looked at its own part only would differ."""
    layer = case.make()
    params, state = start(case, layer)
    x = case.x(batch=3)  # parts of one example and of two
    by_batch = layer.name == "batch_norm_without_statistics"  # says so of evaluation
    for mode in [MODES["train"]] if by_batch else MODES.values():
        parts = results(fn.shard(layer), params, state, x, mode)
        for one, other in zip(results(layer, params, state, x, mode), parts, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-11)


def network() -> Any:
    return fn.serial(fn.dense(5), fn.batch_norm(), fn.dropout(0.3), fn.gaussian_noise(0.1), fn.dense(2))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("workers", [1, 2, 3, 4, 9])
def test_any_batch_and_any_number_of_workers(workers: int, size: int) -> None:
    model = network()
    made = model.init(fn.Key(0), (3,))
    x, mode = np.random.default_rng(1).normal(size=(size, 3)), fn.Train(fn.Key(2))
    whole, first, second = (
        results(layer, made.params, made.state, x, mode) for layer in (model, *[fn.shard(model, workers)] * 2)
    )
    for one, other, again in zip(whole, first, second, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-12)
        assert other.tobytes() == again.tobytes()  # the same each time, whoever comes first


def test_the_loss_sees_the_whole_batch() -> None:
    model, loss = network(), fn.mean_squared_error()
    made = model.init(fn.Key(0), (3,))
    generator = np.random.default_rng(3)
    x, y, mode = generator.normal(size=(9, 3)), generator.normal(size=(9, 2)), fn.Train(fn.Key(4))
    target = fn.Weighted(y, generator.random(9))
    whole, parts = (fn.compiled(fn.loss_and_grad(layer, loss)) for layer in (model, fn.shard(model)))
    expected = whole(made.params, made.state, x, target, mode)
    for _ in range(3):  # at the first call a flat function is written
        got = parts(made.params, made.state, x, target, mode)
        np.testing.assert_allclose(got.loss, expected.loss, rtol=1e-12)
        for one, other in zip(tree.leaves(expected.grads), tree.leaves(got.grads), strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-13)


def test_fit_trains_in_parts() -> None:
    generator = np.random.default_rng(5)
    x = generator.normal(size=(40, 3))
    y = x @ generator.normal(size=(3, 2))
    fits = [
        fn.fit(layer, fn.mean_squared_error(), fn.sgd(0.1), x, y, epochs=2, batch_size=16, key=fn.Key(1))
        for layer in (network(), fn.shard(network()))
    ]
    for one, other in zip(*[tree.leaves((made.params, made.state)) for made in fits], strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-8, atol=1e-10)  # sums in another order, through some steps of training


@pytest.mark.parametrize("heads_rows", [None, 1, 2])
def test_attention_drops_what_it_would_drop_undivided(heads_rows: int | None) -> None:
    layer = fn.attention(2, causal=True, dropout=0.4, block_rows=heads_rows)
    made = layer.init(fn.Key(0), (5, 4))
    x, mode = np.random.default_rng(6).normal(size=(5, 5, 4)), fn.Train(fn.Key(7))
    whole = results(layer, made.params, made.state, x, mode)
    for workers in (2, 3, 5):
        for one, other in zip(whole, results(fn.shard(layer, workers), made.params, made.state, x, mode), strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("skip", [1, 2, 7, 100])
def test_a_generator_may_start_later(skip: int) -> None:
    whole = fn.Key(3).generator().random(120, dtype=np.float32)
    np.testing.assert_array_equal(fn.Key(3).generator(skip).random(120 - skip, dtype=np.float32), whole[skip:])


def test_inputs_of_unlike_lengths_are_not_divided() -> None:
    layer = fn.shard(fn.parallel(fn.tanh(), fn.tanh()))
    one, other = np.ones((4, 2)), np.ones((3, 2))
    got: Any = fn.apply(layer, ((), ()), ((), ()), (one, other))
    assert [len(part) for part in got] == [4, 3]


def test_a_dict_is_cut_and_joined() -> None:
    def forward(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
        return fn.Forward({"b": 2 * x["a"], "a": 3 * x["b"]}, state, ())

    def backward(params: Any, residuals: Any, dy: Any) -> fn.Backward[Any, Any]:
        return fn.Backward(params, {"a": 2 * dy["b"], "b": 3 * dy["a"]})

    layer: Any = fn.define_layer("swap", lambda key, shape: fn.Init((), (), shape), forward, backward)
    x = {"a": np.arange(3.0), "b": -np.arange(3.0)}
    for one, other in zip(results(layer, (), (), x, fn.Eval()), results(fn.shard(layer), (), (), x, fn.Eval()), strict=True):
        np.testing.assert_array_equal(one, other)


def summing(calls: Callable[[fn.Mode], bool]) -> Any:
    """Return a layer that sums over the batch where ``calls`` says so."""

    def forward(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
        if calls(mode) and isinstance(mode, fn.Train):
            mode.all_reduce_sum(x.sum(0))
        return fn.Forward(x.copy(), state, ())

    def backward(params: Any, residuals: Any, dy: Any) -> fn.Backward[Any, Any]:
        return fn.Backward(params, dy.copy())

    return fn.define_layer("summing", lambda key, shape: fn.Init((), (), shape), forward, backward)


def is_part(index: int, mode: fn.Mode) -> bool:
    return isinstance(mode, Part) and mode.index == index


def test_a_part_that_nobody_joins_does_not_wait_for_ever() -> None:
    for alone in (0, 1, 2):
        layer = fn.dense(2) >> summing(partial(is_part, alone))
        made = layer.init(fn.Key(0), (2,))
        with pytest.raises(RuntimeError, match="another part has ended without it") as error:
            fn.shard(layer, 3).forward(made.params, made.state, np.ones((3, 2)), fn.Train(fn.Key(0)))
        assert "in layer [1] summing" in error.value.__notes__[0]


def test_the_error_of_a_part_is_raised_with_its_path() -> None:
    def failing(mode: fn.Mode) -> bool:
        if isinstance(mode, Part) and mode.index == 1:
            raise ZeroDivisionError("wrong")
        return False

    layer = fn.dense(2) >> summing(failing) >> fn.batch_norm()  # where the other part waits
    made = layer.init(fn.Key(0), (2,))
    mode = fn.Train(fn.Key(0))
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError, match="wrong") as error:
        fn.shard(layer).forward(made.params, made.state, np.ones((4, 2)), mode)
    assert error.value.__notes__ == ["in layer [1] summing, given float64[2, 2]"]
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="3 long, expected 2 features") as wrong:
        fn.shard(layer).forward(made.params, made.state, np.ones((4, 3)), mode)
    assert wrong.value.__notes__ == ["in layer [0] dense(2), given float64[2, 3]"]


def test_one_forward_serves_several_backwards_at_the_same_time() -> None:
    layer: Any = fn.shard(fn.dense(3) >> fn.batch_norm())
    made = layer.init(fn.Key(0), (2,))
    kept = layer.forward(made.params, made.state, np.random.default_rng(0).normal(size=(6, 2)), fn.Train(fn.Key(0))).residuals
    dys = [np.random.default_rng(seed).normal(size=(6, 3)) for seed in range(8)]
    expected = [layer.backward(made.params, kept, dy) for dy in dys]
    got = run_concurrently([partial(layer.backward, made.params, kept, dy) for dy in dys])
    for one, other in zip(expected, got, strict=True):
        assert tree.same((one.params, one.input), (other.params, other.input))


def test_a_sum_over_the_parts_cannot_be_written_to() -> None:
    barrier = BatchBarrier(2)
    totals = barrier.run_parts(lambda part: barrier.all_reduce_sum(part, np.array([1.0 + part]), "here"))
    assert [total.tolist() for total in totals] == [[3.0], [3.0]]
    assert not totals[0].flags.writeable
    assert pickle.loads(pickle.dumps(barrier)).count == 2


def test_a_sharded_layer_is_looked_into() -> None:
    layer: Any = fn.shard(network(), 3)
    assert layer.combine(layer.parts) == layer
    assert layer != fn.shard(network(), 2)
    assert fn.map_layers(lambda path, one: one, layer) == layer
    assert [row.path for row in fn.summary(layer, (3,)).rows][1:] == [f"[{index}]" for index in range(5)]


@pytest.mark.parametrize(("workers", "kind"), [(0, ValueError), (-1, ValueError), (2.0, TypeError), (True, TypeError)])
def test_wrong_workers(workers: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="workers"):
        fn.shard(fn.relu(), workers)


def test_a_factory_is_no_layer() -> None:
    wrong: Any = fn.relu
    with pytest.raises(TypeError, match="a factory is called first"):
        fn.shard(wrong)


def test_gradients_of_parts_are_let_go_of_leaf_by_leaf() -> None:
    layers = 8
    trees = [tuple([np.full(10_000, float(part)) for _ in range(layers)]) for part in (1, 2)]
    leaf = trees[0][0].nbytes
    tracemalloc.start()
    try:
        trees = [tree.map(np.copy, one) for one in trees]
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        total = added_up(trees)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert trees == []
    assert all((one == 3).all() for one in total)
    assert peak - before < 1.5 * leaf
    assert before - after > 0.9 * layers * leaf


def test_products_use_one_thread_while_parts_run(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = [2]
    monkeypatch.setattr(blas, "controls", lambda: (lambda: threads[-1], threads.append))
    seen = []
    with blas.one_thread():
        seen.append(threads[-1])
        with blas.one_thread():
            seen.append(threads[-1])
        seen.append(threads[-1])
    assert seen == [1, 1, 1]
    assert threads[-1] == 2


@pytest.mark.skipif(blas.controls() is None, reason="NumPy's BLAS is none whose threads can be set")
def test_the_threads_of_the_blas_are_read_and_set() -> None:
    controls = blas.controls()
    assert controls is not None
    get, put = controls
    before = get()
    try:
        for count in (2, 1):
            put(count)
            assert get() == count
    finally:
        put(before)


def test_a_library_that_is_not_known_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "controls", lambda: None)
    with blas.one_thread():
        assert np.ones((2, 2)).dot(np.ones(2)).tolist() == [2.0, 2.0]


def test_functions_run_together_in_order() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def work(index: int) -> int:
        meeting.wait()  # none goes on before all have come: they do run at the same time
        return index

    assert run_concurrently([partial(work, index) for index in range(3)]) == [0, 1, 2]
    with np.errstate(over="raise"):
        assert run_concurrently([lambda: np.geterr()["over"]] * 2) == ["raise", "raise"]


def test_the_first_error_in_order_is_raised_after_all_have_ended() -> None:
    ended: list[int] = []

    def work(index: int) -> None:
        if index:
            raise ValueError(f"part {index}")
        ended.append(index)

    with pytest.raises(ValueError, match="part 1"):
        run_concurrently([partial(work, index) for index in range(4)])
    assert ended == [0]


def sums_where_positive(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
    return fn.Forward(x + mode.all_reduce_sum(x.sum(0)) if isinstance(mode, fn.Train) and x[0, 0] > 0 else x, state, ())


@pytest.mark.parametrize("after", [fn.batch_norm, fn.identity], ids=["another sum", "the end"])
def test_a_layer_that_sums_in_some_parts_only_is_named(after: Any) -> None:
    own: Any = fn.define_layer("partly", lambda key, shape: fn.Init((), (), shape), sums_where_positive, pass_on)
    model = fn.shard(fn.serial(fn.identity(), own, after()), workers=3)
    made = model.init(fn.Key(0), (4,))
    x = np.ones((9, 4))
    x[3:] = -1
    with pytest.raises(RuntimeError, match=r"\[1\] partly .*must not depend on its examples"):
        model.forward(made.params, made.state, x, fn.Train(fn.Key(0)))


def pass_on(params: Any, residuals: Any, dy: Any) -> fn.Backward[Any, Any]:
    return fn.Backward((), dy)
