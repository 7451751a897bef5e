"""Folders of published weights as ONNX files: onnxruntime gives what the network gives."""

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.cli.deploying.export import ExportRequest, of_published
from funcnn.cli.main import main
from tests.ecosystem.deploy import runtimes

FOLDERS = Path(__file__).parents[2] / "models" / "published"
SEQUENCES = (
    "bert", "bert_classifier", "gpt2", "gpt2_untied", "llama", "llama_tied", "llama_biased", "mistral", "qwen2", "qwen3", "lstm",
    "lstm_bidirectional",
)  # fmt: skip
IMAGES = ("convnext", "resnet18", "resnet50", "vgg11", "vgg16_bn", "vit")


def drawn(x: Any, random: np.random.Generator) -> Any:
    """Return a batch of three like an example: all of these networks have two tokens or more."""
    if isinstance(x, tuple):
        return tuple([drawn(one, random) for one in x])
    shape = (3, *x.shape[1:])
    return random.integers(0, 2, shape) if x.dtype.kind == "i" else random.normal(size=shape).astype(x.dtype)


@pytest.mark.parametrize("name", [*SEQUENCES, *IMAGES])
def test_onnxruntime_and_the_script_give_what_the_network_gives(name: str, tmp_path: Path) -> None:
    folder, file, script = FOLDERS / name, tmp_path / "net.onnx", tmp_path / "net.py"
    length = ("--length", "6") if name in SEQUENCES else ()
    assert main(["export", str(folder), "--onnx", str(file), "--script", str(script), *length]) == 0
    made = of_published(ExportRequest(folder, None, None, 6 if length else None))
    x = drawn(made.x, np.random.default_rng(0))
    wanted = fn.apply(made.model, made.params, made.state, x)
    got = runtimes.run_onnxruntime(file.read_bytes(), runtimes.named(x, "input"))["output"]
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())  # float32
    np.testing.assert_array_equal(runpy.run_path(str(script))["predict"](x), wanted)


def test_classes_go_along(tmp_path: Path) -> None:
    for name, classes in (("vit", ["cat", "dog", "owl"]), ("bert_classifier", ["LABEL_0", "LABEL_1", "LABEL_2"])):
        assert main(["export", str(FOLDERS / name), "--onnx", str(tmp_path / "net.onnx")]) == 0
        told = runtimes.session((tmp_path / "net.onnx").read_bytes()).get_modelmeta().custom_metadata_map
        assert json.loads(told["classes"]) == classes


def test_without_a_length_it_is_what_the_network_has_positions_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, length in (("gpt2", 12), ("bert", 12), ("llama", 64), ("lstm", 64)):
        assert main(["export", str(FOLDERS / name), "--onnx", str(tmp_path / "net.onnx")]) == 0
        assert runtimes.session((tmp_path / "net.onnx").read_bytes()).get_inputs()[0].shape[1] == length
    for name, said in (
        ("gpt2", "the network has 12 positions"),
        ("bert", "the network has 12 positions"),
        ("vit", "takes images"),
    ):
        assert main(["export", str(FOLDERS / name), "--onnx", str(tmp_path / "long.onnx"), "--length", "13"]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "long.onnx").exists()


def test_a_folder_that_is_damaged_gives_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(FOLDERS / "gpt2", tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    assert main(["export", str(tmp_path / "cut"), "--onnx", str(tmp_path / "net.onnx")]) == 2
    assert "model.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "net.onnx").exists()
