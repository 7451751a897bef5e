"""Mistakes of one: constants, indices, bounds; and statements left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutants.source import Source, called

_ONE = ast.Constant(1)


def constants(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Change a number: an integer by one, a real number by a factor of two."""
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        yield ast.Constant(value - 1)
    elif isinstance(value, float):
        yield ast.Constant(2 * value if value else 1.0)
        if value != 1 and value:
            yield ast.Constant(1.0)


def indices(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Make an index or a bound one more or one less."""
    if isinstance(node, ast.Subscript):
        if _counts(node.slice):
            for wrong in _beside(node.slice):
                yield ast.Subscript(node.value, wrong, node.ctx)
        elif isinstance(node.slice, ast.Tuple):
            for at, one in enumerate(node.slice.elts):
                if _counts(one):
                    for wrong in _beside(one):
                        elements = [*node.slice.elts[:at], wrong, *node.slice.elts[at + 1 :]]
                        yield ast.Subscript(node.value, ast.Tuple(elements, ast.Load()), node.ctx)
    if isinstance(node, ast.Slice):
        for bound in ("lower", "upper"):
            old = getattr(node, bound)
            if old is not None and not _plain(old):
                for wrong in _beside(old):
                    made = ast.Slice(node.lower, node.upper, node.step)
                    setattr(made, bound, wrong)
                    yield made
    if isinstance(node, ast.Call) and called(node) == "range" and not _plain(node.args[-1]):
        stop = node.args[-1] if len(node.args) < 3 else node.args[1]
        fewer: ast.expr = ast.BinOp(stop, ast.Sub(), _ONE)
        args: list[ast.expr] = [fewer] if len(node.args) == 1 else [node.args[0], fewer, *node.args[2:]]
        yield ast.Call(node.func, args, node.keywords)
        if len(node.args) == 1:
            yield ast.Call(node.func, [ast.Constant(1), stop], node.keywords)


def _counts(node: ast.AST) -> bool:
    """Tell whether an index is a number that is computed, as far as the source shows: a short name, or a sum."""
    if isinstance(node, ast.Name):
        return len(node.id) == 1 or node.id in ("index", "axis", "step", "time", "group", "at", "first", "position")
    return isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub))


def _plain(node: ast.AST) -> bool:
    """Tell whether a bound is a constant, which has mutants of its own."""
    return isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant))


def _beside(node: ast.expr) -> tuple[ast.expr, ast.expr]:
    return ast.BinOp(node, ast.Add(), _ONE), ast.BinOp(node, ast.Sub(), _ONE)


def statements(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Leave out a statement, or assign where something should be added."""
    if isinstance(node, ast.AugAssign):
        yield ast.Pass()
        yield ast.Assign([node.target], node.value)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        again = isinstance(target, ast.Name) and source.assigned.get(target.id, 0) > 1
        if again or isinstance(target, ast.Subscript):
            yield ast.Pass()
