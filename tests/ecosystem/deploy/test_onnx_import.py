"""Files of ONNX as networks: its own node tests, files that were exported here, certificates, and hostile files."""

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

import funcnn as fn
from funcnn import tree
from funcnn.deploy.onnx.export import onnx_bytes
from funcnn.deploy.onnx.reading.graph_layer import OPERATORS, graph_layer
from funcnn.deploy.onnx.reading.operators import elementwise
from funcnn.deploy.onnx.reading.program import Called, program_of
from tests.ecosystem.deploy.runtimes import named
from tests.ecosystem.deploy.test_onnx_export import OPTIONS, REFUSED, drawn, started
from tests.sweeps.factories import CALLS


def node_tests() -> dict[str, Any]:
    """Return ONNX's own tests of single nodes, of the operators that there are here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it rounds large numbers to small types
        every = collect_testcases(None)
    single = [case for case in every if case.model is not None and len(case.model.graph.node) == 1 and case.data_sets]
    return {case.name: case for case in single if case.model.graph.node[0].op_type in OPERATORS}


CASES = node_tests()

OTHERWISE = {
    "test_cast_FLOAT_to_DOUBLE": "a network has one precision, that of its parameters",
    "test_cast_DOUBLE_to_FLOAT": "a network has one precision, that of its parameters",
    "test_maxpool_2d_uint8": "pools take floating numbers, and say so",
    "test_reduce_max_empty_set": "the maximum of nothing is an error here",
    "test_reduce_max_empty_set_bool": "the maximum of nothing is an error here",
    "test_reduce_min_empty_set": "the minimum of nothing is an error here",
}
"""Node tests that are neither met nor refused, and why."""

COARSE = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-4}
"""Outputs that the package stores with four digits."""


def ran(case: Any) -> tuple[Any, Any]:
    """Return what a node gives here, and what is stored."""
    program = program_of(case.model, OPERATORS, lambda name: False)
    inputs, outputs = case.data_sets[0]
    x, wanted = (
        [numpy_helper.to_array(v) if hasattr(v, "HasField") else np.asarray(v) for v in side] for side in (inputs, outputs)
    )
    given = tuple(x) if len(x) != 1 else x[0]
    made = graph_layer(program).forward({}, dict(program.statistics), given, fn.Eval()).output
    return made if isinstance(made, tuple) else (made,), wanted


def met(name: str) -> bool:
    """Tell whether a node test is met; one that is refused is not."""
    try:
        made, wanted = ran(CASES[name])
    except fn.deploy.OperatorError:
        return False
    for one, other in zip(made, wanted, strict=True):
        assert one.shape == other.shape
        bar = COARSE.get(name, 1e-5)
        np.testing.assert_allclose(one, other, rtol=bar, atol=bar)  # stored in float32
    return True


def test_node_tests_are_met_or_refused() -> None:
    found = {name: met(name) for name in sorted(set(CASES) - set(OTHERWISE))}
    assert sum(found.values()) > 710
    by_kind: dict[str, list[bool]] = {}
    for name, one in found.items():
        by_kind.setdefault(CASES[name].model.graph.node[0].op_type, []).append(one)
    assert {kind for kind, results in by_kind.items() if not any(results)} == {"And", "Or", "Xor", "Not", "Shrink"}
    # the tests of these five are of an older set of operators


ONE_WAY = {"fold": "Col2Im", "max_pool_with_indices": "places of the maxima"}
"""Layers whose file is not read again, and what the error says."""

READ_AGAIN = sorted(set(CALLS) - set(REFUSED) - set(ONE_WAY))


def imported(content: bytes, folder: Path, **options: Any) -> Any:
    (folder / "net.onnx").write_bytes(content)
    return fn.deploy.import_onnx(folder / "net.onnx", **options)


def given_to(made: Any, x: Any) -> Any:
    """Return an input of a layer as the imported graph takes it: those arrays that the graph has."""
    arrays = named(x, "input")
    chosen = tuple([arrays[name] for name in made.inputs])
    return chosen[0] if len(chosen) == 1 else chosen


def outputs_of(value: Any) -> list[Any]:
    return list(named(value, "output").values())


def same_again(layer: Any, shape: Any, x: Any, folder: Path) -> None:
    params, state = started(layer, shape, np.float32)
    made = imported(onnx_bytes(layer, params, state, x, fn.deploy.Described()), folder)
    got = outputs_of(fn.apply(made.model, made.params, made.state, given_to(made, x)))
    wanted = outputs_of(fn.apply(layer, params, state, x))
    for one, other in zip(got, wanted, strict=True):
        size = np.abs(other).max() if other.dtype.kind == "f" else 0
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * size)  # float32


@pytest.mark.parametrize("name", READ_AGAIN)
def test_what_was_exported_is_read_again(name: str, tmp_path: Path) -> None:
    call = CALLS[name]
    same_again(call.make(getattr(fn, name)), call.shape, call.x(np.float32), tmp_path)


@pytest.mark.parametrize("name", ["gpt", "convnet", "unet", "classified sequences", "norm after convolution", "lstm with states"])
def test_networks_are_read_again(name: str, tmp_path: Path) -> None:
    layer, shape, kind = OPTIONS[name]
    same_again(layer, shape, drawn(shape, kind, np.float32), tmp_path)


@pytest.mark.parametrize("name", ONE_WAY)
def test_what_cannot_be_read_again_is_named(name: str, tmp_path: Path) -> None:
    call = CALLS[name]
    layer = call.make(getattr(fn, name))
    start = layer.init(fn.Key(0), call.shape)
    content = onnx_bytes(layer, start.params, start.state, call.x(np.float32), fn.deploy.Described())
    with pytest.raises(fn.deploy.OperatorError, match=ONE_WAY[name]):  # noqa: PT012  # at reading, or at the first run
        made = imported(content, tmp_path)
        fn.apply(made.model, made.params, made.state, call.x(np.float32))


# Certificates.


def certified(made: Any, x: Any) -> None:
    params, state = tree.astype((made.params, made.state), np.float64)
    report = fn.check.check_layer(made.model, x, params=params, state=state, explain=False)
    assert report.ok, str(report)


NETWORKS: dict[str, tuple[Any, Any]] = {
    "residual network": (fn.residual(fn.conv2d(1, 3, padding="same") >> fn.batch_norm() >> fn.relu()) >> fn.flatten(), (4, 3, 1)),
    "lenet": (fn.conv2d(2, 3) >> fn.tanh() >> fn.avg_pool2d(2) >> fn.flatten() >> fn.dense(2), (4, 4, 1)),
    "norms": (fn.dense(4) >> fn.layer_norm() >> fn.gelu() >> fn.rms_norm() >> fn.log_softmax(), (5,)),
    "attention": (fn.attention(2, causal=True) >> fn.layer_norm(), (3, 4)),
    "both ways": (fn.bidirectional(fn.lstm(2), fn.lstm(2)) >> fn.gru(2) >> fn.last_step(), (3, 2)),
    "gates": (fn.branch(fn.dense(3), fn.dense(3) >> fn.sigmoid()) >> fn.multiply_inputs(), (4,)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_imported_networks_are_certified(name: str, tmp_path: Path) -> None:
    layer, shape = NETWORKS[name]
    params, state = started(layer, shape, np.float64)
    x = np.random.default_rng(1).normal(size=(2, *shape))
    certified(imported(onnx_bytes(layer, params, state, x, fn.deploy.Described()), tmp_path), x)


FLOAT = TensorProto.DOUBLE
NODES: dict[str, tuple[str, tuple[tuple[int, ...], ...], dict[str, Any], dict[str, Any]]] = {
    "Mul": ("Mul", ((2, 3), (3,)), {}, {}),
    "Div": ("Div", ((2, 3), (2, 1)), {}, {}),
    "Pow": ("Pow", ((2, 3), (2, 3)), {}, {}),
    "Max": ("Max", ((2, 3), (2, 3), (2, 3)), {}, {}),
    "Mean": ("Mean", ((2, 3), (2, 3)), {}, {}),
    "Sqrt": ("Sqrt", ((2, 3),), {}, {}),
    "Reciprocal": ("Reciprocal", ((2, 3),), {}, {}),
    "Erf": ("Erf", ((2, 3),), {}, {}),
    "Selu": ("Selu", ((2, 3),), {"alpha": 1.5, "gamma": 2.0}, {}),
    "PRelu": ("PRelu", ((2, 3), (3,)), {}, {}),
    "MatMul": ("MatMul", ((2, 2, 3), (3, 4)), {}, {}),
    "MatMul of a vector": ("MatMul", ((2, 3), (3,)), {}, {}),
    "Gemm": ("Gemm", ((3, 2), (4, 3), (4,)), {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}, {}),
    "Einsum": ("Einsum", ((2, 3), (3, 4)), {"equation": "ab,bc->ca"}, {}),
    "ReduceL2": ("ReduceL2", ((2, 3),), {"keepdims": 0}, {"axes": [1]}),
    "ReduceMax": ("ReduceMax", ((2, 3, 2),), {"keepdims": 0}, {"axes": [1]}),
    "ReduceMean": ("ReduceMean", ((2, 3, 2),), {}, {"axes": [0, 2]}),
    "Slice": ("Slice", ((2, 5),), {}, {"starts": [4], "ends": [-7], "axes": [1], "steps": [-2]}),
    "Gather": ("Gather", ((2, 5),), {"axis": 1}, {"indices": [[0, 3], [3, 1]]}),
    "Pad, reflected": ("Pad", ((2, 4),), {"mode": "reflect"}, {"pads": [0, 2, 0, 1]}),
    **{name: (name, ((2, 3),), {}, {}) for name in ("Tan", "Atan", "Sinh", "Cosh", "Asinh")},
    "ReduceLogSum": ("ReduceLogSum", ((2, 3),), {}, {"axes": [1]}),
    "ReduceLogSumExp": ("ReduceLogSumExp", ((2, 3, 2),), {"keepdims": 0}, {"axes": [1, 2]}),
    "DepthToSpace": ("DepthToSpace", ((2, 8, 2, 3),), {"blocksize": 2, "mode": "CRD"}, {}),
    "SpaceToDepth": ("SpaceToDepth", ((2, 2, 4, 6),), {"blocksize": 2}, {}),
    "Trilu": ("Trilu", ((2, 3, 4),), {"upper": 0}, {"k": 1}),
    "GatherND": ("GatherND", ((3, 4),), {}, {"indices": [[0, 1], [2, 3], [0, 1]]}),
    "Resize, linear": ("Resize", ((2, 2, 3, 5),), {"mode": "linear"}, {"": None, "sizes": [2, 2, 5, 4]}),
    "Resize, cubic, smoothed": (
        "Resize",
        ((2, 1, 6, 5),),
        {"mode": "cubic", "antialias": 1},
        {"": None, "sizes": [2, 1, 4, 7]},
    ),
    "Resize, nearest": (
        "Resize",
        ((2, 2, 5),),
        {"coordinate_transformation_mode": "align_corners"},
        {"": None, "sizes": [2, 2, 7]},
    ),
    "Tile": ("Tile", ((2, 3),), {}, {"repeats": [2, 1]}),
    "Expand": ("Expand", ((2, 1),), {}, {"shape": [3, 2, 4]}),
    "Conv": ("Conv", ((2, 2, 5, 4), (4, 1, 3, 2), (4,)), {"group": 2, "strides": [2, 1], "auto_pad": "SAME_LOWER"}, {}),
    "ConvTranspose": ("ConvTranspose", ((2, 2, 3), (2, 3, 2), (3,)), {"strides": [2], "pads": [1, 0]}, {}),
    "AveragePool": ("AveragePool", ((2, 2, 5),), {"kernel_shape": [2], "ceil_mode": 1, "strides": [2]}, {}),
    "MaxPool": ("MaxPool", ((2, 2, 5),), {"kernel_shape": [2], "pads": [1, 0]}, {}),
    "InstanceNormalization": ("InstanceNormalization", ((2, 3, 4), (3,), (3,)), {}, {}),
    "LRN": ("LRN", ((2, 4, 2),), {"size": 2, "alpha": 0.5}, {}),
    "RNN": ("RNN", ((3, 2, 2), (1, 3, 2), (1, 3, 3), (1, 6)), {"hidden_size": 3, "direction": "reverse"}, {}),
    "LSTM": ("LSTM", ((3, 2, 2), (2, 12, 2), (2, 12, 3), (2, 24)), {"hidden_size": 3, "direction": "bidirectional"}, {}),
    "GRU": ("GRU", ((3, 2, 2), (1, 9, 2), (1, 9, 3), (1, 18)), {"hidden_size": 3, "linear_before_reset": 1}, {}),
}


def one_node(name: str) -> tuple[Any, Any]:
    """Return a message of a single node, and positive inputs of it."""
    kind, shapes, attributes, settings = NODES[name]
    names = [f"x{index}" for index in range(len(shapes))]
    places = ["", *settings] if "" in settings else list(settings)  # roi and scales of Resize are left out
    settings = {key: value for key, value in settings.items() if key}
    node = helper.make_node(kind, [*names, *places], ["y"], **attributes)
    inputs = [helper.make_tensor_value_info(one, FLOAT, (None, *shape[1:])) for one, shape in zip(names, shapes, strict=True)]
    constants = [numpy_helper.from_array(np.array(value, np.int64), one) for one, value in settings.items()]
    graph = helper.make_graph([node], "node", inputs, [helper.make_tensor_value_info("y", FLOAT, None)], constants)
    generator = np.random.default_rng(4)
    x = [generator.uniform(0.5, 2, shape) for shape in shapes]
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), tuple(x) if len(x) > 1 else x[0]


@pytest.mark.parametrize("name", NODES)
def test_operators_have_the_gradient_of_what_they_compute(name: str) -> None:
    model, x = one_node(name)
    layer = graph_layer(program_of(model, OPERATORS, lambda one: False))
    y = layer.forward({}, {}, x, fn.Eval())
    dy = np.random.default_rng(5).normal(size=y.output.shape)
    pulled = layer.backward({}, y.residuals, dy).input
    for index, one in enumerate(x if isinstance(x, tuple) else (x,)):
        direction = np.random.default_rng(6 + index).normal(size=one.shape)

        def along(step: float, place: int = index, way: Any = direction) -> Any:
            moved = (
                tuple([v + step * way if i == place else v for i, v in enumerate(x)]) if isinstance(x, tuple) else x + step * way
            )
            return (layer.forward({}, {}, moved, fn.Eval()).output * dy).sum()

        slope = (8 * (along(1e-3) - along(-1e-3)) - (along(2e-3) - along(-2e-3))) / 12e-3
        own = (pulled[index] if isinstance(x, tuple) else pulled) * direction
        assert own.sum() == pytest.approx(slope, rel=1e-7, abs=1e-7)  # differences of the fourth order


@pytest.mark.parametrize("name", elementwise.ANGLES)
def test_functions_of_angles_have_their_slopes(name: str) -> None:
    node = Called(name, name, ("x",), ("y",), {})
    x = np.random.default_rng(0).uniform(0.1, 0.9, 20) + (name == "Acosh")
    _, slope = elementwise.ANGLES[name].forward(node, [x])
    (moved,), _ = elementwise.ANGLES[name].forward(node, [x + 1e-30j])
    np.testing.assert_allclose(slope, moved.imag / 1e-30, rtol=1e-12)


@pytest.mark.parametrize("name", ["ScatterND", "RMSNormalization"])
def test_operators_of_other_forms_have_their_gradients(name: str, tmp_path: Path) -> None:
    """An operator of inputs of unlike length, or one that is younger than the set that is written here."""
    x, y = (helper.make_tensor_value_info(one, FLOAT, ("n", 3, 4)) for one in ("x", "y"))
    if name == "ScatterND":
        node = helper.make_node(name, ["x", "indices", "w"], ["y"])
        stored = [numpy_helper.from_array(np.array([[0, 1], [1, 2]]), "indices"), numpy_helper.from_array(np.ones((2, 4)), "w")]
    else:
        node = helper.make_node(name, ["x", "w"], ["y"], axis=-2)
        stored = [numpy_helper.from_array(np.random.default_rng(0).normal(size=(3, 4)), "w")]
    graph = helper.make_graph([node], "g", [x], [y], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)])
    certified(imported(model.SerializeToString(), tmp_path), np.random.default_rng(1).normal(size=(2, 3, 4)))


def quantized_model() -> tuple[Any, Any]:
    """Return a message whose weight is stored as small integers, scaled for each column, and the weight; its input is rounded."""
    whole, scale = np.array([[-7, 100], [3, -128], [0, 5]], np.int8), np.array([0.5, 0.25], np.float32)
    nodes = [
        helper.make_node("DequantizeLinear", ["whole", "scale", "zero"], ["w"], axis=1),
        helper.make_node("QuantizeLinear", ["x", "step", "middle"], ["small"]),
        helper.make_node("DequantizeLinear", ["small", "step", "middle"], ["near"]),
        helper.make_node("MatMul", ["near", "w"], ["a"]),
        helper.make_node("MatMul", ["x", "w"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    stored = {
        "whole": whole, "scale": scale, "zero": np.array([1, 0], np.int8), "step": np.float32(0.5), "middle": np.uint8(128),
    }  # fmt: skip
    x, y = (helper.make_tensor_value_info(one, TensorProto.FLOAT, ("n", size)) for one, size in (("x", 3), ("y", 2)))
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()]
    graph = helper.make_graph(nodes, "small", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), (whole - stored["zero"]) * scale


def test_weights_that_are_stored_as_small_integers_are_learned(tmp_path: Path) -> None:
    model, weight = quantized_model()
    made = imported(model.SerializeToString(), tmp_path)
    assert list(made.params) == ["w"]
    np.testing.assert_array_equal(made.params["w"], weight)
    x = np.array([[0.1, 0.3, -90.0], [2.0, 0.25, 0.75]], np.float32)
    rounded = np.clip(np.rint(x / 0.5), -128, 127) * 0.5
    wanted = rounded @ weight + x @ weight
    np.testing.assert_allclose(fn.apply(made.model, made.params, made.state, x), wanted, rtol=1e-6)  # float32
    step = fn.loss_and_grad(made.model, fn.mean_squared_error())
    grads = step(made.params, made.state, x, np.zeros((2, 2), np.float32), fn.Train(fn.Key(0))).grads
    np.testing.assert_allclose(grads["w"], (rounded + x).T @ wanted / 2, rtol=1e-5)  # float32


def test_values_that_go_several_ways_collect_their_cotangents(tmp_path: Path) -> None:
    """y = x w + (x w) * x, where w is used twice: a weight that is shared is one parameter."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["b"]),
        helper.make_node("Mul", ["a", "x"], ["c"]),
        helper.make_node("Sum", ["a", "b", "c"], ["y"]),
    ]
    given = helper.make_tensor_value_info("x", FLOAT, ("n", 3))
    w = numpy_helper.from_array(np.random.default_rng(0).normal(size=(3, 3)), "w")
    graph = helper.make_graph(nodes, "shared", [given], [helper.make_tensor_value_info("y", FLOAT, ("n", 3))], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    certified(imported(model.SerializeToString(), tmp_path), np.random.default_rng(1).normal(size=(4, 3)))


def test_an_imported_network_is_trained(tmp_path: Path) -> None:
    layer = fn.mlp(16, 3)
    params, state = started(layer, (4,), np.float32)
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    made = imported(onnx_bytes(layer, params, state, x, fn.deploy.Described()), tmp_path)
    loss, optimizer, params = fn.softmax_cross_entropy(), fn.adam(0.02), made.params
    step, slots = fn.loss_and_grad(made.model, loss), optimizer.init(params)
    losses = []
    for count in range(40):
        done = step(params, made.state, x, y, fn.Train(fn.Key(count)))
        params, slots = (update := optimizer.update(params, done.grads, slots)).params, update.state
        losses.append(float(done.loss))
    assert losses[-1] < 0.5 * losses[0]


def test_constants_are_not_learned(tmp_path: Path) -> None:
    layer = fn.dense(4) >> fn.batch_norm() >> fn.dense(2)
    params, state = started(layer, (3,), np.float32)
    content = onnx_bytes(layer, params, state, np.zeros((1, 3), np.float32), fn.deploy.Described())
    assert set(imported(content, tmp_path).state) == {"[1]/mean", "[1]/var"}
    assert set(imported(content, tmp_path).params) == {
        "[0]/weight",
        "[0]/bias",
        "[1]/scale",
        "[1]/shift",
        "[2]/weight",
        "[2]/bias",
    }
    assert set(imported(content, tmp_path, constants=r"^\[0\]").params) == {"[1]/scale", "[1]/shift", "[2]/weight", "[2]/bias"}


# Hostile files.


def small(**changes: Any) -> Any:
    """Return a message of one node, some of it changed."""
    kind, domain, opset = changes.get("kind", "Relu"), changes.get("domain", ""), changes.get("opset", 18)
    given = [helper.make_tensor_value_info("x", changes.get("type", TensorProto.FLOAT), ("n", 3))]
    node = helper.make_node(kind, ["x"], ["y"], "the_node", domain=domain)
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 3))]
    imports = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(helper.make_graph([node], "g", given, out), opset_imports=imports)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "Hardmax"}, r"operators that do not exist here: Hardmax \(node 'the_node'\)"),
        ({"kind": "Gelu", "domain": "com.microsoft"}, r"Gelu \(com.microsoft, node 'the_node'\)"),
        ({"opset": 9}, "operator set 9, expected at least 13"),
        ({"type": TensorProto.FLOAT16}, "the input 'x' is float16"),
    ],
)
def test_what_does_not_exist_here_is_named(changes: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(fn.deploy.OperatorError, match=said):
        imported(small(**changes).SerializeToString(), tmp_path)


def test_parts_that_run_now_and_then_are_named(tmp_path: Path) -> None:
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 3))
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "branch", [], [y])
    given = [helper.make_tensor_value_info(*one) for one in (("x", TensorProto.FLOAT, ("n", 3)), ("c", TensorProto.BOOL, ()))]
    node = helper.make_node("If", ["c"], ["y"], "choice", then_branch=branch, else_branch=branch)
    model = helper.make_model(helper.make_graph([node], "g", given, [y]), opset_imports=[helper.make_opsetid("", 18)])
    with pytest.raises(fn.deploy.OperatorError, match=r"operators that do not exist here: If \(node 'choice'\)"):
        imported(model.SerializeToString(), tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a file", small().SerializeToString()[:40], b"\x00" * 99])
def test_damaged_files_are_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(fn.FileError, match="is no ONNX file, or damaged"):
        imported(content, tmp_path)


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    model = small(kind="Add")
    model.graph.node[0].input.append("w")
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "w"))
    onnx.save_model(model, tmp_path / "net.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    with pytest.raises(fn.FileError, match=r"damaged|in another file"):
        fn.deploy.import_onnx(tmp_path / "net.onnx")


def test_wrong_inputs_are_named(tmp_path: Path) -> None:
    made = imported(small().SerializeToString(), tmp_path)
    run = partial(fn.apply, made.model, made.params, made.state)
    with pytest.raises(ValueError, match=r"the input 'x' is float32\[2, 4\], expected the shape \(any, 3\)"):
        run(np.ones((2, 4), np.float32))
    with pytest.raises(TypeError, match=r"expected 1 arrays: x"):
        run((np.ones((2, 3), np.float32),) * 2)
    with pytest.raises(TypeError, match=r"the input 'x' is int64\[2, 3\], expected float32"):
        run(np.ones((2, 3), np.int64))
    with pytest.raises(ValueError, match="no regular expression"):
        fn.deploy.import_onnx(tmp_path / "net.onnx", constants="(")
