"""Pieces of syntax: what the modules that write functions ask of them and do with them."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from typing import Any


class CallInstead(Exception):  # noqa: N818 - it says that another way is taken, not that something is wrong
    """Raised while writing, when a function has to be called as it stands."""


class Record(ast.expr):
    """An expression for a record that is not made unless something needs it whole: its class, and where its fields are."""

    def __init__(self, kind: type, parts: Mapping[str, ast.expr]) -> None:
        super().__init__()
        self.kind, self.parts = kind, parts


def load(name: str) -> ast.Name:
    """Return the expression that reads a name."""
    return ast.Name(name, ast.Load())


def expression(source: str) -> ast.expr:
    """Return the syntax of an expression."""
    return ast.parse(source, mode="eval").body


def copy(node: Any) -> Any:
    """Return a copy of a piece of syntax, or of a list of such."""
    if isinstance(node, ast.AST) and not isinstance(node, Record):
        return type(node)(**{name: copy(value) for name, value in ast.iter_fields(node)})
    return [copy(item) for item in node] if isinstance(node, list) else node


def is_simple(node: ast.expr) -> bool:
    """Tell whether an expression may be written several times, and later: a name, a constant, and tuples of such.

    Not so an attribute: the object may be given another one, or compute it anew at each look.
    """
    if isinstance(node, ast.Tuple):
        return all(is_simple(part) for part in node.elts)
    return isinstance(node, (ast.Name, ast.Constant, Record))


def comes_first(name: str, node: ast.expr, parameters: Collection[str]) -> bool:
    """Tell whether a function's expression computes nothing, always, before it reads a parameter.

    Then the argument may stand in the parameter's place: nothing runs earlier or later, or not at all, for it.
    """
    return _reads_first(name, node, parameters) is True


def _reads_first(name: str, node: ast.expr, parameters: Collection[str]) -> bool | None:
    """Return True when the name is read first, False when something else is computed first, None when nothing is computed."""
    match node:
        case ast.Name(id=read):
            return True if read == name else None
        case ast.Constant():
            return None
        case ast.Attribute(value=ast.Name(id=module)) if module not in parameters:
            return None
        case ast.BinOp(left=left, right=right):
            parts = [left, right]
        case ast.Compare(left=left, comparators=[right, *_]):
            parts = [left, right]
        case ast.Call(func=function, args=args):
            parts = [function, *args]
        case ast.UnaryOp(operand=operand):
            parts = [operand]
        case ast.Subscript(value=value) | ast.Attribute(value=value) | ast.IfExp(test=value) | ast.BoolOp(values=[value, *_]):
            parts = [value]
        case _:
            return False
    for part in parts:
        found = _reads_first(name, part, parameters)
        if found is not None:
            return found
    return False


def names_in(node: ast.AST) -> set[str]:
    """Return the names in an expression."""
    if isinstance(node, ast.Name):
        return {node.id}
    inside = node.parts.values() if isinstance(node, Record) else ast.iter_child_nodes(node)
    return set().union(*map(names_in, inside))


def by_keyword(keywords: list[ast.keyword]) -> dict[str, ast.expr] | None:
    """Return keyword arguments by name; None when ``**`` is among them."""
    named = {keyword.arg: keyword.value for keyword in keywords if keyword.arg is not None}
    return named if len(named) == len(keywords) else None


def unpacked(arg: ast.expr) -> list[ast.expr]:
    """Return the arguments that one stands for: those of a ``*tuple`` that is written out."""
    return arg.value.elts if isinstance(arg, ast.Starred) and isinstance(arg.value, ast.Tuple) else [arg]
