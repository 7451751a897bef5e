"""Every layer, times inputs of another kind or shape: a right result, or an error in words of the library that say what is wrong.

Through ``apply`` and in training, where other lines run.
"""

import warnings
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from tests.sweeps.factories import CALLS, Call, parameters
from tests.sweeps.wrong import TABLE, fault_of

WORDS = (
    "input",
    "sequence",
    "memory",
    "mask",
    "values",
    "indices",
    "example",
    "axis",
    "axes",
    "queries",
    "keys",
    "shape",
    "channels",
    "points",
    "features",
    "state",
)


def other_kinds(x: Any) -> dict[str, Any]:
    """Return what is no array at all, or an array that means something else."""
    made = {
        "nothing": None, "number": 3, "text": "text", "list": [[1.0, 2.0]], "table": TABLE, "empty tuple": (),
        "objects": np.array([[None]]),
        "texts": np.array([["a", "b"]]), "dates": np.array([["2020-01-01"]], "datetime64[D]"), "0-d": np.array(1.0),
        "key": fn.Key(0), "layer": fn.relu(), "dict": {"x": np.zeros((2, 3))}, "pair": (np.zeros((2, 3)), "x"),
    }  # fmt: skip
    if isinstance(x, np.ndarray):
        made["masked array"] = np.ma.masked_array(x, np.zeros(x.shape, bool))
        made["tuple"] = (x, x)
        made["booleans"] = x > 0
        if x.ndim == 2:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PendingDeprecationWarning)
                made["matrix"] = np.matrix(x)
        if x.ndim == 3 and x.dtype.kind == "f":
            made["Masked"] = fn.Masked(x, np.ones(x.shape[:2], bool))
        made["list of lists"] = x.tolist()
        if x.dtype.kind == "f":
            made["integers"] = x.astype(int)
        else:
            made["reals"] = x.astype(float)
    if isinstance(x, tuple):
        made["first alone"] = x[0]
        made["list of arrays"] = list(x)
        made["one more"] = (*x, x[0])
        made["masked arrays"] = (
            "of states"
            if not all(isinstance(one, np.ndarray) for one in x)
            else tuple([np.ma.masked_array(one, np.zeros(one.shape, bool)) for one in x])
        )
    if isinstance(x, fn.Masked):
        made["values alone"] = x.values
        made["masked array"] = np.ma.masked_array(x.values, np.zeros(x.values.shape, bool))
    if isinstance(x, fn.Pooled):
        made["values alone"] = x.values
    return made


def other_shapes(x: Any) -> dict[str, Any]:
    """Return arrays of another shape: an axis of nothing, one number more or less along an axis, an axis more or less."""
    made = {}
    for path, leaf in tree.walk(x):
        for axis in range(leaf.ndim):
            if isinstance(x, fn.Masked) and (path != ".values" or axis < 2):
                continue
            made[f"{path} nothing along {axis}"] = changed(x, path, leaf.take([], axis=axis))
            made[f"{path} one less along {axis}"] = changed(x, path, leaf.take(range(leaf.shape[axis] - 1), axis=axis))
            made[f"{path} one more along {axis}"] = changed(x, path, np.concatenate([leaf, leaf.take([0], axis=axis)], axis=axis))
        if not isinstance(x, fn.Masked):
            made[f"{path} no batch"] = changed(x, path, leaf[0])
            made[f"{path} axis more"] = changed(x, path, leaf[..., None])
            made[f"{path} nothing"] = changed(x, path, leaf[:0])
    if isinstance(x, fn.Masked):
        made["no steps"] = fn.Masked(x.values[:, :0], x.mask[:, :0])
        made["all masked"] = fn.Masked(x.values, np.zeros(x.mask.shape, bool))
    return made


def changed(x: Any, path: str, leaf: Any) -> Any:
    """Return the input with another array at one path."""
    if path == "":
        return leaf
    if isinstance(x, tuple):
        return tuple([leaf if f"[{index}]" == path else one for index, one in enumerate(x)])
    try:
        return attrs.evolve(x, **{path.removeprefix("."): leaf})
    except ValueError as error:  # the record refuses it, before any layer can
        return error


