"""What functions of PyTorch and of JAX have in common: their arrays are converted, and gradients are asked of the framework."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType

from funcnn.check.adapters.forms import Kind, to_foreign
from funcnn.check.case.cotangents import convert_leaves
from funcnn.typing import Array


def load(module: str, package: str, caller: str) -> ModuleType:
    """Return a framework's module.

    Raises
    ------
    ImportError
        When it is not installed, with what to do.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{caller} needs {package}, which is not installed: pip install {module}") from error


class Handed:
    """Arguments handed to a framework: each array with the leaf that was made of it."""

    def __init__(self, like: tuple[object, ...], args: tuple[object, ...], kind: Kind) -> None:
        self.pairs: list[tuple[Array, object]] = []

        def convert(array: Array, leaf: object) -> object:
            made = kind.foreign(array, leaf)
            self.pairs.append((array, made))
            return made

        self.args = [to_foreign(one, arg, convert) for one, arg in zip(like, args, strict=True)]

    def floating(self) -> list[object]:
        """Return the leaves that are differentiated."""
        return [leaf for array, leaf in self.pairs if array.dtype.kind == "f"]

    def gradient(self, args: tuple[object, ...], grads: Iterable[Array]) -> tuple[object, ...]:
        """Return trees like the arguments that were handed, with the gradients of the differentiated leaves."""
        arrays = [array for array, _ in self.pairs if array.dtype.kind == "f"]
        found = {id(array): grad for array, grad in zip(arrays, grads, strict=True)}
        return tuple([convert_leaves(arg, lambda array: found.get(id(array))) for arg in args])


def paired(output: object, dy: object) -> list[tuple[Array, object]]:
    """Return the floating leaves of dy, each with the leaf of the output that it belongs to."""
    pairs: list[tuple[Array, object]] = []

    def keep(array: Array, leaf: object) -> object:
        pairs.append((array, leaf))
        return leaf

    to_foreign(output, dy, keep)
    return pairs
