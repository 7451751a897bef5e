"""The command line: what it prints, what it leaves, and what it says when something is wrong."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.cli import folder, network, pictures, train
from funcnn.cli.main import main
from funcnn.cli.options import read_train
from funcnn.cli.settings import ACTIVATIONS, OPTIMIZERS, Settings, from_json, to_json
from tests.test_data_idx import fill

FILES = {
    "config.json", "params.npz", "history.csv", "results.json", "gradient.txt", "README.txt", "confusion.svg", "curves.svg",
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test where nothing is, so that runs/ is its own."""
    monkeypatch.chdir(tmp_path)


def xor(output: str | Path, *more: str) -> int:
    return main(["--data", "xor", "--epochs", "3", "--output", str(output), *more])


def results(run: str | Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(run, "results.json").read_text())
    return loaded


# ----------------------------------------------------------------------------------------------------------- the main job


def test_the_main_job(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert results("runs/digits-1")["test_accuracy"] >= 0.97
    assert results("runs/digits-1")["test_rows"] == 449
    assert {entry.name for entry in Path("runs/digits-1").iterdir()} == FILES
    for leaf in ("[0].weight", "[0].bias", "[3].weight", "[3].bias", "[6].weight", "[6].bias"):
        assert any(f"params{leaf}" in line and "pass" in line for line in shown.splitlines()), leaf
    assert "certified: all 6 leaves" in shown
    assert f"accuracy {results('runs/digits-1')['test_accuracy']:.4f}" in shown
    assert "misread" in shown
    assert shown.index("certified") < shown.index("epoch    1") < shown.index("Test")

    assert main(["predict", "runs/digits-1"]) == 0
    assert f"accuracy {results('runs/digits-1')['test_accuracy']:.4f}" in capsys.readouterr().out


@pytest.mark.parametrize(("data", "least"), [("xor", 1.0), ("spirals", 0.95)])
def test_the_small_data_sets_are_learned(data: str, least: float) -> None:
    assert main(["--data", data]) == 0
    assert results(f"runs/{data}-1")["test_accuracy"] >= least
    assert {entry.name for entry in Path(f"runs/{data}-1").iterdir()} == FILES | {"plane.svg"}


def test_a_folder_of_idx_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = fn.Key(0).generator()
    labels = [np.arange(40, dtype=np.uint8) % 4, np.arange(12, dtype=np.uint8) % 4]
    images = [(draw.integers(0, 60, (len(one), 4, 5)) + 45 * one[:, None, None]).astype(np.uint8) for one in labels]
    (tmp_path / "mine").mkdir()
    fill(
        tmp_path / "mine",
        lambda name: name + ".gz",
        {"train_images": images[0], "train_labels": labels[0], "t10k_images": images[1], "t10k_labels": labels[1]},
    )
    assert main(["--data", "mine", "--hidden", "8", "--epochs", "2", "--batch-size", "8"]) == 0
    assert "52 images of 4 x 5 pixels from mine" in capsys.readouterr().out
    assert results("runs/mine-1")["test_rows"] == 12
    assert main(["predict", "runs/mine-1", "--input", "mine/t10k-images-idx3-ubyte.gz", "--output", "said.csv"]) == 0
    assert len(Path("said.csv").read_text().splitlines()) == 13
    os.chdir("/")  # the folder is remembered by its whole path
    assert main(["predict", str(tmp_path / "runs/mine-1")]) == 0


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation: str) -> None:
    assert xor("run", "--activation", activation) == 0


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(optimizer: str) -> None:
    assert xor("run", "--optimizer", optimizer, "--learning-rate", "0.01") == 0


def test_softmax_regression_has_no_hidden_layer(capsys: pytest.CaptureFixture[str]) -> None:
    assert xor("run", "--hidden") == 0
    assert "certified: all 2 leaves" in capsys.readouterr().out


