"""Cases of the combinators that make networks of layers."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import masked, normals, with_state
from funcnn.layer import AnyLayer


def _cell(features: int) -> AnyLayer:
    """Return a layer of two inputs with a fixed point in the first."""
    return fn.join_inputs() >> fn.dense(features) >> fn.tanh()


def _field(features: int) -> AnyLayer:
    """Return a right-hand side."""
    return fn.dense(features) >> fn.tanh()


COMBINATORS: dict[str, tuple[LayerCase, ...]] = {
    "serial": (
        LayerCase(lambda: fn.serial(fn.dense(3), fn.tanh(), fn.dense(2)), (4,)),
        LayerCase(lambda: fn.dense(3) >> fn.tanh() >> fn.serial(fn.dense(2), fn.tanh()), (4,), label="nested"),
        LayerCase(lambda: fn.serial(fn.tanh(), fn.tanh()), (4,), label="without parameters"),
        LayerCase(lambda: fn.serial(fn.serial(fn.dense(3), fn.tanh()), fn.tanh()), (4,), label="a block first"),
        LayerCase(lambda: fn.serial(fn.tanh(), fn.layer_norm(), fn.dense(2)), (4,), label="parameters later"),
    ),
    "residual": (LayerCase(lambda: fn.residual(fn.dense(4) >> fn.tanh()), (4,)),),
    "add": (LayerCase(lambda: fn.add(fn.dense(3), fn.dense(3) >> fn.tanh()), (4,)),),
    "concatenate": (LayerCase(lambda: fn.concatenate(fn.dense(3), fn.tanh(), fn.dense(1)), (4,)),),
    "branch": (LayerCase(lambda: fn.branch(fn.dense(3), fn.tanh()), (4,)),),
    "parallel": (LayerCase(lambda: fn.parallel(fn.dense(3), fn.tanh()), ((4,), (2,)), inputs=normals),),
    "pick_input": (LayerCase(lambda: fn.pick_input(1), ((4,), (2, 3)), inputs=normals),),
    "join_inputs": (
        LayerCase(lambda: fn.join_inputs(), ((4,), (2,), (3,)), inputs=normals),
        LayerCase(lambda: fn.join_inputs(1), ((4, 2), (3, 2)), inputs=normals, label="axis"),
    ),
    "add_inputs": (
        LayerCase(lambda: fn.add_inputs(), ((2, 3), (2, 3), (2, 3)), inputs=normals),
        LayerCase(lambda: fn.add_inputs(), ((2, 3), (1, 3), (2, 1)), inputs=normals, label="repeated"),
    ),
    "multiply_inputs": (
        LayerCase(lambda: fn.multiply_inputs(), ((2, 3), (2, 3), (2, 3)), inputs=normals),
        LayerCase(lambda: fn.multiply_inputs(), ((3,), (3,)), inputs=normals, label="two"),
        LayerCase(lambda: fn.multiply_inputs(), ((2, 3), (1, 3), (2, 1), (1, 1)), inputs=normals, label="repeated"),
    ),
    "subtract_inputs": (
        LayerCase(lambda: fn.subtract_inputs(), ((2, 3), (2, 3)), inputs=normals),
        LayerCase(lambda: fn.subtract_inputs(), ((2, 1), (1, 3)), inputs=normals, label="repeated"),
    ),
    "average_inputs": (
        LayerCase(lambda: fn.average_inputs(), ((2, 3), (2, 3), (2, 3)), inputs=normals),
        LayerCase(lambda: fn.average_inputs(), ((2, 3), (1, 3), (2, 1)), inputs=normals, label="repeated"),
    ),
    "maximum_inputs": (
        LayerCase(lambda: fn.maximum_inputs(), ((2, 3), (2, 3), (2, 3)), inputs=normals),
        LayerCase(lambda: fn.maximum_inputs(), ((2, 3), (1, 3), (2, 1)), inputs=normals, label="repeated"),
    ),
    "minimum_inputs": (
        LayerCase(lambda: fn.minimum_inputs(), ((2, 3), (2, 3), (2, 3)), inputs=normals),
        LayerCase(lambda: fn.minimum_inputs(), ((2, 3), (1, 3), (2, 1)), inputs=normals, label="repeated"),
    ),
    "dot_inputs": (LayerCase(lambda: fn.dot_inputs(), ((2, 3), (2, 3)), inputs=normals),),
    "ensemble": (
        LayerCase(lambda: fn.ensemble(fn.dense(2) >> fn.tanh(), 3), (4,)),
        LayerCase(
            lambda: fn.ensemble(fn.dense(2) >> fn.batch_norm(eps=0.5) >> fn.dropout(0.3), 2),
            (3,),
            independent=False,
            label="state",
        ),
    ),
    "repeat": (
        LayerCase(lambda: fn.repeat(fn.residual(fn.dense(3) >> fn.tanh()), 3), (3,)),
        LayerCase(
            lambda: fn.repeat(fn.linear(3) >> fn.batch_norm(eps=0.5) >> fn.dropout(0.3), 2),
            (3,),
            independent=False,
            label="state",
        ),
        LayerCase(
            lambda: fn.repeat(fn.parallel(fn.dense(2), fn.tanh()), 2), ((2,), (3,)), inputs=normals, label="several inputs"
        ),
    ),
    "time_distributed": (
        LayerCase(lambda: fn.time_distributed(fn.dense(2) >> fn.dropout(0.3)), (3, 4)),
        LayerCase(lambda: fn.time_distributed(fn.conv1d(2, 2), axes=2), (2, 1, 4, 2), batch=2, label="axes"),
    ),
    "mixture_of_experts": (
        LayerCase(lambda: fn.mixture_of_experts(fn.dense(3) >> fn.tanh(), 3), (2,), smooth=False),
        LayerCase(lambda: fn.mixture_of_experts(fn.linear(2), 3, top_k=1), (2, 2), smooth=False, label="one of three, steps"),
    ),
    "mixture_of_experts_with_routing": (
        LayerCase(lambda: fn.mixture_of_experts_with_routing(fn.linear(2), 3), (2, 2), smooth=False),
    ),
    "without_bias": (
        LayerCase(lambda: fn.without_bias(fn.rnn(2)), (3, 2)),
        LayerCase(lambda: fn.without_bias(fn.gru(2)), (3, 2), label="gru"),
        LayerCase(lambda: fn.without_bias(fn.lstm_cell(2)), ((2,), ((2,), (2,))), inputs=with_state, label="cell of an lstm"),
    ),
    "lora": (
        LayerCase(lambda: fn.lora(fn.dense(3), 2, alpha=3.0), (4,)),
        LayerCase(lambda: fn.lora(fn.linear(2) >> fn.tanh(), 1), (2, 3), label="steps"),
    ),
    "fixed_point": (
        LayerCase(lambda: fn.fixed_point(_cell(2), shape=(2,)), (1,), batch=2),
        LayerCase(
            lambda: fn.fixed_point(
                fn.add_inputs() >> fn.dropout(0.3) >> fn.dense(1, weight_init=fn.initializers.constant(-0.5)) >> fn.tanh()
            ),
            (1,),
            batch=2,
            label="dropout",
        ),
    ),
    "runge_kutta": (
        LayerCase(lambda: fn.runge_kutta(_field(2), steps=2), (2,), batch=2),
        LayerCase(lambda: fn.runge_kutta(_field(1), (0.5, 2.0), steps=1, method="rk5"), (1,), label="several times"),
        LayerCase(
            lambda: fn.runge_kutta(fn.join_inputs() >> _field(1), (-0.5, -2.0), steps=1, method="heun", start=0.5, timed=True),
            (1,),
            label="time",
        ),
    ),
    "dormand_prince": (
        LayerCase(lambda: fn.dormand_prince(_field(1), rtol=1e-2, atol=1e-2, first_step=0.7), (1,)),
        LayerCase(
            lambda: fn.dormand_prince(
                fn.join_inputs() >> _field(1), (-0.5, -4.0), rtol=1e-2, atol=1e-3, first_step=5.0, start=0.5, timed=True
            ),
            (1,),
            batch=2,
            label="time",
        ),
    ),
    "frozen": (LayerCase(lambda: fn.frozen(fn.dropout(0.5) >> fn.tanh()), (4,)),),
    "shard": (
        LayerCase(lambda: fn.shard(fn.dense(3) >> fn.tanh() >> fn.dense(2)), (4,), batch=5),
        LayerCase(
            lambda: fn.shard(fn.conv2d(2, (2, 3)) >> fn.batch_norm(eps=0.5)), (3, 4, 2), independent=False, label="convolution"
        ),
        LayerCase(lambda: fn.shard(fn.dense(3) >> fn.dropout(0.4) >> fn.tanh(), 3), (4,), batch=5, label="dropout"),
        LayerCase(lambda: fn.shard(fn.gru(3, masked=True)), (4, 2), inputs=masked, label="masked"),
        LayerCase(lambda: fn.shard(fn.parallel(fn.dense(3), fn.tanh())), ((4,), (2,)), inputs=normals, label="several inputs"),
        LayerCase(lambda: fn.dense(3) >> fn.shard(fn.shard(fn.batch_norm(eps=0.5), 3)), (4,), independent=False, label="nested"),
    ),
    "recompute": (
        LayerCase(lambda: fn.recompute(fn.dense(3) >> fn.tanh() >> fn.dense(2)), (4,)),
        LayerCase(
            lambda: fn.recompute(fn.linear(3) >> fn.batch_norm() >> fn.dropout(0.3) >> fn.tanh() >> fn.dense(2), 3),
            (4,),
            independent=False,
            label="segments",
        ),
    ),
}
