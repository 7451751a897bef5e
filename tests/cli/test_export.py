"""``python -m funcnn export``: scripts of runs of several kinds, and what is refused before anything is written."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import funcnn as fn
from funcnn.cli import folder
from funcnn.cli.main import main
from funcnn.files import atomic_write

SHORT = ("--epochs", "1", "--hidden", "4", "--certify", "skip")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run of each kind of input and output: an array or several."""
    where = tmp_path_factory.mktemp("runs")
    for model in ("mlp", "siamese", "vae"):
        assert main(["--model", model, *SHORT, "--output", str(where / model)]) == 0
    return where


def test_a_script_takes_and_gives_several_arrays_by_name(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(runs / "siamese"), "--script", str(tmp_path / "net.py")]) == 0
    assert "python net.py INPUT.npz OUTPUT.npz" in capsys.readouterr().out
    run = folder.open_run(runs / "siamese")
    first, second = np.random.default_rng(0).random((2, 3, 64)).astype(np.float32)
    np.savez(tmp_path / "x.npz", input_0=first, input_1=second)
    subprocess.run([sys.executable, "net.py", "x.npz", "y.npz"], cwd=tmp_path, check=True)
    got, wanted = dict(np.load(tmp_path / "y.npz")), fn.predict(run.model, run.params, run.state, (first, second))
    assert list(got) == ["output_0", "output_1"]
    for one, other in zip(got.values(), wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_written_is_refused_at_once(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, kept = runs / "mlp", (runs / "mlp" / "params.npz").read_bytes()
    for words, said in (
        (("--onnx", tmp_path / "none" / "net.onnx"), "there is no folder"),
        (("--script", tmp_path / "none" / "net.py"), "there is no folder"),
        (("--onnx", tmp_path), "is a folder"),
        (("--script", tmp_path / "net.txt"), "ends with .py"),
        (("--onnx", tmp_path / "net.py", "--script", tmp_path / "net.py"), "would be written twice"),
        (("--onnx", tmp_path / "net.npz", "--script", tmp_path / "net.py"), "would be written twice"),
        (("--onnx", run / "params.npz"), "is a file of what is to be exported"),
        (("--script", run / "params.py"), "is a file of what is to be exported"),
        (("--script", tmp_path / "net.py", "--length", "3"), "--length is for published networks"),
    ):
        assert main(["export", str(run), *map(str, words)]) == 2
        assert said in capsys.readouterr().err
    assert (run / "params.npz").read_bytes() == kept
    assert not list(tmp_path.iterdir())


def test_an_earlier_export_in_the_folder_of_the_run_is_replaced(runs: Path) -> None:
    for _ in range(2):
        assert main(["export", str(runs / "mlp"), "--script", str(runs / "mlp" / "net.py")]) == 0


@pytest.mark.parametrize("name", ["config.json", "params.npz"])
def test_a_run_that_is_damaged_gives_no_file(name: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = (runs / "vae" / name).read_bytes()
    (tmp_path / "cut").mkdir()
    for one in ("config.json", "params.npz"):
        (tmp_path / "cut" / one).write_bytes((runs / "vae" / one).read_bytes())
    for damaged in (b"", content[: len(content) // 2], content[:-40] + bytes(40)):
        (tmp_path / "cut" / name).write_bytes(damaged)
        assert main(["export", str(tmp_path / "cut"), "--script", str(tmp_path / "net.py")]) == 2
        assert name in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["cut"]


@pytest.mark.parametrize("failing", [0, 1])
def test_an_interrupted_write_leaves_the_earlier_script_with_its_weights(
    failing: int, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(runs / "mlp"), "--script", str(tmp_path / "net.py")]) == 0
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    opened, count = atomic_write._open_temporary, iter(range(9))

    def refused(target: Path, mode: int) -> tuple[Path, int]:
        if next(count) == failing:
            raise OSError(28, "No space left on device", str(target))
        return opened(target, mode)

    monkeypatch.setattr(atomic_write, "_open_temporary", refused)
    assert main(["export", str(runs / "vae"), "--script", str(tmp_path / "net.py")]) == 2
    assert "No space left" in capsys.readouterr().err
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before
