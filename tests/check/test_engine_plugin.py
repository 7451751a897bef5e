"""The pytest plugin and the command, each run as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from funcnn.cli.check import main

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
import numpy as np
import funcnn as fn

X = np.array([0.5, -1.0, 2.0])

def test_right(gradcheck):
    report = gradcheck(np.sin, lambda x, dy: (dy * np.cos(x),), X)
    assert report.seed == 7
    assert report.leaves[0].method == "4 directions" or len(X) <= 16

def test_wrong(gradcheck):
    gradcheck(np.sin, lambda x, dy: (dy * np.cos(x) * 2,), X)

def test_layer(gradcheck):
    assert gradcheck.layer(fn.dense(2), (3,), seed=1).seed == 1
    gradcheck.loss(fn.mean_squared_error(), X[None], 0 * X[None])
    gradcheck.grad(lambda x: np.sum(x**2), lambda x: 2 * x, X)
    gradcheck.hvp(lambda x: x**2, lambda x, v: 2 * x * v, X)
    gradcheck.model(fn.dense(1), fn.mean_squared_error(), X[None], np.ones((1, 1)))
"""


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-p", "funcnn.check.plugin", "-p", "no:cacheprovider", "-q", *options]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_fixture_fails_with_the_report(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TESTS, encoding="utf-8")
    made = run_pytest(tmp_path, "--gradcheck-seed=7", "--gradcheck-mode=screen")
    assert made.returncode == 1, made.stdout + made.stderr
    assert "1 failed, 2 passed" in made.stdout
    assert "FAIL: gradient of sin" in made.stdout
    assert "constant_factor" in made.stdout
    assert "seed=7" in made.stdout


def test_options_are_validated_and_documented(tmp_path: Path) -> None:
    assert "--gradcheck-mode" in run_pytest(tmp_path, "--help").stdout
    assert run_pytest(tmp_path, "--gradcheck-mode=often").returncode == 4


MODULE = """
from functools import partial

import numpy as np
import funcnn as fn

def layer():
    return fn.dense(3)

def layer_with_input():
    return fn.tanh(), np.linspace(-1, 1, 6).reshape(2, 3)

def layer_with_shape():
    return fn.dense(2), (4,)

def loss():
    return fn.mean_squared_error(), np.ones((2, 2)), np.zeros((2, 2))

def model():
    return fn.dense(3), fn.softmax_cross_entropy(), np.ones((2, 4)), np.array([0, 2])

def function():
    return np.sin, lambda x, dy: (dy * np.cos(x),), np.array([0.1, 0.2])

def wrong():
    return np.sin, lambda x, dy: (dy * np.sin(x),), np.array([0.1, 0.2])

def foreign():
    return partial(fn.check.check_scipy, lambda x: x @ x, lambda x: 2 * x, np.ones(2), seed=5)

def no_check():
    return partial(dict, a=3)

def nonsense():
    return 3

def also_nonsense():
    return 3, 4

def takes(argument):
    return argument

ready = fn.relu()
"""


@pytest.fixture
def module(tmp_path: Path) -> str:
    path = tmp_path / "mine_to_check.py"
    path.write_text(MODULE, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "what",
    [
        "layer --shape 4",
        "ready --shape 2x3",
        "layer_with_input",
        "layer_with_shape",
        "loss",
        "model --mode train",
        "function",
        "foreign",
    ],
)
def test_what_is_right_passes(module: str, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, *options = what.split()
    assert main([f"{module}:{name}", *options]) == 0
    printed = capsys.readouterr().out
    assert "PASS" in printed
    assert "FAIL" not in printed


def test_a_layer_is_checked_in_both_modes(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{module}:layer_with_shape"]) == 0
    assert capsys.readouterr().out.count("PASS") == 2


def test_what_is_wrong_fails_and_is_written_as_json(module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    assert main([f"{module}:wrong", "--json", str(path)]) == 1
    assert "FAIL" in capsys.readouterr().out
    (made,) = json.loads(path.read_text(encoding="utf-8"))
    assert made["findings"][0]["path"] == "[0]"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("layer", "needs the shape"),
        ("nonsense", "gives int"),
        ("no_check", "a partial of dict"),
        ("also_nonsense", "a tuple of int, int"),
        ("takes", "without arguments"),
        ("lyaer", "did you mean layer"),
    ],
)
def test_wrong_requests_are_explained(module: str, what: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{module}:{what}"]) == 2
    assert words in capsys.readouterr().err


def test_a_module_or_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    for what in ("no_such_module:f", "no_such_file.py:f", "nothing"):
        assert main([what]) == 2
        assert "error:" in capsys.readouterr().err


def test_a_file_that_cannot_be_written(module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{module}:function", "--json", str(tmp_path / "no" / "such" / "folder.json")]) == 2
    assert "folder.json" in capsys.readouterr().err
