"""What a run leaves: a folder with everything that is needed to use, to judge and to repeat it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.cli import network
from funcnn.cli.arguments import check_whole
from funcnn.cli.failure import RequestError
from funcnn.cli.network import Facts, Network
from funcnn.cli.settings import MADE, Settings, from_json, to_json
from funcnn.cli.table_settings import is_table
from funcnn.cli.terminal import command, plain
from funcnn.errors import shorten
from funcnn.files.atomic_write import write_text
from funcnn.files.save import load, save
from funcnn.key import Key

CONFIG, PARAMS, HISTORY, RESULTS, GRADIENT, README, CHECKPOINT, SAMPLE, REPORT, TRANSFORM, FOLDS, FOLDS_DONE = (
    "config.json", "params.npz", "history.csv", "results.json", "gradient.txt", "README.txt", "checkpoint.npz", "sample.txt",
    "report.html", "transform.json", "cross_validation.csv", "folds.json",
)  # fmt: skip
PREDICTIONS = "predictions-"
"""What the files begin with that hold predictions for other rows of a table."""


@frozen(eq=False)
class Run:
    """A trained network as its folder holds it."""

    settings: Settings
    facts: Facts
    model: Network
    params: tuple[object, ...]
    state: tuple[object, ...]


def next_folder(model: str, data: str) -> Path:
    """Return runs/MODEL-NAME-1, or the next number for which there is no folder yet; of a perceptron runs/NAME-1."""
    known = Path(data).name.split(".")[0] if is_table(data) else Path(data).name
    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in known) or "data"
    name = name if model == "mlp" else f"{model}-{name}"
    number = 1
    while Path("runs", f"{name}-{number}").exists():
        number += 1
    return Path("runs", f"{name}-{number}")


def make_folder(path: Path, overwrite: bool) -> None:
    """Make the folder of a run and prove that it can be written to.

    Raises
    ------
    RequestError
        When it cannot be made or written to, or holds something that would be lost.
    """
    if path.is_dir() and any(path.iterdir()):
        if not (path / CONFIG).is_file():
            raise RequestError(f"--output {path}: the folder holds files that are not those of a run: choose another")
        if not overwrite:
            raise RequestError(f"--output {path}: the folder holds an earlier run: choose another, or add --overwrite")
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_text(path / CONFIG, "")
    except OSError as error:
        raise RequestError(f"--output {path}: cannot write there: {error.strerror or error}") from None
    if overwrite:  # results of two runs must not stand side by side
        for name in (
            PARAMS,
            HISTORY,
            RESULTS,
            GRADIENT,
            README,
            CHECKPOINT,
            SAMPLE,
            REPORT,
            TRANSFORM,
            FOLDS,
            FOLDS_DONE,
            *(entry.name for entry in path.glob("*.svg")),
            *(entry.name for entry in path.glob(f"{PREDICTIONS}*.csv")),
        ):
            (path / name).unlink(missing_ok=True)


def write_config(path: Path, settings: Settings, facts: Facts) -> None:
    """Write the settings, with what a network must know of the data."""
    entries = {"settings": json.loads(to_json(settings)), **attrs.asdict(facts)}
    write_text(path / CONFIG, json.dumps(entries, indent=2, ensure_ascii=False) + "\n")


def write_params(path: Path, params: object, state: object) -> None:
    """Write what was learned."""
    save(path / PARAMS, (params, state))


def write_results(path: Path, results: Mapping[str, object]) -> None:
    """Write the figures of the run."""
    write_text(path / RESULTS, json.dumps(results, indent=2) + "\n")


def was_interrupted(path: Path) -> bool:
    """Tell whether the results of a run say that its training was interrupted."""
    try:
        found: object = json.loads((path / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("stopped") == "interrupted"


def write_readme(path: Path, settings: Settings, script: str, pictures: list[str], *, interrupted: bool) -> None:
    """Write how to use the folder: commands, and a script that runs as it stands."""
    notes = {
        CONFIG: "what was asked for",
        PARAMS: "the parameters and the state: NumPy's format, no pickle",
        GRADIENT: "the certificate of the gradient",
        HISTORY: "the figures of every epoch" if settings.epochs else "the figures after so many steps",
        RESULTS: "the figures on the test set, and how training ended",
        REPORT: "all of it as one page, for a browser",
    }
    if (path / TRANSFORM).exists():
        notes[TRANSFORM] = "what the columns of the table become"
    if (path / FOLDS).exists():
        notes[FOLDS] = "the figures of every fold"
    if (path / SAMPLE).exists():
        notes[SAMPLE] = "what it wrote"
    if interrupted and (path / CHECKPOINT).exists():
        notes[CHECKPOINT] = "where python -m funcnn --resume goes on"
    notes |= dict.fromkeys(pictures, "a picture")
    files = [f"{name.ljust(16)}{note}" for name, note in notes.items()]
    text = ["A run of python -m funcnn", "", *files, "", "To use it:", "", f"    {command('predict', path.resolve())}", ""]
    text += ["or, in Python:", "", *(f"    {line}" for line in script.splitlines()), ""]
    write_text(path / README, "\n".join(text))


def script(path: Path, settings: Settings, facts: Facts, data: str, use: str) -> str:
    """Return a script of a few lines that loads the parameters and uses them."""
    transform = f"transform = fn.data.load_table_transform({str((path / TRANSFORM).resolve())!r})\n" if settings.table else ""
    use = f"x = transform.transform(data, dtype=np.{settings.dtype})[:10]\n{use}" if settings.table else use
    return f"""\
