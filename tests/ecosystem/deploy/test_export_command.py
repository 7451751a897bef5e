"""``python -m funcnn export`` as typed: the files of a run, run by what they are for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.ecosystem.deploy import runtimes


def typed(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "funcnn", *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    done = typed(folder, "--epochs", "1", "--output", "net")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_run_becomes_an_onnx_file_and_a_script_that_agree(run: Path) -> None:
    done = typed(run, "export", "net", "--onnx", "net.onnx", "--script", "net.py")
    assert done.returncode == 0, done.stderr
    assert "batches of any length" in done.stdout
    content = (run / "net.onnx").read_bytes()
    (given,) = runtimes.session(content).get_inputs()
    x = np.random.default_rng(0).random((5, given.shape[1])).astype(np.float64 if "double" in given.type else np.float32)
    np.save(run / "x.npy", x)
    ran = subprocess.run([sys.executable, "net.py", "x.npy", "y.csv"], cwd=run, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    got = runtimes.run_onnxruntime(content, {"input": x})["probabilities"]
    said = np.loadtxt(run / "y.csv", delimiter=",", skiprows=1)[:, 2:]
    np.testing.assert_allclose(got, said, rtol=1e-4, atol=1e-5)  # float32


def test_what_is_wrong_is_said(run: Path) -> None:
    assert "give --onnx FILE or --script FILE" in typed(run, "export", "net").stderr
    done = typed(run, "export", "net", "--script", "net.txt")
    assert done.returncode == 2
    assert "ends with .py" in done.stderr
    assert typed(run, "export", "nowhere", "--onnx", "x.onnx").returncode == 2
