"""Arguments of another kind for what reads and writes ONNX files: an error that names the argument, and no file."""

from pathlib import Path
from typing import Any

import pytest

import funcnn as fn
from tests.sweeps.callables import PARTS
from tests.sweeps.test_callables import ALSO_NAMED, OTHERS
from tests.sweeps.wrong import fault_of

NETWORK: dict[str, Any] = {**PARTS}
EXPORT: dict[str, Any] = {**PARTS, "described": fn.deploy.Described()}
RIGHT = {"model": {"layer"}, "params": {"array"}, "x": {"array"}, "state": {"()", "array"}, "described": {"None"}}


@pytest.mark.parametrize("argument", [*EXPORT, "path"])
def test_arguments_of_an_export(argument: str, tmp_path: Path) -> None:
    for label, value in OTHERS.items():
        if label in RIGHT.get(argument, {"text"}):
            continue
        with pytest.raises((TypeError, ValueError)) as caught:
            fn.deploy.export_onnx(**{"path": tmp_path / "net.onnx", **EXPORT, argument: value})
        assert not fault_of(caught.value, *ALSO_NAMED.get(argument, (argument,))), label
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("argument", ["path", "constants"])
def test_arguments_of_an_import(argument: str, tmp_path: Path) -> None:
    fn.deploy.export_onnx(tmp_path / "net.onnx", **NETWORK)
    for label, value in OTHERS.items():
        if label in ("text", "None")[: 1 + (argument == "constants")]:
            continue
        with pytest.raises((TypeError, ValueError)) as caught:
            fn.deploy.import_onnx(**{"path": tmp_path / "net.onnx", argument: value})
        assert not fault_of(caught.value, argument), label
