"""What a run was asked to do: a record that is written beside its results and read again by ``predict``."""

from __future__ import annotations

import json
import math
from typing import cast

import attrs
from attrs import evolve, frozen

from funcnn.cli.failure import RequestError

ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh", "sigmoid")
OPTIMIZERS = ("adam", "adamw", "rmsprop", "nesterov", "momentum", "sgd")
SCHEDULES = ("cosine", "constant")
DTYPES = ("float32", "float64")
MADE = ("digits", "xor", "spirals")


def _choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise RequestError(f"{name} is {value!r}, expected one of {', '.join(known)}")


def _whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise RequestError(f"{name} is {value!r}, expected a whole number of at least {least}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@frozen
class Settings:
    """A run: data, network, optimizer and seed.  The same settings give the same parameters, bit for bit."""

    data: str = "digits"
    hidden: tuple[int, ...] = (128, 64)
    activation: str = "relu"
    dropout: float = 0.2
    optimizer: str = "adam"
    learning_rate: float = 0.005
    schedule: str = "cosine"
    epochs: int = 60
    batch_size: int = 32
    seed: int = 0
    dtype: str = "float32"

    def __attrs_post_init__(self) -> None:
        _choice("activation", self.activation, ACTIVATIONS)
        _choice("optimizer", self.optimizer, OPTIMIZERS)
        _choice("schedule", self.schedule, SCHEDULES)
        _choice("dtype", self.dtype, DTYPES)
        for width in self.hidden:
            _whole("hidden", width, 1)
        _whole("epochs", self.epochs, 1)
        _whole("batch_size", self.batch_size, 1)
        _whole("seed", self.seed, 0)
        if not _is_number(self.learning_rate) or not 0 < self.learning_rate < math.inf:
            raise RequestError(f"learning_rate is {self.learning_rate!r}, expected a positive number")
        if not _is_number(self.dropout) or not 0 <= self.dropout < 1:
            raise RequestError(f"dropout is {self.dropout!r}, expected a share of at least 0 and less than 1")


DEFAULTS = {
    "digits": Settings(),
    "xor": Settings(
        data="xor", hidden=(8,), activation="tanh", dropout=0.0, learning_rate=0.05, epochs=200, batch_size=4, dtype="float64"
    ),
    "spirals": Settings(data="spirals", hidden=(64, 64), dropout=0.0, learning_rate=0.01, epochs=200),
}
FOLDER = Settings(data="", hidden=(512, 256), learning_rate=0.001, epochs=10, batch_size=128)
"""The defaults for a folder of IDX files."""


def defaults_for(data: str) -> Settings:
    """Return the settings of a data set before any option is given."""
    return DEFAULTS.get(data, evolve(FOLDER, data=data))


def to_json(settings: Settings) -> str:
    """Return settings as a JSON text."""
    return json.dumps(attrs.asdict(settings), indent=2) + "\n"


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
        raise RequestError(f"{where} is not JSON: {error}") from None
    fields = attrs.fields_dict(Settings)
    if not isinstance(entries, dict) or set(entries) != set(fields):
        raise RequestError(f"{where} does not hold the settings of a run: expected exactly {', '.join(fields)}")
    hidden = entries["hidden"]
    if not isinstance(hidden, list) or not isinstance(entries["data"], str):
        raise RequestError(
            f"{where}: data is {entries['data']!r} and hidden is {hidden!r}, expected a text and a list of numbers"
        )
    try:
        return Settings(**{**entries, "hidden": tuple(cast("list[int]", hidden))})
    except RequestError as error:
        raise RequestError(f"{where}: {error}") from None
