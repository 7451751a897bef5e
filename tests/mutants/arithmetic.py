"""Mistakes in arithmetic: another operator, a dropped term, a sign, a factor, a comparison."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutants.source import Source, called, on_kind

_OTHER: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.Div(),
    ast.Div: ast.Mult(),
    ast.BitAnd: ast.BitOr(),
    ast.BitOr: ast.BitAnd(),
    ast.BitXor: ast.BitOr(),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[ast.cmpop, ...]] = {
    ast.Lt: (ast.LtE(), ast.Gt()),
    ast.LtE: (ast.Lt(), ast.GtE()),
    ast.Gt: (ast.GtE(), ast.Lt()),
    ast.GtE: (ast.Gt(), ast.LtE()),
    ast.Eq: (ast.NotEq(),),
    ast.NotEq: (ast.Eq(),),
    ast.Is: (ast.IsNot(),),
    ast.IsNot: (ast.Is(),),
    ast.In: (ast.NotIn(),),
    ast.NotIn: (ast.In(),),
}
_COUNTING = {
    *("len", "range", "zip", "tuple", "list", "enumerate", "reversed", "slice", "isinstance", "sorted", "min", "max", "any"),
    *("empty", "empty_like", "zeros", "zeros_like", "result_type", "getattr", "type"),
}
"""What gives no number, or one whose sign and size mean nothing."""


def operators(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Put another operator, in an expression or in an assignment."""
    if isinstance(node, ast.BinOp) and type(node.op) in _OTHER:
        yield ast.BinOp(node.left, _OTHER[type(node.op)], node.right)
    if isinstance(node, ast.AugAssign) and type(node.op) in _OTHER:
        yield ast.AugAssign(node.target, _OTHER[type(node.op)], node.value)


def terms(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Leave out one of the operands."""
    if not isinstance(node, ast.BinOp):
        return
    if isinstance(node.op, (ast.Add, ast.Mult)):
        yield node.left
        yield node.right
    elif isinstance(node.op, ast.Sub):
        yield node.left
        yield ast.UnaryOp(ast.USub(), node.right)
    elif isinstance(node.op, (ast.Div, ast.FloorDiv, ast.Pow, ast.BitAnd)):
        yield node.left


def signs(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Leave out a sign or a negation."""
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.UAdd):
        yield node.operand


def scales(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Give a result the other sign, or make it twice as large."""
    value = _result(node, source)
    if value is not None:
        yield _with(node, "value", ast.UnaryOp(ast.USub(), value))
        yield _with(node, "value", ast.BinOp(ast.Constant(2), ast.Mult(), value))


def _result(node: ast.AST, source: Source) -> ast.expr | None:
    """Return the number that a statement or a keyword holds and that was just computed; None where there is none."""
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)) and node.value is not None:
        named = isinstance(node, ast.Return) and isinstance(node.value, (ast.Name, ast.Attribute))
        if (named or _computed(node.value, source)) and not (isinstance(node, ast.AugAssign) and _signless(node.op)):
            return node.value
    if isinstance(node, ast.keyword) and node.arg not in ("axis", "out", "keepdims") and _computed(node.value, source):
        return node.value
    return None


def _signless(op: ast.operator) -> bool:
    return isinstance(op, (ast.BitAnd, ast.BitOr, ast.BitXor))


def _computed(value: ast.AST, source: Source) -> bool:
    if isinstance(value, ast.Call):
        return not source.is_record(value) and called(value) not in _COUNTING
    return isinstance(value, ast.BinOp) and not _signless(value.op)


def _with(node: ast.AST, field: str, value: ast.AST) -> ast.AST:
    made = type(node)(**{name: getattr(node, name) for name in node._fields})
    setattr(made, field, value)
    return made


def comparisons(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Compare with or without equality, or the other way round."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for op in _COMPARISONS.get(type(node.ops[0]), ()):
            yield ast.Compare(node.left, [op], node.comparators)


def conditions(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """Negate a condition, or join its parts in the other way."""
    if isinstance(node, (ast.If, ast.While, ast.IfExp)) and not on_kind(node.test):
        yield _with(node, "test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        yield from node.values
