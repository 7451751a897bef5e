"""Mistakes with arrays: a transpose, a sum, an axis, the order of arguments or results."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise

from tests.mutants.source import Source, called

_PRODUCTS = {"dot", "project", "matmul", "einsum", "tensordot", "outer"}
_ORDERED = {"subtract", "divide", "true_divide", "power", "where", *_PRODUCTS}
_OTHER_CALL = {
    "add": "subtract",
    "subtract": "add",
    "multiply": "divide",
    "divide": "multiply",
    "maximum": "minimum",
    "minimum": "maximum",
    "argmax": "argmin",
    "argmin": "argmax",
    "max": "min",
    "min": "max",
    "sum": "mean",
    "mean": "sum",
    "zeros": "ones",
    "zeros_like": "ones_like",
    "ones": "zeros",
    "sum_rows": "row_sums",
    "row_sums": "sum_rows",
    "sin": "cos",
    "cos": "sin",
    "sinh": "cosh",
    "cosh": "sinh",
}
_DROPPED_METHODS = {
    *("sum", "mean", "max", "min", "cumsum", "any", "all", "copy", "swapaxes", "transpose", "reshape", "astype", "ravel"),
    *("conj", "clip"),
}
_COMMUTE = {"row_dots", "add_cotangents"}
_KEPT = {
    *("ascontiguousarray", "asarray", "type", "getattr"),  # no mathematics
    *("len", "range", "tuple", "list", "set", "int", "zeros", "ones", "empty", "isinstance", "slice", "any", "all"),
}


def transposes(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Leave out a transpose, or put one too many in a product."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    if isinstance(node, ast.Call) and called(node) in _PRODUCTS:
        for at, argument in enumerate(node.args):
            if not isinstance(argument, (ast.Constant, ast.Starred)) and not _transposed(argument):
                turned = ast.Attribute(argument, "T", ast.Load())
                yield ast.Call(node.func, [*node.args[:at], turned, *node.args[at + 1 :]], node.keywords)
        if _method(node) and isinstance(node.func, ast.Attribute) and not _transposed(node.func.value):
            owner = ast.Attribute(node.func.value, "T", ast.Load())
            yield ast.Call(ast.Attribute(owner, node.func.attr, ast.Load()), node.args, node.keywords)


def _transposed(node: ast.AST) -> bool:
    """Tell whether a transpose is there already, or would change nothing: of a vector of ones."""
    return (isinstance(node, ast.Attribute) and node.attr == "T") or (isinstance(node, ast.Call) and called(node) == "ones")


def _method(node: ast.Call) -> bool:
    """Tell whether a call is one of an array, not of a module such as np."""
    function = node.func
    return isinstance(function, ast.Attribute) and not (isinstance(function.value, ast.Name) and function.value.id == "np")


def calls(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Do not apply a function or a method, or apply another in its place."""
    if not isinstance(node, ast.Call):
        return
    name = called(node)
    if _method(node) and isinstance(node.func, ast.Attribute):
        if name in _DROPPED_METHODS:
            yield node.func.value
    elif node.args and name not in _KEPT and _reduces(node) and not source.is_record(node):
        yield node.args[0]
    other = _OTHER_CALL.get(name)
    if other is not None and (not isinstance(node.func, ast.Name) or _known(other, source)):
        function: ast.expr = (
            ast.Attribute(node.func.value, other, ast.Load())
            if isinstance(node.func, ast.Attribute)
            else ast.Name(other, ast.Load())
        )
        yield ast.Call(function, node.args, node.keywords)


def _reduces(node: ast.Call) -> bool:
    """Tell whether a call gives something like its first argument: a function of one, or ``np.sum`` and the like."""
    many = called(node) in _DROPPED_METHODS and isinstance(node.func, ast.Attribute)
    return not isinstance(node.args[0], ast.Starred) and (len(node.args) == 1 or many)


def _known(name: str, source: Source) -> bool:
    return name in source.names or name in ("max", "min")


def orders(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Exchange two arguments of a product or a difference, two results or two fields of a record."""
    if isinstance(node, ast.Call):
        name, first = called(node), 0
        if name == "where" and len(node.args) == 3:
            yield ast.Call(node.func, [node.args[0], node.args[2], node.args[1]], node.keywords)
        elif name == "einsum":
            yield from _einsums(node)
        elif name in _ORDERED and len(node.args) >= 2:
            yield ast.Call(node.func, [node.args[first + 1], node.args[first], *node.args[first + 2 :]], node.keywords)
        elif name in _ORDERED and len(node.args) == 1 and _method(node) and isinstance(node.func, ast.Attribute):
            owner = ast.Attribute(node.args[0], node.func.attr, ast.Load())
            yield ast.Call(owner, [node.func.value], node.keywords)
        elif name in _COMMUTE:
            return
        elif source.is_record(node) or inspect.isfunction(source.resolve(node.func)):
            yield from _exchanged(node)
    if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) == 2:  # noqa: SIM102
        if not any(isinstance(one, (ast.Starred, ast.Slice)) for one in node.elts):
            yield ast.Tuple([node.elts[1], node.elts[0]], ast.Load())


def _exchanged(node: ast.Call) -> Iterator[ast.Call]:
    """Yield a call with neighbouring arguments exchanged: of a record any, of a function the first two."""
    for at in range(min(len(node.args) - 1, 3)):
        if not any(isinstance(one, ast.Starred) for one in node.args[at : at + 2]):
            args = [*node.args[:at], node.args[at + 1], node.args[at], *node.args[at + 2 :]]
            yield ast.Call(node.func, args, node.keywords)
    named = [one for one in node.keywords if one.arg not in ("axis", "out", "keepdims", "strict", "dtype")]
    for one, other in pairwise(named):
        keywords = [
            ast.keyword(this.arg, other.value if this is one else one.value if this is other else this.value)
            for this in node.keywords
        ]
        yield ast.Call(node.func, node.args, keywords)


def _einsums(node: ast.Call) -> Iterator[ast.Call]:
    """Yield an einsum with two indices exchanged in one of its terms."""
    text = node.args[0]
    if not isinstance(text, ast.Constant) or not isinstance(text.value, str) or "->" not in text.value:
        return
    inputs, output = text.value.split("->")
    parts = inputs.split(",")
    for at, part in enumerate(parts):
        for turned in _turned(part):
            wrong = ",".join([*parts[:at], turned, *parts[at + 1 :]]) + "->" + output
            yield ast.Call(node.func, [ast.Constant(wrong), *node.args[1:]], node.keywords)
    for turned in _turned(output):
        yield ast.Call(node.func, [ast.Constant(f"{inputs}->{turned}"), *node.args[1:]], node.keywords)


def _turned(indices: str) -> Iterator[str]:
    head, letters = ("...", indices[3:]) if indices.startswith("...") else ("", indices)
    for at in range(len(letters) - 1):
        yield head + letters[:at] + letters[at + 1] + letters[at] + letters[at + 2 :]
