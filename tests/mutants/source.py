"""A function's source as a tree, and the places in it that compute something.

Checks of arguments are not gradients: an ``if`` that only raises, a call of a ``check_...`` function, handlers of errors and
texts are no places.  Neither are annotations and default values, nor what is done for complex numbers only: a gradient is real.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

from attrs import frozen

TICK = "_tick"
"""Counts the turns of a loop."""
_CHECKS = ("check_", "refuse_")
_SILENT = {"setflags", TICK}
_TYPES = {"cast": 0, "isinstance": 1}  # which argument is a type
_SETTINGS = {"strict", "writeable", "order", "copy", "optimize"}  # arguments that change no number


@frozen(eq=False)
class Source:
    """The definition of one function."""

    names: dict[str, Any]
    """What the names of the module stand for."""
    local: frozenset[str]
    tree: ast.FunctionDef
    path: str
    assigned: dict[str, int]
    """How often each local name is assigned."""

    def resolve(self, node: ast.AST) -> Any:
        """Return the object of the module that a name or ``module.name`` stands for; None where it is a local name."""
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value)
            return getattr(owner, node.attr, None) if inspect.ismodule(owner) else None
        if isinstance(node, ast.Name) and node.id not in self.local:
            return self.names.get(node.id)
        return None

    def is_record(self, node: ast.AST) -> bool:
        """Tell whether a call makes a record."""
        return isinstance(node, ast.Call) and inspect.isclass(self.resolve(node.func))


def parse(function: Callable[..., Any]) -> Source:
    """Return the source of a function that stands in a module, with the line numbers of its file.

    Raises
    ------
    ValueError
        When it is not a function with a ``def`` of its own.
    """
    if not isinstance(function, FunctionType) or function.__closure__:
        raise ValueError(f"{function!r} is not a function of a module")
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise ValueError(f"{function!r} is not made by def")
    ast.increment_lineno(tree, first - 1)
    _strip(tree)
    assigned: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            assigned[node.id] = assigned.get(node.id, 0) + 1
    local = frozenset({*assigned, *function.__code__.co_varnames})
    return Source(function.__globals__, local, tree, _relative(Path(inspect.getfile(function))), assigned)


def statements(tree: ast.FunctionDef) -> list[ast.stmt]:
    """Return a function and its statements that compute something, by line: the place in this list is a statement's number."""
    found: list[ast.stmt] = []
    todo: list[ast.AST] = [tree]
    while todo:
        below = [node for node in ast.iter_child_nodes(todo.pop()) if not _idle(node)]
        found += [node for node in below if isinstance(node, ast.stmt)]
        todo += below
    return [tree, *sorted(found, key=lambda one: (one.lineno, one.col_offset))]


def _strip(tree: ast.FunctionDef) -> None:
    """Leave out what only the original needs: decorators, annotations, defaults and the docstring."""
    tree.decorator_list, tree.returns = [], None
    for one in ast.walk(tree):
        if isinstance(one, ast.arg):
            one.annotation = None
    nothing = ast.Constant(None)
    tree.args.defaults = [nothing] * len(tree.args.defaults)
    tree.args.kw_defaults = [None if one is None else nothing for one in tree.args.kw_defaults]
    if isinstance(tree.body[0], ast.Expr) and isinstance(tree.body[0].value, ast.Constant) and len(tree.body) > 1:
        del tree.body[0]


def _relative(path: Path) -> str:
    parts = path.parts
    return "/".join(parts[len(parts) - parts[::-1].index("funcnn") - 1 :]) if "funcnn" in parts else path.name


@frozen(eq=False)
class Place:
    """A node, where it hangs, and the statement that shows it."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    statement: ast.stmt

    def put(self, node: ast.AST) -> None:
        """Hang another node here."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def places(source: Source) -> Iterator[Place]:
    """Yield every place of a function, outermost first."""
    yield from _below(source.tree, source.tree)


def _below(parent: ast.AST, statement: ast.stmt) -> Iterator[Place]:
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "args") and isinstance(parent, (ast.AnnAssign, ast.FunctionDef, ast.Lambda)):
            continue
        entries = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for index, node in entries:
            if isinstance(node, ast.AST) and not _idle(node) and not _fixed(parent, field, index, node):
                inside = node if isinstance(node, ast.stmt) else statement
                yield Place(node, parent, field, index, inside)
                yield from _below(node, inside)


def _idle(node: ast.AST) -> bool:
    """Tell whether a node computes nothing."""
    if isinstance(node, ast.If):
        return not node.orelse and all(_idle(one) for one in node.body)
    if isinstance(node, ast.Expr):
        call = node.value
        name = called(call) if isinstance(call, ast.Call) else ""
        return isinstance(call, ast.Constant) or name.startswith(_CHECKS) or name in _SILENT
    if isinstance(node, ast.keyword):
        return node.arg in _SETTINGS
    return isinstance(node, (ast.Raise, ast.Assert, ast.ExceptHandler, ast.JoinedStr, ast.expr_context))


def _fixed(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> bool:
    """Tell whether a part of a node says nothing about numbers: a type, "the rest" in a shape, a case for complex ones."""
    if isinstance(parent, ast.Call) and field == "args" and index is not None:
        return _TYPES.get(called(parent)) == index or (called(parent) == "reshape" and isinstance(node, ast.UnaryOp))
    if isinstance(parent, (ast.If, ast.IfExp)) and on_kind(parent.test):
        return field == "test" or field == ("orelse" if on_kind(parent.test) == "f" else "body")
    return False


def on_kind(test: ast.AST) -> str:
    """Return "f" for a test of real numbers, ``x.dtype.kind == "f"``, "c" for one of complex numbers, else nothing."""
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Attribute) and test.left.attr == "kind":
        value = test.comparators[0]
        return str(value.value) if isinstance(value, ast.Constant) and value.value in ("f", "c") else ""
    return ""


def called(call: ast.Call) -> str:
    """Return the last part of the name of what is called."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def shown(statement: ast.stmt) -> str:
    """Return a statement as one line: of a compound one the head only."""
    if isinstance(statement, (ast.If, ast.While)):
        return f"{'if' if isinstance(statement, ast.If) else 'while'} {ast.unparse(statement.test)}:"
    if isinstance(statement, ast.For):
        return f"for {ast.unparse(statement.target)} in {ast.unparse(statement.iter)}:"
    return " ".join(ast.unparse(statement).split())
