"""The command ``python -m funcnn check MODULE:NAME``: check a layer, a loss or a function of your own."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from funcnn.check.functions import check_vjp, name_of
from funcnn.check.networks import check_layer, check_loss, check_model
from funcnn.check.report import Report
from funcnn.check.verify import Method
from funcnn.files.atomic_write import write_text
from funcnn.key import Key
from funcnn.layer import AnyLayer, Eval, Layer, Mode, Train
from funcnn.losses.loss import Loss

_DESCRIPTION = """\
Check the gradient of a layer, a loss or a function of your own against finite differences.

MODULE:NAME is a module (or a path to a .py file) and the name of a function in it that is called without arguments
and returns what is to be checked:

  a layer                       with --shape 3 or --shape 8,8,1: the shape of one example
  (layer, x)                    a layer and a batch of inputs, or the shape of one example
  (loss, prediction, target)    a loss at a point
  (model, loss, x, target)      a network with its loss
  (f, vjp, *arguments)          a function with its vector-Jacobian product, at a point
  partial(check, *arguments)    any check of funcnn.check, such as partial(fn.check.check_torch, function, tensor)

A name that is a layer itself, or a factory of layers such as funcnn:relu, will do as well.
"""
_EXAMPLES = """\
examples:
  python -m funcnn check funcnn:relu --shape 4
  python -m funcnn check mylayers.py:make_attention --shape 6,8 --mode train
  python -m funcnn check mypackage.losses:case --json report.json

The exit status is 0 when every gradient is right, 1 when one is wrong or could not be judged, 2 for a wrong request.
"""


class RequestError(Exception):
    """A request that cannot be met: its message says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    arguments : sequence of str
        What follows ``python -m funcnn check``.
    """
    options = _parser().parse_args(list(arguments))
    try:
        found = _load(options.what)
        reports = _check(found, options)
    except RequestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for report in reports:
        print(report, end="\n\n")
    if options.json:
        try:
            write_text(options.json, json.dumps([report.to_dict() for report in reports], indent=1) + "\n")
        except OSError as error:
            print(f"error: {options.json}: {error.strerror}", file=sys.stderr)
            return 2
    return 0 if all(report.ok for report in reports) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m funcnn check",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", metavar="MODULE:NAME", help="what to check: see above")
    parser.add_argument("--shape", type=_shape, metavar="N,N", help="the shape of one example, without the batch")
    parser.add_argument("--mode", choices=("both", "train", "eval"), default="both", help="mode of a layer (default: both)")
    parser.add_argument("--batch", type=int, default=3, metavar="N", help="how many examples are drawn (default: 3)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of parameters, inputs and cotangents (default: 0)")
    parser.add_argument(
        "--method",
        choices=("auto", "full", "screen"),
        default="auto",
        help="every entry, random directions, or by size (default)",
    )
    parser.add_argument("--json", metavar="FILE", help="also write the reports to a file")
    return parser


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.replace("x", ",").split(",") if part)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a shape such as 3 or 8,8,1") from None
    if any(axis < 1 for axis in shape):
        raise argparse.ArgumentTypeError(f"{text!r}: every axis is at least 1")
    return shape


def _load(what: str) -> object:
    """Return what the named function returns, or the named layer itself."""
    module, _, name = what.rpartition(":")
    if not module or not name:
        raise RequestError(f"{what!r} does not name a function in a module: write MODULE:NAME, such as funcnn:relu")
    found: object = _import(module)
    for part in name.split("."):
        if not hasattr(found, part):
            raise RequestError(f"{module} has no {name!r}: {_near(found, part)}")
        found = getattr(found, part)
    if callable(found) and not isinstance(found, (Layer, Loss)):
        try:
            return cast("Callable[[], object]", found)()
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:  # raised inside, not by the call
                raise
            raise RequestError(f"{what} cannot be called without arguments ({error}): write a function that can") from error
    return found


def _near(module: object, name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, [one for one in dir(module) if not one.startswith("_")], n=3)
    return f"did you mean {' or '.join(close)}?" if close else "check the spelling"


def _import(module: str) -> object:
    if module.endswith(".py"):
        path = Path(module)
        if not path.is_file():
            raise RequestError(f"there is no file {module}")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = made
        spec.loader.exec_module(made)
        return made
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and module.split(".")[0] != error.name.split(".")[0]:
            raise  # the module was found, and lacks something itself
        raise RequestError(f"there is no module {module!r} here: give a path to a .py file, or install it") from error


def _check(found: object, options: argparse.Namespace) -> list[Report]:
    seed, method = cast(int, options.seed), cast(Method, options.method)
    if isinstance(found, partial):
        report = found(**{"seed": seed, "method": method, **found.keywords})
        if not isinstance(report, Report):
            raise RequestError(f"{options.what} gives a partial of {name_of(found)}, expected one of a check of funcnn.check")
        return [report]
    if isinstance(found, Layer):
        if options.shape is None:
            raise RequestError("a layer needs the shape of one example: --shape 3, say, or --shape 8,8,1")
        found = (found, options.shape)
    if not isinstance(found, tuple) or len(found) < 2:
        raise RequestError(f"{options.what} gives {type(found).__name__}: expected a layer, or a tuple as --help shows")
    first, second, *rest = found
    if isinstance(first, Layer) and isinstance(second, Loss) and len(rest) == 2:
        return [
            check_model(first, second, rest[0], rest[1], mode=mode, seed=seed, method=method) for mode in _modes(options.mode)
        ]
    if isinstance(first, Layer) and not rest:
        layer: AnyLayer = first
        return [
            check_layer(layer, second, mode=mode, batch=options.batch, seed=seed, method=method) for mode in _modes(options.mode)
        ]
    if isinstance(first, Loss) and len(rest) == 1:
        return [check_loss(first, second, rest[0], seed=seed, method=method)]
    if callable(first) and callable(second) and rest:
        return [check_vjp(first, second, *rest, seed=seed, method=method)]
    kinds = ", ".join(type(one).__name__ for one in found)
    raise RequestError(f"{options.what} gives a tuple of {kinds}: expected one of those that --help shows")


def _modes(name: str) -> list[Mode]:
    modes: dict[str, list[Mode]] = {"train": [Train(Key(0))], "eval": [Eval()]}
    return modes.get(name, [*modes["train"], *modes["eval"]])
