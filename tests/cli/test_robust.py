"""The command line where something is unusual: paths, pipes, tables, kills, and files that somebody has changed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.check.report import Report
from funcnn.cli import folder, learning, network
from funcnn.cli.arguments import ARGUMENTS
from funcnn.cli.failure import RequestError
from funcnn.cli.jobs import JOBS
from funcnn.cli.main import main
from funcnn.cli.network import Facts
from funcnn.cli.settings import defaults_for
from tests.data.test_idx import fill

XOR = ["--data", "xor", "--epochs", "3"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(fn.__file__).parents[1])}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "funcnn", *arguments]
    return subprocess.run(command, env=ENVIRONMENT, text=True, check=False, **options)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"funcnn {fn.__version__}\n"


@pytest.mark.parametrize("name", ["aus gabe/run", "it's", 'a"b', "a;b", "$HOME", "-run"])
def test_printed_commands_can_be_pasted(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*XOR, f"--output={name}"]) == 0
    for text in (capsys.readouterr().out, Path(name, "README.txt").read_text()):
        (line,) = [line for line in text.splitlines() if "funcnn predict" in line]
        assert Path(shlex.split(line)[-1]).resolve() == Path(name).resolve()


# --------------------------------------------------------------------------------------------------------- nobody reads


@pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
def test_training_goes_on_when_nobody_reads_it() -> None:
    command = [sys.executable, "-m", "funcnn", *XOR, "--output", "run"]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as training:
        assert training.stdout is not None
        assert training.stderr is not None
        training.stdout.readline()
        training.stdout.close()
        said = training.stderr.read()
        assert training.wait() == 0
    assert said == b""
    assert Path("run/params.npz").is_file()
    closed = run("predict", "run", "--output", "said.csv", stdout=os.open("/dev/full", os.O_WRONLY), stderr=subprocess.PIPE)
    assert closed.returncode == 0
    assert closed.stderr.count("standard output: No space left on device: going on without it") == 1
    assert len(Path("said.csv").read_text().splitlines()) == 5


@pytest.mark.skipif(os.name != "posix", reason="closed descriptors as POSIX has them")
def test_without_any_standard_output() -> None:
    line = shlex.join([sys.executable, "-m", "funcnn", *XOR, "--output", "run"])
    assert subprocess.run(["sh", "-c", f"{line} >&- 2>&-"], env=ENVIRONMENT, check=False).returncode == 0
    assert Path("run/params.npz").is_file()


def test_a_command_that_only_prints_ends_as_such_do() -> None:
    command = [sys.executable, "-m", "funcnn", "check", "funcnn:relu", "--shape", "3"]
    read, write = os.pipe()
    os.close(read)
    assert subprocess.run(command, env=ENVIRONMENT, stdout=write, check=False).returncode == 141
    os.close(write)


# ---------------------------------------------------------------------------------------------------------------- tables


@pytest.fixture
def xor_run() -> str:
    assert main([*XOR, "--output", "run"]) == 0
    return "run"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mark.csv", "\ufeff0,0\n0,1\n"),
        ("names.csv", "first,second\n0,0\n0,1\n"),
        ("both.csv", '\ufeff"first","second"\r\n0,0\r\n0,1\r\n'),
        ("quoted.csv", '"0","0"\n"0","1"\n'),
        ("comment.csv", "# made by hand\n0,0\n\n0,1\n"),
        ("tabs.tsv", "first\tsecond\n0\t0\n0\t1\n"),
        ("spaces.txt", "first second\n0 0\n0   1\n"),
    ],
)
def test_tables_of_spreadsheets(xor_run: str, name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(name).write_bytes(text.encode())
    Path("plain.csv").write_text("0,0\n0,1\n")
    said = []
    for each in ("plain.csv", name):
        assert main(["predict", xor_run, "--input", each, "--output", "said.csv"]) == 0
        said.append(Path("said.csv").read_text())
    assert said[0] == said[1]
    assert "2 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("semicolons.csv", "0;0\n0;1\n", "its fields have semicolons between them, expected commas: 0;0"),
        ("ragged.csv", "0,0\n1\n", "the number of columns changed from 2 to 1 at row 2\n"),
        ("names.csv", "a;b\n0;1\n", "its fields have semicolons between them, expected commas: a;b"),
        ("tabs.csv", "0\t0\n", "its fields have tabs between them, expected commas"),
        ("commas.txt", "0,0\n", "its fields have commas between them, expected spaces"),
        ("names-only.csv", "first,second\n", "could not convert string"),
        ("names-twice.csv", "a,b\nc,d\n1,2\n", "could not convert string"),
        ("missing.csv", "1,\n", "could not convert string"),
        ("latin.csv", "\udcff,1\n", "no text in UTF-8"),
    ],
)
def test_other_tables_are_named(xor_run: str, name: str, text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(name).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert main(["predict", xor_run, "--input", name]) == 2
    assert message in capsys.readouterr().err


def test_files_of_a_like_name_do_no_harm() -> None:
    draw = fn.Key(0).generator()
    labels = [np.arange(40, dtype=np.uint8) % 4, np.arange(12, dtype=np.uint8) % 4]
    images = [draw.integers(0, 256, (len(one), 4, 5)).astype(np.uint8) for one in labels]
    Path("mine").mkdir()
    names = ("train_images", "train_labels", "t10k_images", "t10k_labels")
    fill(Path("mine"), changed=dict(zip(names, (images[0], labels[0], images[1], labels[1]), strict=True)))
    for ending in (".md5", ".old", "~", ".0", ".1", ".2"):
        Path("mine", f"t10k-images-idx3-ubyte{ending}").write_bytes(b"d41d8cd98f00b204")
    assert main(["--data", "mine", "--hidden", "4", "--epochs", "1", "--batch-size", "8", "--output", "run"]) == 0
    assert json.loads(Path("run/config.json").read_text())["picture"] == [4, 5]


# ----------------------------------------------------------------------------------------------------------- the checkpoint


def test_the_checkpoint_stays_until_the_parameters_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        assert Path("run/checkpoint.npz").is_file()
        raise OSError(28, "No space left on device", "run/params.npz")

    monkeypatch.setattr(learning, "_PAUSE", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(folder, "write_params", full)
        assert main([*XOR, "--output", "run"]) == 2
    assert Path("run/checkpoint.npz").is_file()
    Path("run/.funcnn-0123abcd-0.tmp").write_bytes(b"left by a kill")
    assert main(["--resume", "run"]) == 0
    assert not Path("run/checkpoint.npz").exists()
    assert not list(Path("run").glob(".funcnn-*"))
    assert main([*XOR, "--output", "whole"]) == 0
    assert Path("run/params.npz").read_bytes() == Path("whole/params.npz").read_bytes()


# ------------------------------------------------------------------------------------------------------------ certification


def test_what_cannot_be_judged_is_trained(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    check = fn.check.check_model

    def vague(*given: Any, **options: Any) -> Report:
        report = check(*given, **options)
        first, *rest = report.leaves
        return attrs.evolve(report, leaves=(attrs.evolve(first, verdict="inconclusive"), *rest))

    monkeypatch.setattr(fn.check, "check_model", vague)
    assert main([*XOR, "--output", "run"]) == 0
    assert "inconclusive: 1 of all" in capsys.readouterr().out
    assert json.loads(Path("run/results.json").read_text())["gradient"] == "inconclusive"


def test_certification_can_be_shortened_or_skipped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    methods: list[str] = []
    check = fn.check.check_model

    def noting(*given: Any, **options: Any) -> Report:
        methods.append(options["method"])
        return check(*given, **options)

    monkeypatch.setattr(fn.check, "check_model", noting)
    for how in ("full", "quick", "skip"):
        assert main([*XOR, "--certify", how, "--output", how]) == 0
    assert methods == ["auto", "screen"]
    assert "not checked: --certify skip" in capsys.readouterr().out
    assert json.loads(Path("skip/results.json").read_text())["gradient"] == "not checked"
    assert Path("skip/params.npz").read_bytes() == Path("full/params.npz").read_bytes()


# ------------------------------------------------------------------------------------------------------------ changed runs


@pytest.mark.usefixtures("drawn")
def test_class_names_do_not_steer_the_terminal(xor_run: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = json.loads(Path(xor_run, "config.json").read_text())
    config["classes"][0] = "\x1b]0;owned\x07equal"
    Path(xor_run, "config.json").write_text(json.dumps(config))
    assert main(["predict", xor_run]) == 2
    shown = capsys.readouterr()
    assert "\\x1b" in shown.err
    assert "\x1b" not in shown.out + shown.err


def facts_of(model: str) -> Facts:
    job = JOBS[model]
    letters = "abc" if job.reads_text else ""
    length = int(str(job.arguments["context_length"])) if "context_length" in job.arguments else 64
    return Facts(() if job.task == "write" else ("a", "b"), length, () if job.reads_text else (8, 8), letters)


@pytest.mark.parametrize("model", JOBS)
def test_a_changed_config_takes_no_memory(model: str) -> None:
    """Whatever size a config claims: the run is refused before the memory for such a network is taken."""
    settings = evolve_text(defaults_for(model, "" if JOBS[model].reads_text else "digits"))
    facts = facts_of(model)
    made = network.make_network(settings, facts)
    start = network.start(settings, made, fn.Key(0), facts)
    place = Path("run")
    place.mkdir()
    folder.write_config(place, settings, facts)
    folder.write_params(place, start.params, start.state)
    assert folder.open_run(place).facts == facts
    before = json.loads((place / "config.json").read_text())
    for name in (*settings.arguments, "features", "picture"):
        kind = ARGUMENTS[name].kind if name in ARGUMENTS else ""
        huge: Any = {"sizes": [3_000_000] * 2, "count": min(3_000_000, ARGUMENTS[name].most) if kind == "count" else 0}.get(kind)
        entries = json.loads(json.dumps(before))
        if name == "picture" and facts.picture:
            entries["picture"], entries["features"] = [3000, 3000], 9_000_000
        elif name == "features" and "features" not in settings.arguments:
            entries["features"] = 3_000_000
        elif huge is not None:
            entries["settings"][name] = huge
            if name == "context_length":
                entries["features"] = huge
        else:
            continue
        (place / "config.json").write_text(json.dumps(entries))
        tracemalloc.start()
        try:
            folder.open_run(place)
        except RequestError:
            pass  # most; some, such as the context length of a recurrent network, change nothing
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 40 * 2**20, (name, peak)


def evolve_text(settings: Any) -> Any:
    count = 0 if not settings.job.reads_text else 1 + (settings.job.task == "classify_text")
    return attrs.evolve(settings, text=("one.txt", "two.txt")[:count])
