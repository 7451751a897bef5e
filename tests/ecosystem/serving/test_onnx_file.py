"""An exported file behind a port gives what the network gives."""

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
    assert service.description["features"] == 4
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    answer = service.actions["/predict"]({"inputs": x.tolist()})
    logits = fn.apply(model, params, start.state, x)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(answer["probabilities"], shares, rtol=1e-5)  # float32
    assert answer["classes"] == [names[int(best)] for best in shares.argmax(1)]
    with pytest.raises(HTTPError, match="expected a list of 4 numbers"):
        service.actions["/predict"]({"inputs": [[1]]})


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "wrong.onnx").write_bytes(b"no network")
    with pytest.raises(RequestError, match="cannot be read"):
        service_of(tmp_path / "wrong.onnx", Limits())
