"""The command line: what it prints, what it leaves, and what it says when something is wrong."""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
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
from funcnn.cli import folder, learning, network, pictures
from funcnn.cli.arguments import ACTIVATIONS, Value
from funcnn.cli.failure import RequestError
from funcnn.cli.jobs import JOBS
from funcnn.cli.main import main
from funcnn.cli.network import Facts
from funcnn.cli.options import TrainRequest, read_train
from funcnn.cli.settings import OPTIMIZERS, Settings, from_json, to_json
from funcnn.cli.tasks import compare
from funcnn.train import loop
from tests.data.test_idx import fill

FILES = {
    "config.json", "params.npz", "history.csv", "results.json", "gradient.txt", "README.txt", "confusion.svg", "curves.svg",
    "report.html",
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


@pytest.mark.usefixtures("drawn")
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


@pytest.mark.usefixtures("drawn")
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
    said = Path("said.csv").read_text().splitlines()
    assert len(said) == 13
    np.save("bytes.npy", images[1])  # divided by 255 as the files are, and numbers left as they are
    np.save("numbers.npy", images[1].astype(np.float32) / 255)
    for name in ("bytes", "numbers"):
        assert main(["predict", "runs/mine-1", "--input", f"{name}.npy", "--output", "again.csv"]) == 0
        assert Path("again.csv").read_text().splitlines() == said
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
    assert isinstance(request, TrainRequest)
    own: dict[str, Value] = {"hidden": (5, 6), "activation": "tanh", "dropout": 0.25}
    assert request.settings == Settings(
        "mlp", "spirals", (), own, "sgd", 0.5, "constant", epochs=7, batch_size=9, seed=11, dtype="float64"
    )
    assert request.output == Path("here")
    assert from_json(to_json(request.settings), "it") == request.settings


def test_settings_of_former_names_are_still_understood() -> None:
    line = "--model char_rnn --text one.txt --embedded 3 --block 7"
    now = line.replace("embedded", "embedding-size").replace("block", "context-length")
    request, again = read_train(now.split()), read_train(line.split())
    assert isinstance(request, TrainRequest)
    assert request == again
    written = to_json(request.settings)
    assert '"embedding_size": 3' in written
    assert '"context_length": 7' in written
    before = written.replace("embedding_size", "embedded").replace("context_length", "block")
    assert from_json(before, "it") == request.settings
    both = written.replace('"seed"', '"block": 7, "seed"')
    with pytest.raises(RequestError, match="does not hold the settings of a run"):
        from_json(both, "it")


@pytest.mark.usefixtures("drawn")
def test_the_seed_decides_everything(tmp_path: Path) -> None:
    for name, seed in (("one", "0"), ("two", "0"), ("other", "1")):
        line = f"--data spirals --epochs 2 --dropout 0.1 --certify skip --seed {seed} --output {name}"
        assert main(line.split()) == 0
    for file in FILES - {"README.txt", "results.json", "gradient.txt", "report.html"}:
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

    monkeypatch.setattr(learning, "_print_every", interrupting)
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
    monkeypatch.setattr(learning, "find_spec", not_found)
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert main(["--data", "digits", "--epochs", "2", "--hidden", "16", "--output", str(folder)]) == 0
    return folder


@pytest.fixture
def run(trained: Path) -> Path:
    shutil.copytree(trained, "run")
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
    refused(["predict", str(run), "--input", "text.npy"], "expected an array of numbers", capsys)
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
        ({"hidden": 3}, "hidden is 3, expected a list of sizes"),
        ({"data": 3}, "expected a text and a list of texts"),
        ({"model": "gpt"}, "expected a model of mlp, lenet5"),
        ({"model": []}, "expected a model of mlp, lenet5"),
        ({"vocabulary": "ab"}, "vocabulary is 'ab'"),
        ({"picture": [8, 9]}, "expected their product"),
        ({"picture": 8}, "picture is 8, expected a list of sizes"),
        ({"from_bytes": 1}, "from_bytes is 1, expected true or false"),
        ({"from_bytes": True, "picture": []}, "and true only of pictures"),
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
        ({"features": 63}, "expected their product"),
        ({"features": 63, "picture": [9, 7]}, "params.npz"),
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
        ("predict a b", "there is no folder a: expected the folder that a run has written"),
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


# ---------------------------------------------------------------------------------------------------------- every ready model


TEXT = "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer\n" * 12
OTHER = "0123456789 9876543210\n31415926535897932384626433\n" * 12

SMALL = {
    "lenet5": "--epochs 1 --batch-size 400",
    "convnet": "--epochs 1 --batch-size 200 --channels 3 4 --depth 2 --dropout 0.1",
    "resnet": "--epochs 1 --batch-size 400 --channels 2",
    "siamese": "--epochs 2 --batch-size 100 --hidden 12 --latent-size 3",
    "autoencoder": "--epochs 2 --batch-size 100 --hidden 12 --latent-size 4",
    "vae": "--epochs 2 --batch-size 100 --hidden 12 --code 2 --sample 3",
    "unet": "--epochs 1 --batch-size 400 --channels 2 3",
    "char_rnn": "--text one.txt --steps 25 --cell gru --features 12 --embedded 5 --block 12 --prompt To --sample 30",
    "gpt": "--text one.txt --steps 25 --layers 1 --heads 2 --features 12 --context-length 12 --prompt To --sample 30",
    "text_classifier": "--text one.txt two.txt --epochs 3 --encoder gru --features 8 --context-length 12 --batch-size 16",
}


@pytest.fixture
def texts() -> None:
    Path("one.txt").write_text(TEXT)
    Path("two.txt").write_text(OTHER)


def test_every_ready_model_can_be_trained() -> None:
    homes = {entry.stem for entry in (Path(fn.__file__).parent / "models").glob("*.py")}
    assert homes - {"__init__", "choices", "generate", "transformer", "transformer_without_bias"} == {*JOBS} == {*SMALL, "mlp"}


@pytest.mark.usefixtures("texts")
@pytest.mark.parametrize("model", SMALL)
def test_a_ready_model_from_training_to_its_use(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", model, *SMALL[model].split(), "--output", "run"]) == 0
    shown = capsys.readouterr()
    assert "certified: all" in shown.out
    assert shown.err == ""
    found = results("run")
    assert found["stopped"] == "finished"
    assert found["gradient"] == "certified"
    assert "checkpoint.npz" not in {entry.name for entry in Path("run").iterdir()}
    columns = Path("run/history.csv").read_text().splitlines()[0].split(",")
    assert columns[0] == ("step" if "--steps" in SMALL[model] else "epoch")

    opened = folder.open_run(Path("run"))
    assert network.least_parameters(opened.settings, opened.facts) <= folder.size(opened)
    assert main(["predict", "run"]) == 0
    said = capsys.readouterr().out
    for figure in ("test_accuracy", "test_error", "test_loss"):
        if figure in found:
            if model != "siamese":
                assert f"{found[figure]:.4f}" in said
            assert f"{found[figure]:.4f}" in shown.out
            break
    else:
        raise AssertionError(found)

    lines = Path("run/README.txt").read_text().split("or, in Python:\n\n")[1]
    exec(textwrap.dedent(lines), {})
    assert capsys.readouterr().out


@pytest.mark.usefixtures("texts")
def test_text_is_learned_and_written(capsys: pytest.CaptureFixture[str]) -> None:
    line = "--model gpt --text one.txt --layers 1 --heads 2 --features 24 --block 16 --steps 150 --learning-rate 0.01 --sample 40"
    assert main([*line.split(), "--prompt", "To be", "--output", "run"]) == 0
    assert "validation loss" in capsys.readouterr().out
    assert results("run")["test_loss"] < 1
    written = Path("run/sample.txt").read_text()
    assert written.startswith("To be")
    assert len(written) == len("To be") + 40 + 1
    assert main(["sample", "run", "--prompt", "To be", "--count", "40", "--output", "said.txt"]) == 0
    assert capsys.readouterr().out == written  # the same seed, the same text
    assert Path("said.txt").read_text() + "\n" == written
    for options, alike in (
        (["--temperature", "0"], True),
        (["--top-k", "1"], True),
        (["--top-p", "1e-9"], True),
        (["--min-p", "1"], True),
        (["--seed", "3", "--temperature", "3"], False),
    ):
        told = []
        for seed in ("1", "2"):
            arguments = ["sample", "run", "--count", "25", *([] if "--seed" in options else ["--seed", seed]), *options]
            assert main(arguments + (["--prompt", "T" if seed == "1" else "s"] if not alike else [])) == 0
            told.append(capsys.readouterr().out)
        assert (told[0] == told[1]) == alike
    Path("more.txt").write_text("that is the question")
    assert main(["predict", "run", "--input", "more.txt"]) == 0
    assert "of 16 characters" in capsys.readouterr().out
    Path("more.txt").write_text("#")
    refused(["predict", "run", "--input", "more.txt"], "character '#' at position 0", capsys)
    refused(["sample", "run", "--prompt", "§"], "--prompt: character", capsys)
    refused(["predict", "run", "--output", "x.csv"], "sample RUN --output FILE", capsys)
    Path("one.txt").write_text(TEXT.upper())
    refused(["predict", "run"], "is not the one of the run", capsys)


@pytest.mark.usefixtures("texts")
def test_lines_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    line = "--model text_classifier --text one.txt two.txt --features 8 --heads 2 --context-length 10 --epochs 4 --output run"
    assert main(line.split()) == 0
    assert results("run")["test_accuracy"] == 1.0
    Path("new.txt").write_text("Whether it is nobler\n\n271828\n")
    assert main(["predict", "run", "--input", "new.txt", "--output", "said.csv"]) == 0
    assert [row["class"] for row in csv.DictReader(Path("said.csv").read_text().splitlines())] == ["one", "two"]
    Path("new.txt").write_text("§§\n")
    refused(["predict", "run", "--input", "new.txt"], "no character of the line '§§'", capsys)
    Path("new.txt").write_text("\n")
    refused(["predict", "run", "--input", "new.txt"], "no line that is not empty", capsys)


@pytest.mark.usefixtures("drawn")
def test_images_are_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    line = "--model vae --epochs 3 --hidden 16 --latent-size 2 --batch-size 100 --certify skip --output run"
    assert main(line.split()) == 0
    shown = capsys.readouterr().out
    assert "given" in shown
    assert "Sample" in shown
    assert {"images.svg", "samples.svg"} <= {entry.name for entry in Path("run").iterdir()}
    assert main(["sample", "run", "--count", "7", "--output", "new.npy"]) == 0
    drawn = np.load("new.npy")
    assert drawn.shape == (7, 8, 8)
    assert 0 <= drawn.min() <= drawn.max() <= 1
    np.save("some.npy", fn.data.digits(dtype=np.float32).x[:3])
    assert main(["predict", "run", "--input", "some.npy", "--output", "out.csv"]) == 0
    assert len(Path("out.csv").read_text().splitlines()) == 4
    refused(["sample", "run", "--prompt", "x"], "vae does not write", capsys)


def test_codes_of_a_siamese_network() -> None:
    line = "--model siamese --data spirals --epochs 2 --hidden 8 --latent-size 3 --output run"
    assert main(line.split()) == 0
    np.savetxt("points.csv", np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]), delimiter=",")
    assert main(["predict", "run", "--input", "points.csv", "--output", "codes.csv"]) == 0
    rows = [row.split(",")[1:] for row in Path("codes.csv").read_text().splitlines()]
    assert rows[0] == ["code 0", "code 1", "code 2"]
    assert rows[1] == rows[2] != rows[3]


