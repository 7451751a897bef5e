"""Derivatives along a direction in real numbers: those of the complex step, and only where every layer is known."""

import pickle
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS
from funcnn.derivatives.complex_step import real_part, tangent
from funcnn.derivatives.jvp import push
from funcnn.derivatives.tangents import takes
from funcnn.layer.instrument import is_composed
from tests.derivatives.test_products import drawn

MODE = fn.Eval()
SMOOTH: Any = fn.dense(6) >> fn.tanh() >> fn.residual(fn.linear(6) >> fn.gelu()) >> fn.add(fn.dense(3), fn.linear(3) >> fn.silu())
NETS: dict[str, Any] = {
    "smooth": SMOOTH,
    "kinked": fn.serial(fn.relu(), fn.dense(6), fn.leaky_relu(0.1), fn.residual(fn.residual(fn.dense(6))), fn.relu()),
    "one layer": fn.dense(3),
    "sum": fn.add(fn.dense(3), fn.tanh() >> fn.dense(3)),
    "no parameters": fn.tanh() >> fn.sigmoid(),
}
NETS |= {
    f"{layer.name} {number}": fn.dense(4) >> layer
    for number, layer in enumerate([case.make() for cases in LAYERS.values() for case in cases])
    if not is_composed(layer) and layer.name.split("(")[0] not in ("dense", "linear") and takes(layer)
}


def both(model: Any, at: Any, along: Any) -> Any:
    """Return what fn.jvp gives, and output and tangent by the complex step."""
    jvp: Any = fn.jvp(model)
    assert jvp.plain
    made = push(model, at, along, MODE)
    return jvp(*at, *along, MODE), real_part(made.network.output), tangent(made.network.output, made.h)


@pytest.mark.parametrize("name", NETS)
def test_they_are_those_of_the_complex_step(name: str) -> None:
    for shape, moved in (((5, 4), "params"), ((2, 3, 4), "both"), ((3, 4), "input"), ((0, 4), "params"), ((2, 4), "nothing")):
        check_beside_the_complex_step(NETS[name], shape, moved)


def check_beside_the_complex_step(model: Any, shape: tuple[int, ...], moved: str) -> None:
    start = model.init(fn.Key(0), shape[1:])
    params, x = drawn(start.params), np.random.default_rng(1).normal(size=shape)
    dparams = drawn(start.params, 2) if moved in ("both", "params") else None
    dx = np.random.default_rng(3).normal(size=shape) if moved in ("both", "input") else None
    made, y, dy = both(model, (params, start.state, x), (dparams, dx))
    np.testing.assert_allclose(made.output, y, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(made.tangent, dy, rtol=1e-12, atol=1e-13)
    assert made.state == start.state


@pytest.mark.parametrize("dtypes", [(np.float32, np.float32), (float, np.float32), (np.longdouble, float)])
def test_they_have_the_precision_of_what_is_moved(dtypes: Any) -> None:
    wide, narrow = dtypes
    start = SMOOTH.init(fn.Key(0), (4,))
    params, along = drawn(start.params, 0, wide), drawn(start.params, 1, narrow)
    x, dx = (np.random.default_rng(seed).normal(size=(3, 4)).astype(kind) for seed, kind in ((2, wide), (3, narrow)))
    made, y, dy = both(SMOOTH, (params, start.state, x), (along, dx))
    assert made.output.dtype == made.tangent.dtype == y.dtype == wide
    np.testing.assert_allclose(made.tangent, dy, rtol=100 * float(np.finfo(wide).eps), atol=100 * float(np.finfo(wide).eps))


def test_other_layers_are_not_taken() -> None:
    replaced: Any = evolve(fn.tanh(), backward=fn.relu().backward)
    for other in (fn.layer_norm(), fn.dropout(0.1), replaced, fn.concatenate(fn.tanh(), fn.tanh()), fn.stop_gradient(fn.tanh())):
        assert not fn.jvp(fn.dense(4) >> other).plain
        assert not fn.jvp(fn.dense(4) >> fn.residual(other)).plain
    assert fn.jvp(SMOOTH) == pickle.loads(pickle.dumps(fn.jvp(SMOOTH)))


def test_what_does_not_fit_is_named_as_by_forward() -> None:
    start = SMOOTH.init(fn.Key(0), (4,))
    jvp: Any = fn.jvp(SMOOTH)
    with pytest.raises(ValueError, match="the last axis of the input is 3 long, expected 4 features") as caught:
        jvp(start.params, start.state, np.ones((2, 3)), start.params, None, MODE)
    assert "[0] dense(6)" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match="a chain of 4 layers takes a tuple of as many parameters"):
        jvp(start.params[:3], start.state, np.ones((2, 4)), None, np.ones((2, 4)), MODE)
    with pytest.raises(TypeError, match="the input is float64 and the parameters are float32"):
        jvp(tree.astype(start.params, np.float32), start.state, np.ones((2, 4)), None, np.ones((2, 4)), MODE)
    with pytest.raises(ValueError, match=r"dparams\[0\]\.bias has shape"):
        jvp(start.params, start.state, np.ones((2, 4)), (evolve(start.params[0], bias=np.ones(1)), *start.params[1:]), None, MODE)
