"""The options of the command line, read into settings."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import evolve, fields_dict, frozen

from funcnn.cli.failure import STATUSES
from funcnn.cli.settings import ACTIVATIONS, DTYPES, FOLDER, MADE, OPTIMIZERS, SCHEDULES, Settings, defaults_for

_DESCRIPTION = """\
Train a network, its gradient certified first.

  python -m funcnn                         train on handwritten digits
  python -m funcnn --data spirals          train on another data set: xor, spirals, or a folder of IDX files such as MNIST's
  python -m funcnn predict RUN             use what a run has learned
  python -m funcnn check MODULE:FACTORY    check the gradient of a layer or function of your own
  python -m funcnn certify                 check every gradient of the library

These commands have options of their own: python -m funcnn predict --help.
"""


@frozen
class TrainRequest:
    """What ``python -m funcnn`` is asked for."""

    settings: Settings
    output: Path | None
    overwrite: bool


@frozen
class PredictRequest:
    """What ``python -m funcnn predict`` is asked for."""

    run: Path
    input: Path | None
    output: Path | None


def read_train(arguments: Sequence[str]) -> TrainRequest:
    """Return the request that the arguments make; on a wrong one argparse prints what is wrong and exits with status 2."""
    parser = _parser("python -m funcnn", _DESCRIPTION)
    what = parser.add_argument_group("data and network")
    default = Settings()
    what.add_argument(
        "--data",
        default=default.data,
        metavar="SET",
        type=_text,
        help=f"{', '.join(MADE)}, or a folder of IDX files (default: digits)",
    )
    what.add_argument(
        "--hidden", nargs="*", type=_whole(1), metavar="N",
        help=f"sizes of the hidden layers; none gives softmax regression (default: {_each('hidden')})",
    )  # fmt: skip
    what.add_argument(
        "--activation", choices=ACTIVATIONS, metavar="NAME", help=f"{', '.join(ACTIVATIONS)} (default: {_each('activation')})"
    )
    what.add_argument(
        "--dropout", type=_number(0, 1, below=True), metavar="P",
        help=f"share of hidden values set to zero in training (default: {_each('dropout')})",
    )  # fmt: skip
    what.add_argument("--dtype", choices=DTYPES, help=f"precision (default: {_each('dtype')})")
    how = parser.add_argument_group("training")
    how.add_argument("--optimizer", choices=OPTIMIZERS, metavar="NAME", help=f"{', '.join(OPTIMIZERS)} (default: adam)")
    how.add_argument(
        "--learning-rate",
        type=_number(0, math.inf, above=True, below=True),
        metavar="R",
        help=f"(default: {_each('learning_rate')})",
    )
    how.add_argument(
        "--schedule", choices=SCHEDULES, help="whether the learning rate falls to zero along a cosine, or stays (default: cosine)"
    )
    how.add_argument("--epochs", type=_whole(1), metavar="N", help=f"passes through the data (default: {_each('epochs')})")
    how.add_argument("--batch-size", type=_whole(1), metavar="N", help=f"rows of a step (default: {_each('batch_size')})")
    how.add_argument(
        "--seed", type=_whole(0), metavar="N", help="the same seed gives the same parameters, bit for bit (default: 0)"
    )
    out = parser.add_argument_group("results")
    out.add_argument(
        "--output", type=_path, metavar="FOLDER", help="run folder to write (default: runs/SET-1, or the next free number)"
    )
    out.add_argument("--overwrite", action="store_true", help="write into the folder of an earlier run")
    given = vars(parser.parse_args(arguments))
    if given["overwrite"] and given["output"] is None:
        parser.error("argument --overwrite: it needs --output FOLDER, the folder to write into")
    if given["hidden"] is not None:
        given["hidden"] = tuple(given["hidden"])
    changed = {name: given[name] for name in fields_dict(Settings) if given[name] is not None}
    return TrainRequest(evolve(defaults_for(given["data"]), **changed), given["output"], given["overwrite"])


def read_predict(arguments: Sequence[str]) -> PredictRequest:
    """Return the request that the arguments make; on a wrong one argparse prints what is wrong and exits with status 2."""
    parser = _parser("python -m funcnn predict", "Use what a run has learned: on its test set, or on inputs from a file.")
    parser.add_argument("run", type=_path, metavar="RUN", help="the folder that a run has written")
    parser.add_argument(
        "--input", type=_path, metavar="FILE",
        help="inputs, one per row, scaled as in training: .npy, .csv (numbers, comma between) or IDX (bytes are divided by 255);"
        " default: the run's test set",
    )  # fmt: skip
    parser.add_argument("--output", type=_path, metavar="FILE", help="write the predictions of all rows as CSV")
    given = parser.parse_args(arguments)
    return PredictRequest(given.run, given.input, given.output)


def _parser(prog: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog, description=description, epilog=STATUSES, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def _each(name: str) -> str:
    """Return the defaults of a setting: the one of digits, and those of the other data sets where they differ."""
    values = {data: getattr(defaults_for(data), name) for data in MADE} | {"a folder": getattr(FOLDER, name)}
    first = values.pop("digits")
    others = [f"{data}: {_show(value)}" for data, value in values.items() if value != first]
    return "; ".join([_show(first), *others])


def _show(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return value

    return read


def _number(low: float, high: float, *, above: bool = False, below: bool = False) -> Callable[[str], float]:
    wanted = f"a number {'greater than' if above else 'of at least'} {low:g}"
    wanted += "" if high == math.inf else f" and {'less than' if below else 'at most'} {high:g}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high or (above and value == low) or (below and value == high):
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return value

    return read


def _text(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a name")
    return text


def _path(text: str) -> Path:
    return Path(_text(text))
