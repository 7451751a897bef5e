"""Pieces of syntax: what the modules that write functions ask of them and do with them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
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
    """Tell whether an expression may be written several times over: a name, a constant, attributes and tuples of such."""
    if isinstance(node, ast.Tuple):
        return all(is_simple(part) for part in node.elts)
    return isinstance(node, (ast.Name, ast.Constant, Record)) or (isinstance(node, ast.Attribute) and is_simple(node.value))


def has_branches(node: ast.expr) -> bool:
    """Tell whether parts of an expression may be left out when it is computed."""
    return any(isinstance(part, (ast.IfExp, ast.BoolOp)) for part in ast.walk(node))


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
