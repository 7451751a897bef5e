"""Writing the bodies of functions into one another.

What can be written out is a function whose body runs straight through: assignments, expressions, ``if`` without ``return``
inside, ``raise``, and one ``return`` at the end.  Anything else (a loop, a ``with``, a comprehension) is called as it stands.
Three things make the result shorter than its parts:

- a test whose outcome is known beforehand, such as ``isinstance(mode, Train)``, is left out with the branch that is not taken;
- a record that is made in one function and taken apart in another becomes a few variables;
- what a global name stands for is looked up when the function is written.  The names of modules of one's own may be assigned
  again (a constant that is tuned, a helper that is mended in a notebook): what they stood for is kept in ``watched``, and the
  function tests it at each call.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from types import FunctionType, ModuleType
from typing import Any, TypeAlias, TypeVar, cast

import attrs
import numpy as np
from attrs import Factory, field, frozen

from funcnn.program.samples import UNKNOWN, Samples, attribute_known, is_plain, is_remembered
from funcnn.program.source import Definition, has_return, read, unwrap

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
_SETTLED = frozenset({"funcnn", "numpy", "attr", "attrs", "math", "typing", "functools", "itertools", "operator"})
"""Packages whose names are not assigned again."""
_FRAME_READERS = frozenset({"locals", "globals", "vars", "dir", "eval", "exec", "super"})


class CallInstead(Exception):  # noqa: N818 - it says that another way is taken, not that something is wrong
    """Raised while writing, when a function has to be called as it stands."""


class Record(ast.expr):
    """An expression for a record that is not made unless something needs it whole: its class, and where its fields are."""

    def __init__(self, kind: type, parts: Mapping[str, ast.expr]) -> None:
        super().__init__()
        self.kind, self.parts = kind, parts


@frozen(eq=False)
class Place:
    """Where in the network a line comes from, for the notes on errors."""

    steps: tuple[tuple[int, str], ...]
    """The index and the name of the layer, of the chain around it, and so on outwards."""
    given: str
    """The variable that the layer was given."""


@frozen(eq=False)
class Writer:
    """Collects the statements of one function."""

    statements: list[tuple[ast.stmt, Place | None]] = field(factory=list, init=False)
    values: dict[str, object] = field(factory=dict, init=False)
    """What the names stand for that are not local."""
    types: dict[str, type] = field(factory=dict, init=False)
    """Local names of which the exact type is known."""
    facts: dict[str, object] = field(factory=dict, init=False)
    """Expressions of which the value is known."""
    changing: set[str] = field(factory=set, init=False)
    """Local names that are assigned more than once."""
    watched: dict[tuple[int, str], tuple[dict[str, Any], object]] = field(factory=dict, init=False)
    """What names of other modules stood for when they were looked up, with the module's names."""
    samples: Samples = field(init=False, default=Factory(lambda self: Samples(self.values), takes_self=True))
    """What is known of local names beyond their type."""
    _names: dict[int, str] = field(factory=dict, init=False)
    _numbers: Iterator[int] = field(factory=count, init=False)
    _places: list[Place] = field(factory=list, init=False)

    # Names and statements.

    def fresh(self, hint: str) -> str:
        """Return an unused name."""
        return f"{hint}_{next(self._numbers)}"

    def constant(self, value: object, hint: str = "constant") -> ast.expr:
        """Return an expression for a value that is known now."""
        if value is None or type(value) in (bool, int, str):
            return ast.Constant(cast(Any, value))  # Any: the types of this line, which typeshed wants one by one
        return self.held(value, hint)

    def held(self, value: object, hint: str = "constant") -> ast.Name:
        """Return the name of a value, this very object."""
        if id(value) not in self._names:
            hint = getattr(value, "__name__", hint)
            name = self._names[id(value)] = self.fresh(hint if hint.isidentifier() else "function")
            self.values[name] = value
        return load(self._names[id(value)])

    def known(self, expression: ast.expr) -> object:
        """Return the value of an expression that :meth:`constant` made, or None."""
        return self.values.get(expression.id) if isinstance(expression, ast.Name) else None

    def look_up(self, names: dict[str, Any], name: str) -> object:
        """Return what a name of a module stands for; if it may be assigned again, that is watched."""
        value = names[name]
        if str(names.get("__name__")).partition(".")[0] not in _SETTLED:
            self.watched[id(names), name] = names, value
        return value

    def attribute(self, owner: object, name: str) -> object:
        """Return an attribute of a known value, or UNKNOWN if it may change in a way that is not watched."""
        if isinstance(owner, ModuleType) and owner.__name__.partition(".")[0] not in _SETTLED:
            return self.look_up(vars(owner), name) if name in vars(owner) else UNKNOWN
        return attribute_known(owner, name)

    def emit(self, statement: ast.stmt, *, placed: bool = True) -> None:
        """Write a statement, which belongs to the place that was entered last unless it is not placed."""
        statement = _MakeRecords(self).visit(copy(statement))  # a copy: of an attempt that is taken back nothing remains
        self.statements.append((statement, self._places[-1] if self._places and placed else None))
        self.samples.note(statement)

    def assign(self, name: str, value: ast.expr) -> ast.Name:
        """Write an assignment."""
        self.emit(ast.Assign([ast.Name(name, ast.Store())], value))
        return load(name)

    def enter(self, place: Place) -> None:
        """Begin what belongs to a place."""
        self._places.append(place)

    def leave(self) -> None:
        """End what belongs to the last place entered."""
        self._places.pop()

    def attempt(self, write: Callable[[], T]) -> T | None:
        """Call a function that writes; take everything back and return None when it finds that something must be called."""
        mark = len(self.statements)
        try:
            return write()
        except CallInstead:
            del self.statements[mark:]
            return None

    # Values.

    def local(self, hint: str, value: ast.expr) -> ast.Name:
        """Write what puts a value into a variable, and return that."""
        value = self.inlined(value)
        return value if isinstance(value, ast.Name) else self.assign(self.fresh(hint), value)

    def simple(self, hint: str, value: ast.expr) -> ast.expr:
        """Write what it takes to have a value in a simple expression, and return that."""
        value = self.inlined(value)
        return value if is_simple(value) else self.assign(self.fresh(hint), value)

    def made(self, value: ast.expr, hint: str = "value") -> ast.expr:
        """Return the record that an expression makes, its fields in simple expressions, or else what :meth:`simple` does."""
        value = self.inlined(value)
        kind = self.kind_made(value)
        if isinstance(value, ast.Call) and kind is not None:
            names = {attribute.alias: attribute.name for attribute in attrs.fields(kind)}
            given = {**dict(zip(names, value.args, strict=False)), **(by_keyword(value.keywords) or {})}
            if set(given) == set(names) and not any(isinstance(arg, ast.Starred) for arg in value.args):
                return Record(kind, {names[alias]: self.made(part, alias) for alias, part in given.items()})
        if isinstance(value, ast.Tuple) and not any(isinstance(part, ast.Starred) for part in value.elts):
            return ast.Tuple([self.made(part) for part in value.elts], ast.Load())
        return self.simple(hint, value)

    def kind_made(self, value: ast.expr) -> type | None:
        """Return the class of which an expression makes a record."""
        kind = self.known(value.func) if isinstance(value, ast.Call) else None
        return kind if isinstance(kind, type) and is_plain(kind) else None

    def inlined(self, value: ast.expr) -> ast.expr:
        """Return an expression of the value; when it is a call of a function that can be written out, after doing that."""
        named = by_keyword(value.keywords) if isinstance(value, ast.Call) else None
        if isinstance(value, ast.Call) and named is not None:
            function, args, keywords = self.known(value.func), value.args, named
            return self.attempt(lambda: self.inline(function, args, keywords)) or value
        return value

    # Functions.

    def inline(self, function: object, args: Sequence[ast.expr], named: Bindings) -> ast.expr:
        """Write the body of a function of these arguments, and return what it returns; or raise CallInstead."""
        inner, bound, bound_named = unwrap(function)
        definition = read(inner)
        given = [*(self.constant(value) for value in bound), *args]
        if definition is None or len(given) > len(definition.parameters) or any(isinstance(arg, ast.Starred) for arg in given):
            raise CallInstead
        bindings = dict(zip(definition.parameters, given, strict=False))
        bindings.update({name: self.constant(value) for name, value in bound_named.items()})
        bindings.update(named)
        for name, value in definition.defaults.items():
            bindings.setdefault(name, self.constant(value))
        if set(bindings) != set(definition.parameters):
            raise CallInstead
        for name, value in bindings.items():
            bindings[name] = self.simple(name, value)
        for name, stores in definition.stores.items():
            own = self.fresh(name)
            if name in bindings:
                self.assign(own, bindings[name])
            if stores > 1 or name in bindings:
                self.changing.add(own)
            bindings[name] = load(own)
        return self._body(definition, bindings)

    def _body(self, definition: Definition, bindings: dict[str, ast.expr]) -> ast.expr:
        translate = Translate(self, definition.names, bindings)
        waiting = list(definition.body)
        while waiting:
            statement = waiting.pop(0)
            if isinstance(statement, ast.If):
                test = translate.truth(statement.test)
                if test is not UNKNOWN:
                    waiting = [*(statement.body if test else statement.orelse), *waiting]
                    continue
                if has_return([statement]):
                    raise CallInstead
            match statement:
                case ast.Return(value=value):
                    return ast.Constant(None) if value is None else self.inlined(translate.expression(value))
                case ast.Expr(value=value):
                    value = self.inlined(translate.expression(value))
                    if not is_simple(value):
                        self.emit(ast.Expr(value))
                case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._store(translate, bindings, target, self.inlined(translate.expression(value)))
                case ast.AnnAssign():
                    pass
                case _:
                    self.emit(translate.statement(statement))
        return ast.Constant(None)

    def _store(self, translate: Translate, bindings: dict[str, ast.expr], target: ast.expr, value: ast.expr) -> None:
        """Write an assignment; a record is kept in mind instead, if its name is not assigned again."""
        own = translate.expression(target)
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            pairs = list(zip(target.elts, value.elts, strict=True))
            starred = any(isinstance(part, ast.Starred) for pair in pairs for part in pair)
            if not starred and not names_in(own) & names_in(value):
                for part, part_value in pairs:
                    self._store(translate, bindings, part, self.inlined(part_value))
                return
        if isinstance(target, ast.Name) and isinstance(own, ast.Name) and own.id not in self.changing and self.kind_made(value):
            made = self.made(value)
            if isinstance(made, Record):
                bindings[target.id] = self._settled(made)
                return
            value = made
        self.emit(ast.Assign([own], value))

    def _settled(self, record: Record) -> Record:
        """Return a record none of whose fields is in a variable that is yet to be assigned again."""
        parts = dict(record.parts)
        for name, part in parts.items():
            if isinstance(part, Record):
                parts[name] = self._settled(part)
            elif names_in(part) & self.changing:
                parts[name] = self.assign(self.fresh(name), part)
        return Record(record.kind, parts)


