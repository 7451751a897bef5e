"""Which folders are of published weights, and the network in them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import funcnn as fn
from funcnn.cli.failure import RequestError
from funcnn.cli.folder import CONFIG
from funcnn.cli.terminal import more, section


def is_published(folder: Path) -> bool:
    """Tell whether a folder has the configuration of a published network: one that names its kind."""
    try:
        content: object = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and bool({"model_type", "architecture"} & {*content}) and "settings" not in content


def open_published(folder: Path) -> fn.pretrained.Pretrained:
    """Read a folder of published weights; what is said of them is printed.

    Raises
    ------
    RequestError
        When it cannot be read, or its network is not supported.
    """
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            made = fn.pretrained.load(folder)
    except (ModuleNotFoundError, OSError, ValueError) as error:
        raise RequestError(str(error)) from None
    except MemoryError:
        raise RequestError(f"{folder}: its weights do not fit in memory") from None
    section("Weights", f"{folder}: {made.model.name}, {fn.tree.size(made.params):,} parameters")
    more(*[str(one.message) for one in said])
    return made
