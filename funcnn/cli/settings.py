"""What a run was asked to do: a record that is written beside its results and read again by ``predict``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import attrs
from attrs import evolve, field, frozen

from funcnn.cli.arguments import ARGUMENTS, FORMER, Value, check_choice, check_whole, is_number
from funcnn.cli.failure import RequestError
from funcnn.cli.jobs import JOBS, TABLE_SCHEDULE, DefaultSchedule, Job, Kind
from funcnn.cli.table_settings import Purpose, TableSettings, is_table, table_from_json
from funcnn.data.images.folder import has_class_folders
from funcnn.errors import shorten

OPTIMIZERS = ("adam", "adamw", "rmsprop", "nesterov", "momentum", "sgd")
SCHEDULES = ("cosine", "warmup", "constant")
DTYPES = ("float32", "float64")
MADE = ("digits", "xor", "spirals")


def _of_mlp() -> dict[str, Value]:
    return JOBS["mlp"].arguments


@frozen
class Settings:
    """A run: model, data, optimizer and seed.  The same settings give the same parameters, bit for bit."""

    model: str = "mlp"
    data: str = "digits"
    """A data set or folder; empty for a model of text."""
    text: tuple[str, ...] = ()
    """The files that a model of text learns from."""
    arguments: dict[str, Value] = field(factory=_of_mlp, hash=False)
    """The settings of the model itself."""
    optimizer: str = "adam"
    learning_rate: float = 0.005
    schedule: str = "cosine"
    clip: float = 0.0
    """The largest norm that a gradient may have; 0 where it is left as it is."""
    epochs: int = 60
    steps: int = 0
    batch_size: int = 32
    seed: int = 0
    dtype: str = "float32"
    table: TableSettings | None = None
    """What is asked of a table; None for other data."""
    image_size: int = 0
    """The side to which the pictures of a folder are scaled; 0 where they stay as they are, or are no pictures."""
    folds: int = 0
    """Of a cross-validation before the training; 0 for none."""

    def __attrs_post_init__(self) -> None:
        check_choice("model", self.model, tuple(JOBS))
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("dtype", self.dtype, DTYPES)
        checked = {name: ARGUMENTS[name].check(name, value) for name, value in self.arguments.items()}
        object.__setattr__(self, "arguments", checked)  # as attrs itself sets a field of a frozen class
        check_whole("epochs", self.epochs, 0 if self.job.counts_steps else 1)
        check_whole("steps", self.steps, 1 if self.job.counts_steps else 0)
        check_whole("batch_size", self.batch_size, 1)
        check_whole("seed", self.seed, 0)
        check_whole("image_size", self.image_size, 0, 2**12)
        check_whole("folds", self.folds, 0)
        if not is_number(self.learning_rate) or not 0 < self.learning_rate < math.inf:
            raise RequestError(f"learning_rate is {shorten(repr(self.learning_rate))}, expected a positive number")
        if not is_number(self.clip) or not 0 <= self.clip < math.inf:
            raise RequestError(f"clip is {shorten(repr(self.clip))}, expected a number of at least 0")

    @property
    def job(self) -> Job:
        """What the model is trained to do."""
        job = JOBS[self.model]
        return job if self.table is None else evolve(job, task=_TABLE_TASKS.get(self.table.task, "classify_table"))

    def count(self, name: str) -> int:
        """Return a setting of the model that is a whole number."""
        return cast(int, self.arguments[name])

    def number(self, name: str) -> float:
        """Return a setting of the model that is a number."""
        return cast(float, self.arguments[name])

    def choice(self, name: str) -> str:
        """Return a setting of the model that is a name."""
        return cast(str, self.arguments[name])

    def sizes(self, name: str) -> tuple[int, ...]:
        """Return a setting of the model that is a list of sizes."""
        return cast("tuple[int, ...]", self.arguments[name])


_TABLE_TASKS: dict[str, Kind] = {
    "regression": "regress_table", "classification": "classify_table", "anomalies": "find_anomalies",
}  # fmt: skip
TABLE_MODELS: dict[Purpose, str] = {"regression": "mlp", "classification": "mlp", "anomalies": "autoencoder"}
"""What learns from a table."""
_OF_TABLES: dict[str, dict[str, Value]] = {
    "mlp": {"hidden": (64, 32), "dropout": 0.1}, "autoencoder": {"hidden": (32,), "latent_size": 4},
}  # fmt: skip

_SMALL: dict[str, tuple[dict[str, Value], DefaultSchedule, str]] = {
    "xor": ({"hidden": (8,), "activation": "tanh", "dropout": 0.0}, DefaultSchedule(0.05, 4, 200), "float64"),
    "spirals": ({"hidden": (64, 64), "dropout": 0.0}, DefaultSchedule(0.01, 32, 200), "float32"),
}
"""The points in a plane: what perceptron they need, how long it is trained, and in which precision."""


def defaults_for(model: str, data: str) -> Settings:
    """Return the settings of a model and a data set before any option is given."""
    job = JOBS[model]
    arguments, schedule, dtype = dict(job.arguments), job.digits if data == "digits" else job.folder, "float32"
    if is_table(data):
        schedule = TABLE_SCHEDULE
        arguments |= _OF_TABLES.get(model, {})
    elif data in _SMALL:
        special, schedule, dtype = _SMALL[data]
        arguments |= {name: value for name, value in special.items() if name in arguments}
    elif has_class_folders(Path(data)):
        schedule = job.digits  # most often there are not so many of them
    elif model == "mlp" and data != "digits":
        arguments["hidden"] = (512, 256)
    made = Settings(
        model, data, (), arguments, learning_rate=schedule.learning_rate, epochs=max(schedule.epochs, 0 if schedule.steps else 1),
        steps=schedule.steps, batch_size=schedule.batch_size, dtype=dtype,
    )  # fmt: skip
    return evolve(made, optimizer="adamw", schedule="warmup", clip=1.0) if job.reads_text else made


_OPTIONAL = ("table", "image_size", "folds")
"""Settings that are written where they are asked for alone."""


def to_json(settings: Settings) -> str:
    """Return settings as a JSON text, those of the model among the others."""
    entries = attrs.asdict(settings)
    arguments = entries.pop("arguments")
    if settings.table is None:
        del entries["table"]  # as runs on other data have always been written
    for name in ("image_size", "folds"):
        if not entries[name]:
            del entries[name]
    return json.dumps(entries | arguments, indent=2) + "\n"


def from_json(text: str, where: str) -> Settings:
    """Return the settings that a JSON text holds, checked as if they had been typed.

    Raises
    ------
    RequestError
        When the text is not JSON, a name is missing or unknown, or a value is of the wrong type or out of range.
    """
    try:
        entries: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{where} is not JSON: {shorten(str(error))}") from None
    model = entries.get("model") if isinstance(entries, dict) else None
    own = [name for name in attrs.fields_dict(Settings) if name not in ("arguments", *_OPTIONAL)]
    arguments = list(JOBS[model].arguments) if isinstance(model, str) and model in JOBS else []
    names = [FORMER.get(str(name), str(name)) for name in entries] if isinstance(entries, dict) else []
    if not isinstance(entries, dict) or sorted(name for name in names if name not in _OPTIONAL) != sorted([*own, *arguments]):
        raise RequestError(
            f"{where} does not hold the settings of a run: expected a model of {', '.join(JOBS)} and exactly its settings"
        )
    entries = dict(zip(names, entries.values(), strict=True))
    data, files = entries["data"], entries["text"]
    if not isinstance(data, str) or not isinstance(files, list) or not all(isinstance(one, str) for one in files):
        raise RequestError(
            f"{where}: data is {shorten(repr(data))} and text is {shorten(repr(files))}, expected a text and a list of texts"
        )
    common: dict[str, Any] = {name: entries[name] for name in own} | {"text": tuple(files)}
    try:
        table, folds = entries.get("table"), entries.get("folds", 0)
        if isinstance(table, dict) and "folds" in table:  # where former runs had it
            folds, table = table["folds"], {name: value for name, value in table.items() if name != "folds"}
        common |= {"image_size": entries.get("image_size", 0), "folds": folds, "table": table_from_json(table, where)}
        return Settings(**common, arguments={name: entries[name] for name in arguments})
    except RequestError as error:
        raise RequestError(f"{where}: {error}") from None
