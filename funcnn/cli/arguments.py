"""The settings of the models: each is an option of the command line and, under the same name, an argument of a factory."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

from attrs import frozen

from funcnn.cli.failure import RequestError
from funcnn.errors import shorten
from funcnn.models.char_rnn import Cell
from funcnn.models.text_classifier import Encoder

Value: TypeAlias = int | float | str | tuple[int, ...]

ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh", "sigmoid")
MOST_SIZES = 200
"""Of layers or stages that a list of sizes may ask for."""


@frozen
class Argument:
    """What a setting may be."""

    kind: Literal["sizes", "count", "share", "choice"]
    about: str
    known: tuple[str, ...] = ()
    least: int = 1
    """Of a count; of sizes, how many there must be."""
    most: float = math.inf

    def check(self, name: str, value: object) -> Value:
        """Return a value that was read, or raise a RequestError when it is not one of this setting."""
        if self.kind == "sizes" and isinstance(value, (list, tuple)) and self.least <= len(value) <= MOST_SIZES:
            return tuple([check_whole(name, size, 1) for size in value])
        if self.kind == "count":
            return check_whole(name, value, self.least, self.most)
        if self.kind == "choice":
            return check_choice(name, value, self.known)
        if self.kind == "share" and is_number(value) and 0 <= float(str(value)) < 1:
            return float(str(value))
        wanted = "a share of at least 0 and less than 1" if self.kind == "share" else f"a list of sizes, at most {MOST_SIZES}"
        raise RequestError(f"{name} is {shorten(repr(value))}, expected {wanted}")


ARGUMENTS = {
    "hidden": Argument("sizes", "sizes of the hidden layers; none gives a model without", least=0),
    "activation": Argument("choice", ", ".join(ACTIVATIONS), ACTIVATIONS),
    "pooling": Argument("choice", "average or max", ("average", "max")),
    "channels": Argument("sizes", "channels of each stage; of the first one for resnet"),
    "depth": Argument("count", "layers of a resnet, 6n + 2; blocks in a stage of the others", most=1000),
    "latent_size": Argument("count", "latent variables: numbers of the narrow code"),
    "noise": Argument("share", "standard deviation of the noise that is to be taken away"),
    "cell": Argument("choice", ", ".join(get_args(Cell)), get_args(Cell)),
    "encoder": Argument("choice", ", ".join(get_args(Encoder)), get_args(Encoder)),
    "layers": Argument("count", "recurrent layers or attention blocks, one above the other", most=1000),
    "heads": Argument("count", "attention heads"),
    "features": Argument("count", "features of a step: the width of a model of text"),
    "embedding_size": Argument("count", "features of a character"),
    "context_length": Argument("count", "characters that are seen at a time"),
    "dropout": Argument("share", "share of hidden values set to zero in training"),
}

FORMER = {"block": "context_length", "code": "latent_size", "embedded": "embedding_size"}
"""Settings by the names that they had in 0.1.0: options of these names are still taken, and runs that hold them still read."""


def check_choice(name: str, value: object, known: tuple[str, ...]) -> str:
    """Return a value that must be one of those known."""
    if not isinstance(value, str) or value not in known:
        raise RequestError(f"{name} is {shorten(repr(value))}, expected one of {', '.join(known)}")
    return value


def check_whole(name: str, value: object, least: int, most: float = math.inf) -> int:
    """Return a value that must be a whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RequestError(f"{name} is {shorten(repr(value))}, expected {whole(least, most)}")
    return value


def whole(least: int, most: float) -> str:
    """Return in words what a whole number must be."""
    return f"a whole number of at least {least}" + ("" if most == math.inf else f" and at most {most}")


def is_number(value: object) -> bool:
    """Tell whether a value is a number, and not a truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
