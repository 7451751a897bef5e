"""Writing the bodies of functions into one another.

What can be written out is a function whose body runs straight through: assignments, expressions, ``if`` without ``return``
inside, ``raise``, and one ``return`` at the end.  Anything else (a loop, a ``with``, a comprehension) is called as it stands.
Three things make the result shorter than its parts:

- a test whose outcome is known beforehand, such as ``isinstance(mode, Train)``, is left out with the branch that is not taken;
- a record that is made in one function and taken apart in another becomes a few variables;
- what a global name stands for is looked up when the function is written.

All this is done with the library's own functions alone (:func:`funcnn.compile.source.is_own`), and what decides is never a number
that was computed: the rest is called, and read, where and when the plain code does so.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, TypeVar, cast

import attrs
from attrs import Factory, field, frozen

from funcnn.compile.samples import UNKNOWN, Samples
from funcnn.compile.source import Definition, has_return, is_plain, may_run_foreign_code, read, unwrap
from funcnn.compile.syntax import CallInstead, Record, by_keyword, copy, is_simple, load, names_in
from funcnn.compile.translate import Bindings, Translate

T = TypeVar("T")


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
    samples: Samples = field(init=False, default=Factory(lambda self: Samples(self.values), takes_self=True))
    """What is known of local names beyond their type."""
    rare: list[ast.stmt] = field(factory=list, init=False)
    """What to do instead of going on where a function returns early in a case that is rare, if that is known."""
    where_complex: list[ast.stmt] = field(factory=list, init=False)
    """What to do instead where numbers are complex: where derivatives move them by an imaginary step, the layers are called."""
    _names: dict[int, str] = field(factory=dict, init=False)
    _numbers: Iterator[int] = field(factory=count, init=False)
    _places: list[Place] = field(factory=list, init=False)

    # Names and statements.

    def fresh(self, hint: str) -> str:
        """Return an unused name."""
        return f"{hint}_{next(self._numbers)}"

    def constant(self, value: object, hint: str = "constant") -> ast.expr:
        """Return an expression for a value that is known now, and that the statements may use in any way."""
        if value is None or type(value) in (bool, int, str):
            return ast.Constant(cast(Any, value))  # Any: the types of this line, which typeshed wants one by one
        if may_run_foreign_code(value):
            self.samples.give_up()
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
        mark, usable = len(self.statements), self.samples.usable
        try:
            return write()
        except CallInstead:
            del self.statements[mark:]
            self.samples.usable = usable  # what made samples give up is not called from here after all
            return None

    # Values.

    def local(self, hint: str, value: ast.expr) -> ast.Name:
        """Write what puts a value into a variable, and return that."""
        value = self.inlined(value)
        return value if isinstance(value, ast.Name) else self.assign(self.fresh(hint), value)

    def simple(self, hint: str, value: ast.expr) -> ast.expr:
        """Write what it takes to have a value in a simple expression, and return that."""
        value = self.inlined(value)
        return value if self.is_simple(value) else self.assign(self.fresh(hint), value)

    def is_simple(self, value: ast.expr) -> bool:
        """Tell whether an expression may be written several times, and later: also a field of a record that cannot change."""
        if isinstance(value, ast.Tuple):
            return all(map(self.is_simple, value.elts))
        return is_simple(value) or (isinstance(value, ast.Attribute) and self.samples.has_field(value))

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
        if isinstance(value, ast.Call):
            value.args = self._spread(value.args)
        if isinstance(value, ast.Call) and named is not None:
            function, args, keywords = self.known(value.func), value.args, named
            return self.attempt(lambda: self.inline(function, args, keywords)) or value
        return value

    def _spread(self, args: list[ast.expr]) -> list[ast.expr]:
        """Return arguments of which the last one, ``*`` of a call, is written out, where that gives a tuple."""
        if args and isinstance(args[-1], ast.Starred) and isinstance(args[-1].value, ast.Call) and all(map(is_simple, args[:-1])):
            last = self.made(args[-1].value)
            return [*args[:-1], *(last.elts if isinstance(last, ast.Tuple) else [ast.Starred(last, ast.Load())])]
        return args

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
                    self._leave_to_plain(translate, statement)
                    continue
            match statement:
                case ast.Return(value=value):
                    return ast.Constant(None) if value is None else self.inlined(translate.expression(value))
                case ast.Expr(value=value):
                    value = self.inlined(translate.expression(value))
                    if not self.is_simple(value):
                        self.emit(ast.Expr(value))
                case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                    self._store(translate, bindings, target, self.inlined(translate.expression(value)))
                case ast.AnnAssign():
                    pass
                case _:
                    self.emit(translate.statement(statement))
        return ast.Constant(None)

    def _leave_to_plain(self, translate: Translate, statement: ast.If) -> None:
        """Write, in the place of an early return, what hands over to the plain code; or raise CallInstead.

        That begins anew, so nothing may have been called that is not the library's.
        """
        whole = len(statement.body) == 1 and isinstance(statement.body[0], ast.Return) and not statement.orelse
        asked = for_complex(statement.test)
        test, instead = (statement.test, self.rare) if asked is None else (asked, self.where_complex)
        if not whole or not instead or not self.samples.usable:
            raise CallInstead
        self.emit(ast.If(translate.expression(test), copy(instead), []))

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
        if (
            isinstance(target, ast.Name)
            and isinstance(own, ast.Name)
            and own.id not in self.changing
            and type(value) is ast.Tuple
        ):
            made = self.made(value)
            if isinstance(made, ast.Tuple) and self.is_simple(made):
                bindings[target.id] = self._settled(made)
                return
            value = made
        self.emit(ast.Assign([own], value))

    def _settled(self, value: ast.expr) -> ast.expr:
        """Return a record or a tuple none of whose parts is in a variable that is yet to be assigned again."""
        if isinstance(value, Record):
            return Record(value.kind, {name: self._settled(part) for name, part in value.parts.items()})
        if isinstance(value, ast.Tuple):
            return ast.Tuple([self._settled(part) for part in value.elts], ast.Load())
        return self.assign(self.fresh("part"), value) if names_in(value) & self.changing else value


class _MakeRecords(ast.NodeTransformer):
    """Puts variables in the place of records: the statement at hand needs them whole."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def visit_Record(self, node: Record) -> ast.expr:
        parts = [node.parts[attribute.name] for attribute in attrs.fields(node.kind)]
        name = self.writer.fresh(node.kind.__name__.lower())
        return self.writer.assign(name, ast.Call(self.writer.constant(node.kind), parts, []))


def for_complex(test: ast.expr) -> ast.expr | None:
    """Return the part of a condition that asks whether numbers are complex, ``x.dtype.kind == "c"``, if that comes first."""
    first = test.values[0] if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else test
    return first if ast.unparse(first).endswith(".dtype.kind == 'c'") else None