import {"pathlib, " * bool(settings.text)}numpy as np, funcnn as fn
model = {network.source(settings, facts)}
start = model.init(fn.Key(0), {network.in_shape(settings, facts)!r})
like = fn.tree.astype((start.params, start.state), np.{settings.dtype})
params, state = fn.load({str((path / PARAMS).resolve())!r}, like=like)
{transform}data = {data}
{use}
"""


def read_config(path: Path) -> tuple[Settings, Facts]:
    """Read what a run was asked for, and what it knew of its data.

    Raises
    ------
    RequestError
        When it is not the folder of a run, or its config is damaged.
    """
    if not path.is_dir():
        raise RequestError(f"there is no folder {path}: expected the folder that a run has written")
    config = path / CONFIG
    if not config.is_file():
        raise RequestError(f"{path} is the folder of neither a run nor published weights: it has no {CONFIG}")
    try:
        entries: object = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RequestError(f"{config} cannot be read: {shorten(str(error), 200)}") from None
    names = {"settings", *attrs.fields_dict(Facts)}
    if not isinstance(entries, dict) or {*entries, "from_bytes"} != names:  # which former runs did not have
        raise RequestError(f"{config} was not written by a run: expected settings, classes, features, picture and vocabulary")
    settings = from_json(json.dumps(entries["settings"]), str(config))
    entries = {"from_bytes": bool(entries["picture"]) and settings.data not in MADE} | entries
    classes, features, picture, letters, from_bytes = (entries[name] for name in attrs.fields_dict(Facts))
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise RequestError(f"{config}: classes is {_told(classes)}, expected a list of names")
    if any(name != plain(name) for name in classes):
        raise RequestError(f"{config}: classes has control characters: {_told(classes)}, expected a list of names")
    if bool(classes) != settings.job.has_classes and settings.job.task != "write":
        raise RequestError(
            f"{config}: classes is {_told(classes)}, expected {'a list of' if settings.job.has_classes else 'no'} names"
        )
    if not isinstance(letters, str) or bool(letters) != settings.job.reads_text or letters != "".join(sorted(set(letters))):
        raise RequestError(f"{config}: vocabulary is {_told(letters)}, expected the characters of the text")
    check_whole(f"{config}: features", features, 1)
    if not isinstance(picture, list):
        raise RequestError(f"{config}: picture is {_told(picture)}, expected a list of sizes")
    shape = tuple([check_whole(f"{config}: picture", side, 1) for side in picture])
    if shape and math.prod(shape) != features:
        raise RequestError(f"{config}: picture is {shape} and features is {features}, expected their product")
    if not isinstance(from_bytes, bool) or (from_bytes and not shape):
        raise RequestError(f"{config}: from_bytes is {_told(from_bytes)}, expected true or false, and true only of pictures")
    if settings.job.reads_text and features != settings.count("context_length"):
        length = settings.count("context_length")
        raise RequestError(f"{config}: features is {features} and context_length is {length}, expected the same")
    return settings, Facts(tuple(classes), features, shape, letters, from_bytes)


def _told(value: object) -> str:
    """Return what a config says, or its beginning, as part of a message."""
    return shorten(repr(value[:80] if isinstance(value, (str, list)) else value))


def open_run(path: Path) -> Run:
    """Read the folder of a run.

    Raises
    ------
    RequestError
        When it is not the folder of a run, or one of its files is missing, damaged or does not fit the others.
    """
    settings, facts = read_config(path)
    params = path / PARAMS
    if not params.is_file():
        raise RequestError(f"{path} has no {PARAMS}: the run ended before anything was learned")
    needed = network.least_parameters(settings, facts) * np.dtype(settings.dtype).itemsize
    if needed > params.stat().st_size:  # before memory is taken for what a changed config claims
        raise RequestError(f"{params} is too small for the network of {CONFIG}: it is cut short, or belongs to another run")
    model = network.make_network(settings, facts)
    begin = network.start(settings, model, Key(0), facts)
    try:
        learned, state = load(params, like=(begin.params, begin.state))
    except (OSError, ValueError) as error:
        raise RequestError(str(error)) from None
    return Run(settings, facts, model, learned, state)


def size(run: Run) -> int:
    """Return the number of parameters of a run."""
    return tree.size(run.params)