def test_pairs_are_what_their_targets_say() -> None:
    rows = fn.data.Dataset(np.arange(30.0)[:, None], np.repeat(np.arange(3), 10), ("a", "b", "c"))
    posed = compare.pairs(Settings(), Facts(rows.classes, 1), rows, fn.Key(0))
    first, second = (part[:, 0].astype(int) // 10 for part in posed.x)
    assert ((first == second) == (posed.y > 0.5)).all()
    assert 5 < posed.y.sum() < 25


# -------------------------------------------------------------------------------------------------------------- going on


def stop_after(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Have Ctrl-C come while the figures of the given line are told."""
    print_row, printed = learning.print_row, []

    def printing(*arguments: Any) -> None:
        print_row(*arguments)
        printed.append(arguments)
        if len(printed) == number:
            raise KeyboardInterrupt

    monkeypatch.setattr(learning, "print_row", printing)


@pytest.mark.usefixtures("texts")
@pytest.mark.parametrize(
    "line",
    [
        "--data spirals --epochs 6 --dropout 0.2",
        "--model siamese --epochs 4 --hidden 8 --latent-size 2 --batch-size 100",
        "--model gpt --text one.txt --steps 30 --layers 1 --heads 1 --features 8 --context-length 8 --dropout 0.1",
    ],
)
def test_an_interrupted_run_goes_on_to_the_same_bits(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*line.split(), "--output", "whole"]) == 0
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        assert main([*line.split(), "--output", "parts"]) == 130
    assert "python -m funcnn --resume parts" in capsys.readouterr().out
    assert results("parts")["stopped"] == "interrupted"
    assert Path("parts/params.npz").read_bytes() != Path("whole/params.npz").read_bytes()
    assert main(["--resume", "parts"]) == 0
    assert "certified when the run began" in capsys.readouterr().out
    for file in ("params.npz", "history.csv", "config.json"):
        assert Path("parts", file).read_bytes() == Path("whole", file).read_bytes(), file
    for run in ("whole", "parts"):
        refused(["--resume", run], "there is nothing to go on with: it is finished", capsys)


@pytest.mark.usefixtures("texts")
@pytest.mark.parametrize("line", ["--data spirals --epochs 1", "--model char_rnn --text one.txt --steps 9 --features 4"])
def test_a_run_that_is_interrupted_in_its_first_steps_begins_again(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    words = [*line.split(), "--certify", "skip", "--output"]
    assert main([*words, "whole"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(loop, "batches", interrupt)
        assert main([*words, "parts"]) == 130
    assert "python -m funcnn --resume parts" in capsys.readouterr().out
    assert not Path("parts/checkpoint.npz").exists()
    assert main(["--resume", "parts"]) == 0
    assert "from the checkpoint on" not in capsys.readouterr().out
    for file in ("params.npz", "history.csv", "config.json"):
        assert Path("parts", file).read_bytes() == Path("whole", file).read_bytes(), file


@pytest.mark.usefixtures("texts")
def test_what_cannot_be_gone_on_with(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    line = "--model char_rnn --text one.txt --steps 30 --features 4 --context-length 8 --output run"
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        assert main(line.split()) == 130
    refused(["--resume", "run", "--steps", "50"], "the run has its settings already: leave out --steps", capsys)
    refused(["--resume", "nowhere"], "there is no folder nowhere", capsys)
    kept = Path("run/checkpoint.npz").read_bytes()
    config = Path("run/config.json").read_text()
    change(Path("run"), steps=40)
    refused(["--resume", "run"], "only the same run can be gone on with", capsys)
    Path("run/config.json").write_text(config)
    for content in (kept[:-40], b"", b"x" * len(kept)):
        Path("run/checkpoint.npz").write_bytes(content)
        refused(["--resume", "run"], "checkpoint.npz", capsys)
    Path("run/checkpoint.npz").write_bytes(kept)
    Path("one.txt").write_text(TEXT.upper())
    refused(["--resume", "run"], "the data are not those of the run any more", capsys)


# ---------------------------------------------------------------------------------------------------- models: wrong requests


@pytest.mark.usefixtures("texts")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--model gtp", "argument --model: invalid choice: 'gtp'"),
        ("--model gpt", "gpt learns from text: add --text FILE"),
        ("--model text_classifier", "add --text FILE FILE"),
        ("--model text_classifier --text one.txt", "takes the files of two texts or more, one for each class, got 1"),
        ("--model gpt --text one.txt two.txt", "gpt takes the file of one text, got 2"),
        ("--model gpt --text one.txt --data digits", "argument --data: gpt learns from text"),
        ("--text one.txt", "mlp does not learn from text: choose --model char_rnn, gpt, text_classifier"),
        ("--model gpt --text one.txt --epochs 3", "counted in steps: use --steps N"),
        ("--model lenet5 --steps 3", "counted in epochs: use --epochs N"),
        ("--model gpt --text one.txt --hidden 3", "argument --hidden: gpt has no such setting; its own are --layers, --heads"),
        ("--depth 3", "argument --depth: mlp has no such setting; its own are --hidden, --activation, --dropout"),
        ("--model lenet5 --sample 3", "lenet5 neither writes nor draws"),
        ("--model vae --prompt a", "vae does not write"),
        ("--model gpt --text none.txt", "--text none.txt: No such file"),
        ("--model gpt --text one.txt --context-length 5000", "too few for a context of 5000: --context-length"),
        ("--model gpt --text one.txt --features 9 --heads 2 --context-length 8", "--model gpt: 9 features do not make 2 heads"),
        ("--model gpt --text one.txt --layers 2000", "'2000' is not a whole number of at least 1 and at most 1000"),
        ("--model gpt --text one.txt --features 100000 --context-length 8", "parameters do not fit in memory"),
        ("--model resnet --depth 9", "--model resnet: depth is 9, expected 6n + 2"),
        ("--model resnet --channels 2 3", "resnet takes one number"),
        ("--model resnet --channels", "argument --channels: expected at least one argument"),
        ("--model unet --channels 2 3 4 5 6", "--model unet: "),
        ("--model convnet --data spirals", "--data spirals: convnet takes images"),
        ("--model vae --data xor", "--data xor: vae draws images with values from 0 to 1"),
        ("--model char_rnn --text one.txt --cell tanh", "argument --cell: invalid choice"),
    ],
)
def test_wrong_options_of_models(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(line.split(), message, capsys)
    assert not Path("runs").exists()


def test_texts_that_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bytes.txt").write_bytes(b"\xff\xfe" * 500)
    refused(["--model", "gpt", "--text", "bytes.txt"], "not a text in UTF-8 (byte 0)", capsys)
    Path("empty.txt").write_text("")
    refused(["--model", "gpt", "--text", "empty.txt"], "0 characters are too few", capsys)
    refused(["--model", "text_classifier", "--text", "empty.txt", "empty.txt"], "it has 0 lines", capsys)
    refused(["--model", "gpt", "--text", "empty.txt", "--prompt", ""], "argument --prompt: it is empty", capsys)


def test_sample_needs_a_model_that_writes_or_draws(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(["sample", str(run)], "mlp, which neither writes nor draws", capsys)
