"""``python -m funcnn serve``: every task behind a port, and the command itself."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.cli import folder, pictures
from funcnn.cli.main import main
from funcnn.cli.serve import service_of
from funcnn.deploy.server.limits import HTTPError, Limits
from funcnn.deploy.server.strict_json import read_object, write_object

ROOT = Path(__file__).parents[2]
LINES = "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer\n" * 6
IMAGES = "--epochs 1 --batch-size 500 --certify skip"
TEXT = "--layers 1 --features 16 --heads 2 --context-length 16 --certify skip"
LIMITS = Limits(rows=3, tokens=40)
MAKES = {
    "mlp": "--data xor --epochs 1 --certify skip",
    "siamese": IMAGES,
    "autoencoder": IMAGES,
    "vae": IMAGES,
    "unet": f"{IMAGES} --channels 2 4",
    "gpt": f"--text one.txt --steps 2 {TEXT}",
    "text_classifier": f"--text one.txt two.txt --epochs 1 --batch-size 8 {TEXT}",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a run of each task."""
    made = tmp_path_factory.mktemp("runs")
    (made / "one.txt").write_text(LINES)
    (made / "two.txt").write_text(LINES.upper())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        patch.setattr(pictures, "find_spec", lambda name: None)  # as without matplotlib
        for model, words in MAKES.items():
            assert main(["--model", model, *words.split(), "--output", model]) == 0
    return made


def ask(runs: Path, model: str, path: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return what a service answers, as it goes over the wire."""
    action = service_of(runs / model, LIMITS).actions[path]
    made: dict[str, Any] = json.loads(write_object(action(read_object(json.dumps(given).encode()))))
    return made


@pytest.mark.parametrize("model", MAKES)
def test_a_model_describes_itself_and_answers_its_own_example(runs: Path, model: str) -> None:
    description: Any = service_of(runs / model, LIMITS).description
    assert json.loads(write_object(description))["model"] == model
    (path, example), *_ = description["requests"].items()
    features = description["features"]
    filled = {name: [[0.5] * features] if value == [f"{features} numbers"] else value for name, value in example.items()}
    assert ask(runs, model, path, filled)
    assert description["example"].count(f"URL{path}") == 1


def test_the_classes_are_those_of_the_network(runs: Path) -> None:
    answer = ask(runs, "mlp", "/predict", {"inputs": [[0, 1], [1, 1]]})
    run = folder.open_run(runs / "mlp")
    logits: Any = fn.apply(run.model, run.params, run.state, np.array([[0.0, 1.0], [1.0, 1.0]]))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(answer["probabilities"], shares, rtol=1e-12)
    assert answer["classes"] == [run.facts.classes[best] for best in shares.argmax(1)]


def test_pairs_images_and_texts(runs: Path) -> None:
    row, other = [0.25] * 64, [0.0, 1.0] * 32
    compared = ask(runs, "siamese", "/predict", {"first": [row, row], "second": [row, other]})
    assert compared["distances"][0] == 0
    assert compared["distances"][1] > 0
    assert compared["alike"][0] is True
    for model in ("autoencoder", "vae", "unet"):
        (image,) = ask(runs, model, "/predict", {"inputs": [row]})["outputs"]
        assert len(image) == 64
        assert 0 <= min(image) <= max(image) <= 1
    assert len(ask(runs, "vae", "/sample", {"count": 2})["outputs"]) == 2
    assert ask(runs, "vae", "/sample", {"seed": 1}) != ask(runs, "vae", "/sample", {"seed": 2})
    assert ask(runs, "text_classifier", "/predict", {"texts": ["To be"]})["classes"][0] in ("one", "two")
    written = ask(runs, "gpt", "/sample", {"prompt": "To be", "count": 7, "top_k": 3, "seed": 5})["text"]
    assert written.startswith("To be")
    assert len(written) == 12
    assert written == ask(runs, "gpt", "/sample", {"prompt": "To be", "count": 7, "top_k": 3, "seed": 5})["text"]


@pytest.mark.parametrize(
    ("model", "path", "given", "status", "message"),
    [
        ("mlp", "/predict", {}, 422, "'inputs' is missing: expected 'inputs'"),
        ("mlp", "/predict", {"inputs": [[1, 2]], "x": 1}, 422, "'x' is not known"),
        ("mlp", "/predict", {"inputs": [[1]]}, 422, "expected a list of 2 numbers"),
        ("unet", "/predict", {"inputs": [[1e300] * 64]}, 422, "too large for float32"),
        ("siamese", "/predict", {"first": [[0] * 64], "second": [[0] * 64] * 2}, 422, "first has 1 rows and second 2"),
        ("vae", "/sample", {"count": 4}, 422, "count is 4, expected a whole number from 1 to 3"),
        ("vae", "/sample", {"seed": 1.5}, 422, "seed is 1.5"),
        ("gpt", "/sample", {"prompt": ""}, 422, 'prompt is ""'),
        ("gpt", "/sample", {"prompt": "\u20ac"}, 422, "prompt: "),
        ("gpt", "/sample", {"count": 41}, 422, "count is 41, expected a whole number from 1 to 40"),
        ("gpt", "/sample", {"temperature": -1}, 422, "temperature is -1, expected a number from 0 to 100"),
        ("gpt", "/sample", {"temperature": True}, 422, "temperature is true"),
        ("text_classifier", "/predict", {"texts": ["\u20ac"]}, 422, "texts[0] has no character that occurred"),
        ("text_classifier", "/predict", {"texts": [" "]}, 422, "expected a list of texts that are not empty"),
        ("text_classifier", "/predict", {"texts": ["a"] * 4}, 413, "texts has 4 texts, at most 3"),
    ],
)
def test_wrong_requests(runs: Path, model: str, path: str, given: dict[str, Any], status: int, message: str) -> None:
    with pytest.raises(HTTPError) as caught:
        ask(runs, model, path, given)
    assert caught.value.status == status
    assert message in str(caught.value)


def test_the_command_serves_and_ends_when_it_is_told_to(runs: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "funcnn", "serve", "mlp", "--port", "0"]
    with subprocess.Popen(words, cwd=runs, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        where = process.stdout.readline().split()[-1]
        with urllib.request.urlopen(f"{where}/health", timeout=10) as answer:
            assert json.load(answer) == {"status": "ok"}
        request = urllib.request.Request(f"{where}/predict", b'{"inputs": [[0, 1]]}')
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert set(json.load(answer)) == {"classes", "probabilities"}
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Stopped" in rest
    assert errors == ""


def test_what_cannot_be_served(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(runs / "mlp"), "--port", str(port)]) == 2
    assert f"--port {port}: it is in use: choose another, or 0 for a free one" in capsys.readouterr().err
    assert main(["serve", str(runs / "nowhere")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert main(["serve", str(runs / "nowhere.onnx")]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert main(["serve", str(runs / "mlp"), "--port", "70000"]) == 2
    assert "'70000' is not a whole number of at least 0 and at most 65535" in capsys.readouterr().err
