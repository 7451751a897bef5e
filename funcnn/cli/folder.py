"""What a run leaves: a folder with everything that is needed to use, to judge and to repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.cli import network
from funcnn.cli.failure import RequestError
from funcnn.cli.network import Network
from funcnn.cli.problem import Problem
from funcnn.cli.settings import Settings, from_json, to_json
from funcnn.key import Key
from funcnn.train.files import load, save, write_atomically

CONFIG, PARAMS, HISTORY, RESULTS, GRADIENT, README = (
    "config.json", "params.npz", "history.csv", "results.json", "gradient.txt", "README.txt",
)  # fmt: skip


@frozen(eq=False)
class Run:
    """A trained network as its folder holds it."""

    settings: Settings
    classes: tuple[str, ...]
    features: int
    model: Network
    params: tuple[object, ...]
    state: tuple[object, ...]


def next_folder(data: str) -> Path:
    """Return runs/NAME-1, or the next number for which there is no folder yet."""
    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in Path(data).name) or "data"
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
        for name in (PARAMS, HISTORY, RESULTS, GRADIENT, README, *(entry.name for entry in path.glob("*.svg"))):
            (path / name).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file: whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file: whole or not at all."""

    def write(file: IO[bytes]) -> None:
        file.write(content)

    write_atomically(path, write)


def write_config(path: Path, settings: Settings, problem: Problem) -> None:
    """Write the settings, with what a reader of the folder needs to know of the data."""
    entries = {"settings": json.loads(to_json(settings)), "classes": problem.classes, "features": problem.features}
    write_text(path / CONFIG, json.dumps(entries, indent=2, ensure_ascii=False) + "\n")


def write_params(path: Path, params: object, state: object) -> None:
    """Write what was learned."""
    save(path / PARAMS, (params, state))


def write_results(path: Path, results: Mapping[str, object]) -> None:
    """Write the figures of the run."""
    write_text(path / RESULTS, json.dumps(results, indent=2) + "\n")


def write_readme(path: Path, settings: Settings, problem: Problem, pictures: list[str]) -> None:
    """Write how to use the folder: a command, and a script that runs as it stands."""
    notes = {
        CONFIG: "what was asked for",
        PARAMS: "the parameters and the state: NumPy's format, no pickle",
        GRADIENT: "the certificate of the gradient",
        HISTORY: "the figures of every epoch",
        RESULTS: "the figures on the test set, and how training ended",
    } | dict.fromkeys(pictures, "a picture")
    files = [f"{name.ljust(16)}{note}" for name, note in notes.items()]
    text = ["A run of python -m funcnn", "", *files, "", "To use it:", "", f"    python -m funcnn predict {path.resolve()}", ""]
    text += ["or, in Python:", "", *(f"    {line}" for line in script(path, settings, problem).splitlines()), ""]
    write_text(path / README, "\n".join(text))


def script(path: Path, settings: Settings, problem: Problem) -> str:
    """Return a script of a few lines that loads the parameters and predicts."""
    return f"""\
import numpy as np, funcnn as fn
model = {network.source(settings, len(problem.classes))}
start = model.init(fn.Key(0), ({problem.features},))
like = fn.tree.astype((start.params, start.state), np.{settings.dtype})
params, state = fn.load({str((path / PARAMS).resolve())!r}, like=like)
data = {problem.source}
print(fn.apply(model, params, state, data.x[:10]).argmax(1), data.y[:10])
"""


def open_run(path: Path) -> Run:
    """Read the folder of a run.

    Raises
    ------
    RequestError
        When it is not the folder of a run, or one of its files is missing, damaged or does not fit the others.
    """
    if not path.is_dir():
        raise RequestError(f"there is no folder {path}: predict takes the folder that a run has written")
    config = path / CONFIG
    if not config.is_file():
        raise RequestError(f"{path} is not the folder of a run: it has no {CONFIG}")
    try:
        entries: object = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RequestError(f"{config} cannot be read: {error}") from None
    if not isinstance(entries, dict) or set(entries) != {"settings", "classes", "features"}:
        raise RequestError(f"{config} was not written by a run: expected settings, classes and features")
    settings = from_json(json.dumps(entries["settings"]), str(config))
    classes, features = entries["classes"], entries["features"]
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        raise RequestError(f"{config}: classes is {classes!r:.80}, expected a list of names")
    if isinstance(features, bool) or not isinstance(features, int) or features < 1:
        raise RequestError(f"{config}: features is {features!r:.80}, expected a whole number of at least 1")
    params = path / PARAMS
    if not params.is_file():
        raise RequestError(f"{path} has no {PARAMS}: the run ended before anything was learned")
    needed = network.parameters(settings, features, len(classes)) * np.dtype(settings.dtype).itemsize
    if needed > params.stat().st_size:  # before memory is taken for what a changed config claims
        raise RequestError(f"{params} is too small for the network of {CONFIG}: it is cut short, or belongs to another run")
    model = network.make_network(settings, len(classes))
    begin = network.start(settings, model, Key(0), features, len(classes))
    try:
        learned, state = load(params, like=(begin.params, begin.state))
    except (OSError, ValueError) as error:
        raise RequestError(str(error)) from None
    return Run(settings, tuple(classes), features, model, learned, state)


def size(run: Run) -> int:
    """Return the number of parameters of a run."""
    return tree.size(run.params)
