"""An exported file behind a port gives what the network gives."""

import json
from pathlib import Path

import numpy as np
import pytest

import funcnn as fn
from funcnn.cli.failure import RequestError
from funcnn.cli.serve import service_of
from funcnn.deploy.onnx.export import Described, export_onnx
from funcnn.deploy.server.limits import HTTPError, Limits


def test_an_exported_file_is_served(tmp_path: Path) -> None:
    model = fn.dense(5) >> fn.relu() >> fn.dense(3)
    start = model.init(fn.Key(0), (4,))
    params = fn.tree.astype(start.params, np.float32)
    names = ("one", "two", "three")
    path = tmp_path / "network.onnx"
    export_onnx(path, model, params, start.state, np.zeros((1, 4), np.float32), described=Described(classes=names))
    service = service_of(path, Limits())
    assert service.description["inputs"] == {"input": {"shape": [4], "type": "float32"}}
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    answer = service.actions["/predict"]({"inputs": x.tolist()})
    logits = fn.apply(model, params, start.state, x)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(answer["probabilities"], shares, rtol=1e-5)  # float32
    assert answer["classes"] == [names[int(best)] for best in shares.argmax(1)]
    with pytest.raises(HTTPError, match="expected a list of 4 numbers"):
        service.actions["/predict"]({"inputs": [[1]]})


def test_a_file_of_several_inputs_takes_an_object_of_them(tmp_path: Path) -> None:
    model = fn.siamese(5, 3)
    start = model.init(fn.Key(0), ((4,), (4,)))
    x = tuple(np.random.default_rng(0).normal(size=(2, 3, 4)))
    export_onnx(tmp_path / "pair.onnx", model, start.params, start.state, x)
    service = service_of(tmp_path / "pair.onnx", Limits())
    answer = service.actions["/predict"]
    lists = {"input_0": x[0].tolist(), "input_1": x[1].tolist()}
    made = answer({"inputs": lists})["outputs"]
    for name, one in zip(("output_0", "output_1"), fn.apply(model, start.params, start.state, x), strict=True):
        np.testing.assert_allclose(made[name], one, rtol=1e-10, atol=1e-12)
    for wrong, said in (
        ({"inputs": x[0].tolist()}, "expected an object with 'input_0', 'input_1'"),
        ({"inputs": {"input_0": x[0].tolist()}}, "'input_1' is missing"),
        ({"inputs": lists | {"input_2": []}}, "'input_2' is not known"),
        ({"inputs": lists | {"input_1": x[1][:2].tolist()}}, r"3 rows \(input_0\), 2 rows \(input_1\), expected as many"),
        ({"inputs": lists | {"input_1": [[1, 2, 3]] * 3}}, r"inputs.input_1\[0\] is a list of 3, expected a list of 4"),
    ):
        with pytest.raises(HTTPError, match=said) as caught:
            answer(wrong)
        assert caught.value.status == 422


def test_tokens_are_whole_numbers_that_the_network_knows(tmp_path: Path) -> None:
    model = fn.embedding(5, 2)
    start = model.init(fn.Key(0), (3,))
    tokens = np.array([[0, 4, 2]])
    export_onnx(tmp_path / "words.onnx", model, start.params, start.state, tokens)
    answer = service_of(tmp_path / "words.onnx", Limits()).actions["/predict"]
    wanted = fn.apply(model, start.params, start.state, tokens).reshape(1, 6)
    np.testing.assert_allclose(answer({"inputs": tokens.tolist()})["outputs"], wanted, rtol=1e-12)
    for wrong, said in (
        ([[0, 1.5, 2]], "inputs holds 1.5, expected whole numbers"),
        ([[0, 1e30, 2]], "expected whole numbers from -9,007,199,254,740,992 to"),
        ([[0, 5, 2]], "the network refuses these inputs: .*out of data bounds"),
    ):
        with pytest.raises(HTTPError, match=said):
            answer({"inputs": wrong})


def test_a_file_of_a_table_takes_its_columns(tmp_path: Path) -> None:
    table = {
        "age": [30.0, None, 51.5, 44.0], "town": ["Rome", None, "Oslo", "Rome"], "member": [True, False, None, True],
        "since": ["2020-01-31", "1969-07-20", None, "2024-02-29"], "zone": [3, 4, 3, None],
    }  # fmt: skip
    since = np.array(table["since"], "datetime64[us]")
    whole = {name: np.array(values, object) for name, values in table.items()} | {
        "age": np.array([30.0, np.nan, 51.5, 44.0]), "since": since, "zone": np.array(["3", "4", "3", None], object),
    }  # fmt: skip
    transform = fn.data.fit_table({**whole, "y": np.arange(4.0)}, "y", task="regression")
    x = transform.transform(whole)
    model = fn.dense(1)
    start = model.init(fn.Key(0), (x.shape[1],))
    export_onnx(tmp_path / "t.onnx", model, start.params, start.state, x, described=Described(preparation=transform))
    service = service_of(tmp_path / "t.onnx", Limits())
    answer = service.actions["/predict"]
    made = answer({"columns": table | {"aside": [0, 0, 0, 0]}})["outputs"]
    wanted = transform.decode(fn.apply(model, start.params, start.state, x))
    np.testing.assert_allclose(np.ravel(made), wanted, rtol=1e-10)
    assert len(answer(json.loads(json.dumps(service.description["requests"]["/predict"])))["outputs"]) == 1
    for wrong, said in (
        ({"age": ["old"] * 4}, r"columns\['age'\]\[0\] is \"old\", expected a number or null"),
        ({"member": ["yes"] * 4}, "expected true, false or null"),
        ({"since": ["soon"] * 4}, "expected a date such as 2024-01-31, or null"),
        ({"since": [3] * 4}, "expected a date such as 2024-01-31, or null"),
        ({"age": [1, 2]}, r"2 rows \(age\), 4 rows \(town\)"),
    ):
        with pytest.raises(HTTPError, match=said):
            answer({"columns": table | wrong})
    with pytest.raises(HTTPError, match="'town' is missing"):
        answer({"columns": {"age": [1.0]}})
    with pytest.raises(HTTPError, match="'columns' is missing"):
        answer({})


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "wrong.onnx").write_bytes(b"no network")
    with pytest.raises(RequestError, match="cannot be read"):
        service_of(tmp_path / "wrong.onnx", Limits())
