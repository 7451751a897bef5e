"""Looking inside a network: rebuilding it, watching it, and its table."""

import tracemalloc
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.certificate.cases import LAYERS, LayerCase
from funcnn.layer.watch import Seen, watch


def nested() -> Any:
    block = fn.dense(4) >> fn.relu() >> fn.dropout(0.5) >> fn.dense(4)
    return (
        fn.dense(4)
        >> fn.residual(block)
        >> fn.recompute(fn.serial(fn.batch_norm()))
        >> fn.concatenate(fn.dense(2), fn.add(fn.dense(2), fn.linear(2)))
        >> fn.dense(3)
    )


def same(path: str, layer: Any) -> Any:
    return layer


def test_a_network_is_rebuilt_equal() -> None:
    model = nested()
    again = fn.map_layers(same, model)
    assert again == model
    assert type(again) is type(model)
    assert again is not model


def test_the_paths_are_those_of_the_parameters() -> None:
    model = nested()
    params = model.init(fn.Key(0), (5,)).params
    found: dict[str, str] = {}

    def look(seen: Seen) -> None:
        if seen.phase == "init" and not seen.layer.parts:
            found[seen.path] = seen.layer.name
            at = eval(f"params{seen.path}", {"params": params})
            assert fn.tree.same(at, seen.params)

    watch(look, model).init(fn.Key(0), (5,))
    assert found == {
        "[0]": "dense(4)",
        "[1][0]": "dense(4)",
        "[1][1]": "relu",
        "[1][2]": "dropout(0.5)",
        "[1][3]": "dense(4)",
        "[2][0]": "batch_norm",
        "[3][0]": "dense(2)",
        "[3][1][0]": "dense(2)",
        "[3][1][1]": "linear(2)",
        "[4]": "dense(3)",
    }


def test_a_model_with_a_name_of_its_own_is_looked_into() -> None:
    seen = []

    def look(path: str, layer: Any) -> Any:
        seen.append((path, layer.name))
        return layer

    again = fn.map_layers(look, fn.mlp(4, 2))
    assert (again, again.name) == (fn.mlp(4, 2), "mlp(4, 2)")
    assert seen == [("[0]", "dense(4)"), ("[1]", "relu"), ("[2]", "dense(2)"), ("", "mlp(4, 2)")]


@pytest.mark.parametrize("case", [pytest.param(cases[0], id=name) for name, cases in LAYERS.items()])
def test_every_layer_of_the_package_can_be_looked_into(case: LayerCase) -> None:
    layer = case.make()
    assert fn.map_layers(same, layer) == layer
    start, seen = layer.init(fn.Key(0), case.shape), list[Seen]()
    watched = watch(seen.append, layer)
    assert fn.tree.same(watched.init(fn.Key(0), case.shape).params, start.params)
    for one in seen:
        at = eval(f"params{one.path}", {"params": start.params})
        assert fn.tree.same(at, one.params), one.path
    made = watched.forward(start.params, start.state, case.x(), fn.Train(fn.Key(1)))
    assert fn.tree.same(made.output, layer.forward(start.params, start.state, case.x(), fn.Train(fn.Key(1))).output)
    assert fn.summary(layer, case.shape).params == fn.tree.size(start.params)


def test_a_watched_network_computes_the_same() -> None:
    model = nested()
    start = model.init(fn.Key(0), (5,))
    x, y = np.random.default_rng(0).normal(size=(6, 5)), np.arange(6) % 3
    seen: list[Seen] = []
    watched = watch(seen.append, model)
    assert watched.selective == model.selective
    given = start.params, start.state, x, y, fn.Train(fn.Key(1))
    plain = fn.loss_and_grad(model, fn.softmax_cross_entropy())(*given)
    looked = fn.loss_and_grad(watched, fn.softmax_cross_entropy())(*given)
    assert fn.tree.same((plain.grads, plain.state, plain.output), (looked.grads, looked.state, looked.output))
    order = [(one.phase, one.path) for one in seen if not one.layer.parts]
    assert order[0] == ("forward", "[0]")
    assert order[-1] == ("backward", "[0]")
    assert order.index(("backward", "[4]")) < order.index(("backward", "[3][0]")) < order.index(("backward", "[1][3]"))