def test_options_become_settings() -> None:
    line = "--data spirals --hidden 5 6 --activation tanh --dropout 0.25 --optimizer sgd --learning-rate 0.5 --schedule constant"
    line += " --epochs 7 --batch-size 9 --seed 11 --dtype float64 --output here"
    request = read_train(line.split())
    assert request.settings == Settings("spirals", (5, 6), "tanh", 0.25, "sgd", 0.5, "constant", 7, 9, 11, "float64")
    assert request.output == Path("here")
    assert from_json(to_json(request.settings), "it") == request.settings


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    for name, seed in (("one", "0"), ("two", "0"), ("other", "1")):
        assert main(["--data", "spirals", "--epochs", "2", "--dropout", "0.1", "--seed", seed, "--output", name]) == 0
    for file in FILES - {"README.txt", "results.json", "gradient.txt"}:
        assert Path("one", file).read_bytes() == Path("two", file).read_bytes(), file
    assert Path("one/params.npz").read_bytes() != Path("other/params.npz").read_bytes()


def test_the_certified_gradient_is_that_of_the_trained_network(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[Any] = []
    fitted: list[Any] = []
    check, fit = fn.check.check_model, fn.fit

    def checking(model: Any, loss: Any, x: Any, y: Any, **options: Any) -> Any:
        checked.extend([model, loss, options["params"], options["mode"]])
        return check(model, loss, x, y, **options)

    def fitting(model: Any, loss: Any, *rest: Any, **options: Any) -> Any:
        fitted.extend([model, loss, options["params"]])
        return fit(model, loss, *rest, **options)

    monkeypatch.setattr(fn.check, "check_model", checking)
    monkeypatch.setattr(fn, "fit", fitting)
    assert xor("run", "--dropout", "0.5") == 0
    assert all(one is other for one, other in zip(checked, fitted, strict=False))
    assert isinstance(checked[3], fn.Train)


def test_a_wrong_gradient_is_not_trained(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A bias gradient that is 0.1 % too large."""
    original = network._factory

    def factory(name: str) -> Callable[..., object]:
        def make(*arguments: Any) -> object:
            layer: Any = original(name)(*arguments)
            return attrs.evolve(layer, backward=spoiled(layer.backward)) if name == "dense" else layer

        return make

    def spoiled(backward: Any) -> Any:
        def wrong(params: Any, residuals: Any, dy: Any, input_grad: bool = True) -> Any:
            made = backward(params, residuals, dy)
            return fn.Backward(attrs.evolve(made.params, bias=made.params.bias * 1.001), made.input)

        return wrong

    monkeypatch.setattr(network, "_factory", factory)
    assert xor("run") == 1
    shown = capsys.readouterr()
    assert "not certified" in shown.out
    assert any("[0].bias" in line and "fail" in line for line in shown.out.splitlines())
    assert any("[0].weight" in line and "pass" in line for line in shown.out.splitlines())
    assert "nothing was trained" in shown.err
    assert {entry.name for entry in Path("run").iterdir()} == {"config.json", "gradient.txt"}
    assert "bias" in Path("run/gradient.txt").read_text()
    assert main(["predict", "run"]) == 2
    assert "the run ended before anything was learned" in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_learned(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupting(epochs: int) -> Callable[[Any], None]:
        def tell(epoch: Any) -> None:
            if epoch.number == 2:
                raise KeyboardInterrupt

        return tell

    monkeypatch.setattr(train, "_tell_every", interrupting)
    assert xor("run") == 130
    assert "interrupted after 2 epochs" in capsys.readouterr().out
    assert results("run")["stopped"] == "interrupted"
    assert len(Path("run/history.csv").read_text().splitlines()) == 3
    assert main(["predict", "run"]) == 0


def test_ctrl_c_before_training_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fn.check, "check_model", interrupt)
    assert xor("run") == 130
    assert capsys.readouterr().err == "python -m funcnn: error: interrupted\n"


def test_divergence_keeps_the_last_good_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "spirals", "--optimizer", "sgd", "--learning-rate", "1e30", "--epochs", "5", "--output", "run"]) == 3
    shown = capsys.readouterr()
    assert "diverged" in shown.out
    assert "error: " in shown.err
    assert "Traceback" not in shown.err
    assert results("run")["stopped"] == "diverged"
    assert all(np.isfinite(leaf).all() for leaf in fn.load("run/params.npz").values())


def test_without_the_extra_it_runs_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_found(name: str) -> None:
        return None

    monkeypatch.setattr(pictures, "find_spec", not_found)
    monkeypatch.setattr(train, "find_spec", not_found)
    assert xor("run") == 0
    assert "pip install 'funcnn[train]' brings matplotlib and tqdm" in capsys.readouterr().out
    assert not list(Path("run").glob("*.svg"))
    assert find_spec("matplotlib") is not None


def test_the_next_free_folder_is_taken() -> None:
    for number in (1, 2):
        assert main(["--data", "xor", "--epochs", "1"]) == 0
        assert Path(f"runs/xor-{number}/params.npz").is_file()


def test_the_script_in_the_folder_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for data in ("xor", "spirals", "digits"):
        assert main(["--data", data, "--epochs", "2", "--hidden", "6", "--dropout", "0.1", "--output", data]) == 0
        text = Path(data, "README.txt").read_text()
        lines = text.split("or, in Python:\n\n")[1]
        capsys.readouterr()
        exec(textwrap.dedent(lines), {})
        said = capsys.readouterr().out
        assert said.count("[") == 2
        assert len(lines.splitlines()) == 7


def test_the_history_is_that_of_every_epoch() -> None:
    assert main(["--data", "spirals", "--epochs", "4", "--output", "run"]) == 0
    with Path("run/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert set(rows[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}


# --------------------------------------------------------------------------------------------------------------- prediction


@pytest.fixture
def run() -> Path:
    assert main(["--data", "digits", "--epochs", "2", "--hidden", "16", "--output", "run"]) == 0
    return Path("run")


def test_every_kind_of_input(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = fn.data.digits(flat=False, dtype=np.float32).x[:12]
    np.save("images.npy", images)
    np.save("one.npy", images[0].ravel())
    np.savetxt("rows.csv", images.reshape(12, 64), delimiter=",")
    np.savetxt("rows.txt", images.reshape(12, 64))
    Path("packed.gz").write_bytes(
        gzip.compress(bytes([0, 0, 0x0D, 2, 0, 0, 0, 12, 0, 0, 0, 64]) + images.astype(">f4").tobytes())
    )
    said = {}
    for name in ("images.npy", "rows.csv", "rows.txt", "packed.gz"):
        assert main(["predict", str(run), "--input", name, "--output", "out.csv"]) == 0
        assert "12 rows" in capsys.readouterr().out
        said[name] = Path("out.csv").read_text()
    assert len(set(said.values())) == 1
    rows = list(csv.DictReader(said["rows.csv"].splitlines()))
    for row in rows:
        shares = [float(row[f"p({name})"]) for name in "0123456789"]
        assert abs(sum(shares) - 1) < 1e-4
        assert int(row["class"]) == np.argmax(shares)
    assert main(["predict", str(run), "--input", "one.npy"]) == 0
    assert "1 row:" in capsys.readouterr().out


def refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Demand exit status 2 and a message of one line that is not a traceback."""
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert message in " ".join(shown.err.split()), shown.err
    assert "Traceback" not in shown.err
    assert shown.err.splitlines()[-1].startswith("python -m funcnn")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (None, "no.npy", "there is no such file"),
        (b"", "empty.npy", "--input empty.npy"),
        (b"", "empty.csv", "expected rows of 64 numbers"),
        (b"1,2,three", "text.csv", "could not convert string"),
        (b"1,2,3", "short.csv", "expected rows of 64 numbers"),
        (b"\xff\xfe\0\0", "binary.csv", "--input binary.csv"),
        (b"PK\x03\x04 zip", "other.bin", "not an IDX file"),
        (b",".join([b"nan"] * 64), "nan.csv", "the input is nan at row 0, column 0"),
        (b",".join([b"1"] * 63 + [b"1e300"]), "huge.csv", "the input is inf at row 0, column 63"),
    ],
)
def test_wrong_inputs(run: Path, content: bytes | None, name: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    refused(["predict", str(run), "--input", name], message, capsys)


def test_arrays_that_are_no_numbers(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("objects.npy", np.array([{"a": 1}]), allow_pickle=True)
    refused(["predict", str(run), "--input", "objects.npy"], "--input objects.npy", capsys)
    np.save("text.npy", np.array(["a"] * 64))
    refused(["predict", str(run), "--input", "text.npy"], "expected numbers", capsys)
    np.save("none.npy", np.zeros((0, 64)))
    refused(["predict", str(run), "--input", "none.npy"], "expected rows of 64 numbers", capsys)
    with Path("hostile.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 64)})
    refused(["predict", str(run), "--input", "hostile.npy"], "--input hostile.npy", capsys)


def change(run: Path, **entries: object) -> None:
    """Write a run's config with other entries, those of its settings by their names."""
    config = json.loads((run / "config.json").read_text())
    for name, value in entries.items():
        (config["settings"] if name in config["settings"] else config)[name] = value
    (run / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"hidden": [17]}, "params.npz"),
        ({"hidden": [10**9]}, "too small for the network"),
        ({"hidden": [10**400]}, "too small for the network"),
        ({"hidden": ["__import__('os')"]}, "hidden is \"__import__('os')\", expected a whole number"),
        ({"hidden": 3}, "expected a text and a list of numbers"),
        ({"activation": "eval"}, "activation is 'eval', expected one of relu"),
        ({"activation": ["relu"]}, "activation is ['relu'], expected one of relu"),
        ({"dropout": 1}, "dropout is 1, expected a share"),
        ({"dropout": None}, "dropout is None"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": True}, "seed is True"),
        ({"more": 1}, "was not written by a run"),
        ({"classes": []}, "expected a list of names"),
        ({"classes": ["a"]}, "params.npz"),
        ({"features": 0}, "features is 0"),
        ({"features": 63}, "params.npz"),
        ({"data": "xor"}, "is not the one of the run"),
        ({"data": "nowhere"}, "there is no such data set or folder"),
    ],
)
def test_a_changed_config_is_refused(
    run: Path, entries: dict[str, object], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(run, **entries)
    refused(["predict", str(run)], message, capsys)


def test_damaged_runs_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = (run / "params.npz").read_bytes()
    for content, message in ((params[:2000], "too small"), (params[:-30], "params.npz"), (b"x" * len(params), "params.npz")):
        (run / "params.npz").write_bytes(content)
        refused(["predict", str(run)], message, capsys)
    for text in ("", "{", "[]", "[" * 100_000, "\xff"):
        (run / "config.json").write_text(text)
        refused(["predict", str(run)], "config.json", capsys)
    (run / "config.json").unlink()
    refused(["predict", str(run)], "it has no config.json", capsys)
    refused(["predict", "nowhere"], "there is no folder nowhere", capsys)


def test_predictions_that_cannot_be_written(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in ("no/such/folder.csv", str(run)):
        refused(["predict", str(run), "--output", path], f"--output {path}: cannot write there", capsys)


# ------------------------------------------------------------------------------------------------------- wrong requests


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--epochs 0", "argument --epochs: '0' is not a whole number of at least 1"),
        ("--epochs many", "argument --epochs: 'many' is not a whole number"),
        ("--epochs 1.5", "'1.5' is not a whole number"),
        ("--batch-size 0", "argument --batch-size: '0'"),
        ("--batch-size 5000", "--batch-size 5000: the training set has 1,213 rows"),
        ("--hidden 0", "argument --hidden: '0'"),
        ("--hidden 64 -3", "argument --hidden: '-3'"),
        ("--hidden 100000 100000 100000", "20,008,000,010 parameters do not fit in memory".replace("20,008,000,010", "")),
        ("--learning-rate 0", "'0' is not a number greater than 0"),
        ("--learning-rate nan", "'nan' is not a number greater than 0"),
        ("--learning-rate inf", "'inf' is not a number greater than 0"),
        ("--dropout 1", "'1' is not a number of at least 0 and less than 1"),
        ("--dropout -0.1", "'-0.1' is not a number of at least 0"),
        ("--seed -1", "argument --seed: '-1'"),
        ("--activation reLu", "argument --activation: invalid choice: 'reLu'"),
        ("--optimizer Adam", "argument --optimizer: invalid choice: 'Adam'"),
        ("--dtype float16", "argument --dtype: invalid choice: 'float16'"),
        ("--epoch 3", "unrecognized arguments: --epoch 3"),
        ("--overwrite", "it needs --output FOLDER"),
        ("--data minst", "--data minst: there is no such data set or folder; choose from digits, xor, spirals"),
        ("--data .", "has none of train-images-idx3-ubyte"),
        ("trian", "there is no command 'trian': choose from train"),
        ("predict", "the following arguments are required: RUN"),
        ("predict a b", "unrecognized arguments: b"),
    ],
)
def test_wrong_options(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(line.split(), message.strip(), capsys)
    assert not Path("runs").exists()


@pytest.mark.parametrize("value", ["", " ", "a\0b"])
@pytest.mark.parametrize("option", ["--data", "--output"])
def test_names_that_are_none(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused([option, value], f"argument {option}: {value!r} is not a name", capsys)


def test_damaged_idx_files_are_named_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    refused(["--data", "."], "the file holds 39 of 40 bytes: it is cut short", capsys)
    assert not Path("runs").exists()


def test_folders_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    refused(["--output", "file"], "--output file: cannot write there", capsys)
    refused(["--output", "file/run"], "--output file/run: cannot write there", capsys)
    refused(["--output", "x" * 300], "name too long", capsys)
    Path("runs").write_text("")
    refused([], "cannot write there", capsys)


def test_a_folder_without_permission(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def forbidden(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(folder, "write_text", forbidden)
    refused(["--output", "run"], "--output run: cannot write there: Permission denied", capsys)


def test_a_full_disk_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "run/params.npz")

    monkeypatch.setattr(folder, "save", full)
    assert xor("run") == 2
    assert capsys.readouterr().err.endswith("error: run/params.npz: No space left on device\n")


def test_nothing_is_lost_by_writing_over_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years of work")
    refused(["--data", "xor", "--output", "mine"], "files that are not those of a run", capsys)
    refused(["--data", "xor", "--output", "mine", "--overwrite"], "files that are not those of a run", capsys)
    assert xor("run") == 0
    before = Path("run/params.npz").read_bytes()
    refused(["--data", "xor", "--output", "run"], "add --overwrite", capsys)
    assert Path("run/params.npz").read_bytes() == before
    Path("run/notes.txt").write_text("mine")
    assert xor("run", "--overwrite", "--seed", "1") == 0
    assert Path("run/params.npz").read_bytes() != before
    assert Path("run/notes.txt").read_text() == "mine"


@pytest.mark.parametrize("arguments", [["--help"], ["predict", "--help"], ["train", "-h"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: python -m funcnn")
    assert "exit status" in shown


def test_as_a_process_without_the_extra(tmp_path: Path) -> None:
    """With NumPy and attrs alone, warnings being errors, and a terminal that knows only ASCII."""
    blocked = "import sys; sys.modules.update(dict.fromkeys(['matplotlib', 'tqdm', 'scipy', 'sklearn', 'torch', 'numba']));"
    code = f"{blocked} import runpy; sys.argv = ['funcnn', *sys.argv[1:]]; runpy.run_module('funcnn', run_name='__main__')"
    environment = os.environ | {"PYTHONPATH": str(Path(fn.__file__).parents[1]), "PYTHONIOENCODING": "ascii"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-c", code, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    done = run("--epochs", "3", "--hidden", "16")
    assert done.returncode == 0, done.stderr
    assert "certified" in done.stdout
    assert "pip install 'funcnn[train]'" in done.stdout
    assert done.stderr == ""
    wrong = run("--epochs", "none")
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