def run(call: Call, layer: Any, start: Any, x: Any, mode: Any) -> None:
    """Run a layer forwards and backwards: all numbers are finite, and the cotangent has the input's shape."""
    if isinstance(x, Exception):
        raise x
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = layer.forward(start.params, start.state, x, mode)
        pulled = layer.backward(start.params, made.residuals, made.output)
    for leaf in tree.leaves((made.output, made.state)):
        if not np.isfinite(leaf).all():
            raise AssertionError("a result that is not finite")
    for path, primal, cotangent in tree.with_cotangents(x, pulled.input):
        if cotangent is not None and primal.shape != cotangent.shape:
            raise AssertionError(f"the cotangent{path} has shape {cotangent.shape}, the input {primal.shape}")


@pytest.mark.parametrize("name", CALLS)
def test_inputs_of_another_kind_or_shape(name: str) -> None:
    call = CALLS[name]
    layer = call.make(getattr(fn, name))
    start = layer.init(fn.Key(1), call.shape)
    x = call.x(np.float64)
    faults = []
    for label, wrong in {**other_kinds(x), **other_shapes(x)}.items():
        for mode in (fn.Eval(), fn.Train(fn.Key(2))):
            try:
                run(call, layer, start, wrong, mode)
            except Exception as error:  # whatever it is, it is looked at
                fault = fault_of(error, *WORDS)
                if fault:
                    faults.append(f"{label} in {type(mode).__name__}: {fault}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", [name for name in CALLS if CALLS[name].kind != "tokens" and "masked" in dict(parameters(name))])
def test_a_plain_layer_given_masked_sequences_says_how_to_make_it(name: str) -> None:
    call = CALLS[name]
    layer = call.make(getattr(fn, name))
    start = layer.init(fn.Key(1), call.shape)
    x: Any = call.x(np.float64)
    sequence = x[0] if isinstance(x, tuple) else x
    masked = fn.Masked(sequence, np.ones(sequence.shape[:2], bool))
    with pytest.raises(TypeError, match="masked=True"):
        layer.forward(start.params, start.state, (masked, *x[1:]) if isinstance(x, tuple) else masked, fn.Eval())


@pytest.mark.parametrize("name", CALLS)
def test_more_precision_than_the_parameters_never_raises_that_of_the_result(name: str) -> None:
    call = CALLS[name]
    layer = call.make(getattr(fn, name))
    start = layer.init(fn.Key(1), call.shape)
    params, state = tree.astype((start.params, start.state), np.float32)
    for mode in (fn.Eval(), fn.Train(fn.Key(2))):
        try:
            made = layer.forward(params, state, call.x(np.float64), mode)
        except TypeError as error:
            assert "float64" in str(error)  # noqa: PT017  # refused, or as in the next line
        else:  # as a layer without parameters does: the precision is the input's
            assert not tree.leaves(params) or all(leaf.dtype != np.float64 for leaf in tree.leaves((made.output, made.state)))


@pytest.mark.parametrize("cell", [fn.rnn, fn.lstm, fn.gru])
def test_more_precision_in_an_initial_state_is_refused(cell: Any) -> None:
    layer = cell(3, initial=True)
    state = ((3,), (3,)) if cell is fn.lstm else (3,)
    start = layer.init(fn.Key(0), ((4, 2), state))
    params = tree.astype(start.params, np.float32)
    given = np.zeros((2, 3))
    with pytest.raises(TypeError, match="the initial state is float64"):
        layer.forward(params, (), (np.zeros((2, 4, 2), np.float32), (given, given) if cell is fn.lstm else given), fn.Eval())


KEYS = (0, "x", None, np.random.default_rng(0), (0,), fn.Train(fn.Key(0)))
SHAPES = (
    3, "ab", None, [4, 4], np.array([4]), (0,), (-1, 4), (2.5,), ("a",), (None, 4), (True,), (), (2,) * 6, ((2,), "x"), ((), ()),
    (((2,),),), TABLE, (np.int64(2), 3.0),
)  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_init_with_what_is_no_key_or_no_shape(name: str) -> None:
    call = CALLS[name]
    layer = call.make(getattr(fn, name))
    for key in KEYS:
        with pytest.raises(TypeError) as caught:
            layer.init(key, call.shape)
        assert not fault_of(caught.value, "key"), key
    for shape in SHAPES:
        try:
            layer.init(fn.Key(0), shape)
        except Exception as error:  # a layer may take some of them; whatever it raises is looked at
            fault = fault_of(error, "shape", "axes", "points", "channels")
            if fault:
                raise AssertionError(f"{shape}: {fault}") from error