def test_a_replaced_gradient_is_not_lost() -> None:
    inner = fn.dense(2) >> fn.tanh()

    def backward(params: Any, residuals: Any, dy: Any) -> fn.Backward[Any, Any]:
        return fn.Backward(params, -dy)

    reverse = attrs.evolve(inner, backward=backward)
    model = fn.dense(3) >> reverse
    found: list[str] = []

    def look(path: str, layer: Any) -> Any:
        found.append(path)
        return layer

    again: Any = fn.map_layers(look, model)
    assert found == ["[0]", "[1]", ""]  # its parts are not entered: the combination of them is another function
    assert again.parts[1].backward is reverse.backward


def test_the_table() -> None:
    assert str(fn.summary(nested(), (5,), dtype=np.float32)).splitlines() == [
        "path       layer              output  parameters  bytes",
        "-------------------------------------------------------",
        "[0]        dense(4)           (4,)            24     96",
        "[1]        residual(serial)   (4,)",
        "[1]          serial           (4,)",
        "[1][0]         dense(4)       (4,)            20     80",
        "[1][1]         relu           (4,)             0      0",
        "[1][2]         dropout(0.5)   (4,)             0      0",
        "[1][3]         dense(4)       (4,)            20     80",
        "[2]        recompute(serial)  (4,)",
        "[2]          serial           (4,)",
        "[2][0]         batch_norm     (4,)             8     32",
        "[3]        concatenate        (4,)",
        "[3][0]       dense(2)         (2,)            10     40",
        "[3][1]       add              (2,)",
        "[3][1][0]      dense(2)       (2,)            10     40",
        "[3][1][1]      linear(2)      (2,)             8     32",
        "[4]        dense(3)           (3,)            15     60",
        "-------------------------------------------------------",
        "total                                        115    460",
        "float32; training keeps about 144 bytes of activations per example",
    ]


def test_the_record_behind_the_table() -> None:
    table = fn.summary(nested(), (5,))
    params = nested().init(fn.Key(0), (5,)).params
    assert table.params == fn.tree.size(params)
    assert table.nbytes == fn.tree.nbytes(params)
    assert table.params == sum(row.params for row in table.rows if not row.composed)
    assert table.rows[1].composed
    assert table.rows[1].params == 40
    assert repr(table) == str(table)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        table.params = 0  # type: ignore[misc]  # wrong on purpose


def test_one_layer_and_nothing() -> None:
    table = fn.summary(fn.dense(2), (3,))
    assert [row.name for row in table.rows] == ["dense(2)"]
    assert table.params == 8
    assert fn.summary(fn.relu(), (3,)).nbytes == 0


def test_several_inputs_and_integers() -> None:
    pair = fn.parallel(fn.dense(2), fn.tanh())
    assert fn.summary(pair, ((3,), (4,))).rows[0].out_shape == (2,)

    def forward(params: Any, state: Any, x: Any, mode: fn.Mode) -> fn.Forward[Any, Any, Any]:
        return fn.Forward(params.take(x, axis=0), state, ())

    def init(key: fn.Key, in_shape: Any) -> fn.Init[Any, Any]:
        return fn.Init(np.ones((5, 2)), (), (*in_shape, 2))

    look_up: Any = fn.define_layer("look_up", init, forward, lambda params, residuals, dy: fn.Backward(params, None))
    assert fn.summary(look_up >> fn.dense(1), (7,)).rows[0].out_shape == (7, 2)


def test_a_wrong_shape_names_the_layer() -> None:
    with pytest.raises(ValueError, match="residual needs a layer that keeps the shape") as caught:
        fn.summary(fn.dense(4) >> fn.residual(fn.dense(3)), (5,))
    assert "in layer [1] residual(dense(3))" in caught.value.__notes__[0]


@pytest.mark.parametrize("batch", [200, 1000])
def test_the_estimate_of_activations_is_what_a_forward_keeps(batch: int) -> None:
    model = fn.dense(64) >> fn.layer_norm() >> fn.tanh() >> fn.residual(fn.dense(64) >> fn.relu()) >> fn.dense(8)
    table = fn.summary(model, (16,))
    start = model.init(fn.Key(0), (16,))
    x = np.ones((batch, 16))
    mode = fn.Train(fn.Key(0))
    model.forward(start.params, start.state, x, mode)
    tracemalloc.start()
    made = model.forward(start.params, start.state, x, mode)
    kept = tracemalloc.get_traced_memory()[0] + x.nbytes
    tracemalloc.stop()
    assert made.output.shape == (batch, 8)
    assert table.activations(batch) == pytest.approx(kept, rel=0.02, abs=0.0)  # headers of arrays and Python's own objects