class _MakeRecords(ast.NodeTransformer):
    """Puts variables in the place of records: the statement at hand needs them whole."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def visit_Record(self, node: Record) -> ast.expr:
        parts = [node.parts[attribute.name] for attribute in attrs.fields(node.kind)]
        name = self.writer.fresh(node.kind.__name__.lower())
        return self.writer.assign(name, ast.Call(self.writer.constant(node.kind), parts, []))


class Translate(ast.NodeTransformer):
    """Puts the syntax of one function in terms of a writer's names."""

    def __init__(self, writer: Writer, names: dict[str, Any], bindings: Bindings) -> None:
        self.writer, self.names, self.bindings = writer, names, bindings

    def expression(self, node: ast.expr) -> ast.expr:
        """Return an expression in the writer's names."""
        return cast(ast.expr, self.visit(copy(node)))

    def statement(self, node: ast.stmt) -> ast.stmt:
        """Return a statement in the writer's names."""
        return cast(ast.stmt, self.visit(copy(node)))

    # What is known before anything runs.

    def evaluate(self, node: ast.expr) -> object:
        """Return the value of an expression where it is known, or UNKNOWN."""
        value = self._evaluate(node)
        if value is UNKNOWN and self.writer.samples.known:
            try:
                return self.writer.samples.fact(self.expression(node))
            except CallInstead:
                return UNKNOWN
        return value

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
                    return self.writer.attribute(owner, name)
                return self.writer.facts.get(f"{ast.unparse(self.expression(owner_node))}.{name}", UNKNOWN)
            case ast.Call(func=ast.Name(id="isinstance"), args=[value_node, kind_node], keywords=[]):
                kind, base = self.kind(value_node), self.evaluate(kind_node)
                return issubclass(kind, base) if isinstance(kind, type) and isinstance(base, type) else UNKNOWN
            case ast.Call(func=function, args=args, keywords=[]):
                definition = read(self.evaluate(function))
                if definition is None or len(args) != len(definition.parameters):
                    return UNKNOWN
                given = [self.expression(arg) for arg in args]
                if not all(is_simple(arg) for arg in given):
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
        match body:
            case [ast.Return(value=ast.expr() as value), *_]:
                return self.evaluate(value)
            case [ast.If(test=test, body=then, orelse=otherwise), *rest]:
                known = self.truth(test)
                return UNKNOWN if known is UNKNOWN else self.outcome([*(then if known else otherwise), *rest])
        return UNKNOWN

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
            return self.writer.constant(self.writer.look_up(self.names, node.id), node.id)
        if node.id in _FRAME_READERS:
            raise CallInstead
        return node  # a built-in

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Return a field of a record, or a value of a module."""
        node = cast(ast.Attribute, self.generic_visit(node))
        if isinstance(node.value, Record) and node.attr in node.value.parts:
            return node.value.parts[node.attr]
        value = self.writer.attribute(self.writer.known(node.value), node.attr)
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
        match definition.body:
            case (ast.Return(value=ast.expr() as returned),) if set(bindings) == set(definition.parameters):
                uses = [part.id for part in ast.walk(returned) if isinstance(part, ast.Name)]
                costly = [name for name, value in bindings.items() if not is_simple(value)]
                once = len(costly) == 1 and uses.count(costly[0]) == 1 and not has_branches(returned)
                if not costly or once:
                    translate = Translate(self.writer, definition.names, bindings)
                    return self.writer.attempt(lambda: translate.expression(returned)) or node
        return node


# ----------------------------------------------------------------------------------------------------------------- syntax


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


def is_immutable(value: object) -> bool:
    """Tell whether a value is known, and is and remains true or false, in or not in another, equal or not equal to another."""
    if isinstance(value, (tuple, frozenset)):
        return all(is_immutable(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str, type, FunctionType, ModuleType, np.dtype, np.generic))
