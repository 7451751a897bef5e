"""Find what the package offers by walking it, so that nothing can be forgotten."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from types import ModuleType

import funcnn
from funcnn.layer import Layer
from funcnn.losses.loss import Loss
from funcnn.optim.penalties import Penalty

# Functions that make layers of functions or of an activation's formula: tools for writing factories, not factories.
BUILDERS = {
    "define_layer",
    "define_loss",
    "layer_of",
    "reduced",
    "batchwise",
    "block",
    "cell_of",
    "chain",
    "combined_loss",
    "combine",
    "from_input",
    "from_output",
    "from_slope",
    "gated",
    "map_layers",
    "convolution",
    "depthwise_convolution",
    "separable_convolution",
    "transposed_convolution",
    "max_pool",
    "avg_pool",
    "lp_pool",
    "activation_named",
    "dropped",
    "inner_of",
    "named",
    "normalization",
    "on_jets",
    "steps",
    "together",
    "with_input",
    "watched",
}


def modules(*packages: str) -> Iterator[ModuleType]:
    """Yield the modules of the named subpackages, or of the whole package."""
    for info in pkgutil.walk_packages(funcnn.__path__, "funcnn."):
        if not info.name.endswith("__main__") and (not packages or info.name.split(".")[1] in packages):
            yield importlib.import_module(info.name)


def factories(kind: type, *packages: str) -> list[str]:
    """Return the names of the public functions that are annotated to return a record of a kind."""
    found = set()
    for module in modules(*packages):
        for name, function in vars(module).items():
            if not inspect.isfunction(function) or function.__module__ != module.__name__ or name.startswith("_"):
                continue
            returned = typing.get_type_hints(function).get("return")
            origin = typing.get_origin(returned) or returned
            if inspect.isclass(origin) and issubclass(origin, kind) and name not in BUILDERS:
                found.add(name)
    return sorted(found)


def layer_factories() -> list[str]:
    """Return the names of all layer factories."""
    return factories(Layer, "layers", "combinators", "models", "sharding", "derivatives")


def loss_factories() -> list[str]:
    """Return the names of all loss factories."""
    return factories(Loss, "losses")


def penalty_factories() -> list[str]:
    """Return the names of all penalty factories."""
    return factories(Penalty, "optim")