def trained(model: Any, in_shape: Any, x: Any, y: Any, optimizer: fn.Optimizer) -> int:
    """Return the most bytes that a plain training loop holds."""
    step = fn.loss_and_grad(model, fn.softmax_cross_entropy())

    def loop() -> None:
        start = model.init(fn.Key(0), in_shape)
        params, state = fn.tree.astype((start.params, start.state), np.float32)
        del start
        opt_state = optimizer.init(params)
        tracemalloc.reset_peak()
        for number in range(3):
            result = step(params, state, x, y, fn.Train(fn.Key(number)))
            updated = optimizer.update(params, result.grads, opt_state)
            params, opt_state, state = updated.params, updated.state, result.state

    loop()
    tracemalloc.start()
    loop()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


IMAGES = (28, 28, 1)


@pytest.mark.parametrize(
    ("model", "in_shape", "batch", "optimizer"),
    [
        pytest.param(fn.mlp(256, 256, 10), (784,), 16, fn.adam(), id="mlp, many parameters"),
        pytest.param(fn.mlp(256, 256, 10), (784,), 1500, fn.momentum(0.1), id="mlp, many examples"),
        pytest.param(fn.lenet5(10), IMAGES, 48, fn.adam(), id="lenet5"),
        pytest.param(fn.lenet5(10), IMAGES, 200, fn.chain(fn.clip_by_global_norm(1.0), fn.adamw()), id="lenet5, many examples"),
        pytest.param(fn.gpt(65, layers=2, features=64, context_length=32), (32,), 12, fn.adamw(), id="gpt"),
        pytest.param(fn.gpt(65, layers=1, features=32, context_length=32), (32,), 150, fn.adamw(), id="gpt, many examples"),
        pytest.param(fn.recompute(fn.mlp(*[64] * 12, 10)), (64,), 500, fn.sgd(0.1), id="recompute"),
        pytest.param(fn.shard(fn.mlp(*[64] * 12, 10)), (64,), 500, fn.sgd(0.1), id="shard"),
    ],
)
def test_the_peak_of_training_is_predicted(model: Any, in_shape: Any, batch: int, optimizer: fn.Optimizer) -> None:
    table = fn.summary(model, in_shape, dtype=np.float32, batch_size=batch, optimizer=optimizer)
    generator = np.random.default_rng(0)
    tokens = len(in_shape) == 1 and in_shape[0] == 32
    size = (batch, *in_shape)
    x: Any = generator.integers(0, 65, size) if tokens else generator.normal(size=size).astype(np.float32)
    y = generator.integers(0, 10, size if tokens else batch)
    measured = trained(model, in_shape, x, y, optimizer) + x.nbytes
    assert table.peak_nbytes == pytest.approx(measured, rel=0.15, abs=0.0)  # an estimate
    assert str(table).splitlines()[-1] == f"with batches of {batch} it takes about {table.peak_nbytes:,} bytes at its peak"


def test_the_peak_of_a_gradient_alone() -> None:
    model = fn.mlp(200, 10)
    table = fn.summary(model, (100,), batch_size=32)
    with_update = fn.summary(model, (100,), batch_size=32, optimizer=fn.adam()).peak_nbytes
    assert table.peak_nbytes is not None
    assert with_update is not None
    assert 2 * table.nbytes < table.peak_nbytes < with_update
    assert fn.summary(model, (100,)).peak_nbytes is None


def test_a_trace_that_runs_goes_on() -> None:
    fn.summary(fn.dense(3), (4,), batch_size=2)  # what is imported at first is no part of what is measured
    tracemalloc.start()
    try:
        first = fn.summary(fn.dense(3), (4,), batch_size=2).peak_nbytes
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    second = fn.summary(fn.dense(3), (4,), batch_size=2).peak_nbytes
    assert not tracemalloc.is_tracing()
    assert first == pytest.approx(second, rel=0.5, abs=0.0)  # Python itself takes most of it


def test_a_peak_needs_a_batch() -> None:
    with pytest.raises(ValueError, match="give batch_size as well"):
        fn.summary(fn.dense(1), (2,), optimizer=fn.adam())
    with pytest.raises(ValueError, match="batch_size is 0, expected at least 1"):
        fn.summary(fn.dense(1), (2,), batch_size=0)
    with pytest.raises(TypeError, match="expected an integer"):
        fn.summary(fn.dense(1), (2,), batch_size=2.0)  # type: ignore[arg-type]  # wrong on purpose
