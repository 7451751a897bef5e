"""From the names of one function to those of another that is being written."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import numpy as np

from funcnn.compile.samples import UNKNOWN, Samples, attribute_known, is_remembered
from funcnn.compile.source import read
from funcnn.compile.syntax import CallInstead, Record, by_keyword, comes_first, copy, unpacked

T = TypeVar("T")

Bindings: TypeAlias = Mapping[str, ast.expr]
"""What the local names of a function stand for."""

_COMPARE: dict[type, Callable[[Any, Any], object]] = {
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Eq: operator.eq,
    ast.In: lambda item, items: item in items,
}
_STATEMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.If, ast.Raise)
_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr, ast.Await)
_FRAME_READERS = frozenset({"locals", "globals", "vars", "dir", "eval", "exec", "super"})


class Target(Protocol):
    """The function that is being written, as far as translating needs it: what its names stand for, and what is known of them."""

    @property
    def values(self) -> Mapping[str, object]:
        """What the names stand for that are not local."""
        ...

    @property
    def types(self) -> Mapping[str, type]:
        """Local names of which the exact type is known."""
        ...

    @property
    def facts(self) -> Mapping[str, object]:
        """Expressions of which the value is known."""
        ...

    @property
    def samples(self) -> Samples:
        """What is known of local names beyond their type."""
        ...

    def constant(self, value: object, hint: str = ...) -> ast.expr:
        """Return an expression for a value that is known now."""
        ...

    def held(self, value: object, hint: str = ...) -> ast.Name:
        """Return the name of a value, this very object."""
        ...

    def known(self, expression: ast.expr) -> object:
        """Return the value of an expression that :meth:`constant` made, or None."""
        ...

    def is_simple(self, value: ast.expr) -> bool:
        """Tell whether an expression may be written several times, and later."""
        ...

    def attempt(self, write: Callable[[], T]) -> T | None:
        """Call a function that writes; take everything back and return None when it finds that something must be called."""
        ...


class Translate(ast.NodeTransformer):
    """Puts the syntax of one function in terms of a writer's names."""

    def __init__(self, writer: Target, names: dict[str, Any], bindings: Bindings) -> None:
        self.writer, self.names, self.bindings = writer, names, bindings

    def expression(self, node: ast.expr) -> ast.expr:
        """Return an expression in the writer's names."""
        return cast(ast.expr, self.visit(copy(node)))

    def statement(self, node: ast.stmt) -> ast.stmt:
        """Return a statement in the writer's names."""
        return cast(ast.stmt, self.visit(copy(node)))

    # What is known before anything runs.

    def evaluate(self, node: ast.expr) -> object:
        """Return the value of an expression where it is known, or UNKNOWN.

        The expression is looked at and not written, so what it names gives nobody a reason to rely on samples no longer.
        """
        samples = self.writer.samples
        usable = samples.usable
        try:
            value = self._evaluate(node)
            return self._sampled(node) if value is UNKNOWN and samples.known else value
        finally:
            samples.usable = usable

    def _sampled(self, node: ast.expr) -> object:
        try:
            return self.writer.samples.fact(self.expression(node))
        except CallInstead:
            return UNKNOWN

    def _evaluate(self, node: ast.expr) -> object:
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                value = self.truth(operand)
                return UNKNOWN if value is UNKNOWN else not value
            case ast.BoolOp(op=joint, values=parts):
                decides = isinstance(joint, ast.Or)  # the truth value that ends the search
                value = UNKNOWN
                for part in parts:
                    value = self.evaluate(part)
                    if not is_immutable(value) or bool(value) is decides:
                        return value if is_immutable(value) else UNKNOWN
                return value
            case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot() | ast.Eq() | ast.In() as sign], comparators=[right]):
                values = self.evaluate(left), self.evaluate(right)
                by_identity = isinstance(sign, (ast.Is, ast.IsNot))
                if any(value is UNKNOWN or not (by_identity or is_immutable(value)) for value in values):
                    return UNKNOWN
                return _COMPARE[type(sign)](*values)
            case ast.Attribute(value=owner_node, attr=name):
                owner = self.evaluate(owner_node)
                if owner is not UNKNOWN:
                    return attribute_known(owner, name)
                return self.writer.facts.get(f"{ast.unparse(self.expression(owner_node))}.{name}", UNKNOWN)
            case ast.IfExp(test=test, body=then, orelse=otherwise):
                chosen = self.truth(test)
                return UNKNOWN if chosen is UNKNOWN else self.evaluate(then if chosen else otherwise)
            case ast.Call(func=ast.Name(id="type"), args=[value_node], keywords=[]) if "type" not in self.names:
                return self.kind(value_node)
            case ast.Call(func=ast.Name(id="isinstance"), args=[value_node, kind_node], keywords=[]):
                kind, base = self.kind(value_node), self.evaluate(kind_node)
                return issubclass(kind, base) if isinstance(kind, type) and isinstance(base, type) else UNKNOWN
            case ast.Call(func=function, args=args, keywords=[]):
                definition = read(self.evaluate(function))
                if definition is None or len(args) != len(definition.parameters):
                    return UNKNOWN
                given = [self.expression(arg) for arg in args]
                if not all(map(self.writer.is_simple, given)):
                    return UNKNOWN
                inner = Translate(self.writer, definition.names, dict(zip(definition.parameters, given, strict=True)))
                return inner.outcome(definition.body)
            case ast.Constant(value=value):
                return value
            case ast.Name():
                own = self.expression(node)
                if isinstance(own, ast.Constant):
                    return own.value
                return self.writer.values.get(own.id, UNKNOWN) if isinstance(own, ast.Name) else UNKNOWN
        return UNKNOWN

    def outcome(self, body: Sequence[ast.stmt]) -> object:
        """Return what statements will return, where it is known that they will do nothing else; or UNKNOWN."""
        value = self.returned(body)
        return UNKNOWN if value is None else self.evaluate(value)

    def returned(self, body: Sequence[ast.stmt]) -> ast.expr | None:
        """Return the expression that statements return, where it is known that they do nothing else; or None."""
        match body:
            case [ast.Return(value=ast.expr() as value), *_]:
                return value
            case [ast.If(test=test, body=then, orelse=otherwise), *rest]:
                known = self.truth(test)
                return None if known is UNKNOWN else self.returned([*(then if known else otherwise), *rest])
        return None

    def truth(self, node: ast.expr) -> object:
        """Return whether an expression is true, where that is known and cannot change; or UNKNOWN."""
        value = self.evaluate(node)
        return bool(value) if is_immutable(value) else UNKNOWN

    def kind(self, node: ast.expr) -> object:
        """Return the type of an expression's value where it is known, or UNKNOWN."""
        own = self.expression(node) if isinstance(node, ast.Name) else node
        if isinstance(own, Record):
            return own.kind
        if isinstance(own, ast.Tuple):
            return tuple
        if isinstance(own, ast.Name) and own.id in self.writer.types:
            return self.writer.types[own.id]
        value = self.evaluate(node)
        if value is UNKNOWN and isinstance(own, ast.expr):
            value = self.writer.samples.of(own)
        return UNKNOWN if value is UNKNOWN else type(value)

    # The names of ast.NodeTransformer's methods are those of the nodes.

    def visit(self, node: ast.AST) -> Any:
        """Return a node in the writer's names."""
        if isinstance(node, _SCOPES) or (isinstance(node, ast.stmt) and not isinstance(node, _STATEMENTS)):
            raise CallInstead
        return super().visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        """Leave the annotation out."""
        if node.value is None:
            raise CallInstead
        return cast(ast.stmt, self.visit(ast.Assign([node.target], node.value)))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Return what a name stands for."""
        if node.id in self.bindings:
            value = self.bindings[node.id]
            return ast.Name(value.id, node.ctx) if isinstance(value, ast.Name) else cast(ast.expr, copy(value))
        if node.id in self.names:
            return self.writer.constant(self.names[node.id], node.id)
        if node.id in _FRAME_READERS:
            raise CallInstead
        return node  # a built-in

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Return a field of a record, or a value of a module."""
        node = cast(ast.Attribute, self.generic_visit(node))
        if isinstance(node.value, Record) and node.attr in node.value.parts:
            return node.value.parts[node.attr]
        value = attribute_known(self.writer.known(node.value), node.attr)
        return node if value is UNKNOWN else self.writer.constant(value, node.attr)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """Choose, where the choice is known."""
        test = self.truth(node.test)
        if test is not UNKNOWN:
            return cast(ast.expr, self.visit(node.body if test else node.orelse))
        return cast(ast.IfExp, self.generic_visit(node))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Put the expression in the place of a function that is no more than an expression."""
        node = cast(ast.Call, self.generic_visit(node))
        node.args = [arg for given in node.args for arg in unpacked(given)]
        function, named = self.writer.known(node.func), by_keyword(node.keywords)
        if function is cast and len(node.args) == 2:
            return node.args[1]
        if is_remembered(function) and not named:
            facts = [self.writer.samples.fact(arg) for arg in node.args]
            if UNKNOWN not in facts:
                return self.writer.held(cast("Callable[..., object]", function)(*facts))
        definition = read(function) if isinstance(function, FunctionType) else None
        if definition is None or named is None or any(isinstance(arg, ast.Starred) for arg in node.args):
            return node
        bindings = {**dict(zip(definition.parameters, node.args, strict=False)), **named}
        for name, value in definition.defaults.items():
            bindings.setdefault(name, self.writer.constant(value))
        if set(bindings) == set(definition.parameters):
            costly = [name for name, value in bindings.items() if not self.writer.is_simple(value)]
            translate = Translate(self.writer, definition.names, bindings)
            returned = translate.returned(definition.body if not costly else definition.body[:1])
            if returned is not None:
                uses = [part.id for part in ast.walk(returned) if isinstance(part, ast.Name)]
                once = len(costly) == 1 and uses.count(costly[0]) == 1 and comes_first(costly[0], returned, bindings)
                straight = isinstance(definition.body[0], ast.Return)
                if not costly or (once and straight):
                    return self.writer.attempt(lambda: translate.expression(returned)) or node
        return node


_IMMUTABLE = frozenset({type(None), bool, int, float, str, type, FunctionType, ModuleType})


def is_immutable(value: object) -> bool:
    """Tell whether a value is known, and is and remains true or false, in or not in another, equal or not equal to another.

    The type is asked for itself: a NumPy number is a ``float`` too, and an instance of a subclass may be anything.
    """
    if type(value) is tuple or type(value) is frozenset:
        return all(is_immutable(item) for item in value)
    return type(value) in _IMMUTABLE or isinstance(value, np.dtype)
