"""All mutants of one function."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from attrs import frozen

from tests.mutants import arithmetic, arrays, steps
from tests.mutants.source import TICK, Place, Source, parse, places, shown, statements

Operator = Callable[[ast.AST, Source], Iterator[ast.AST]]

OPERATORS: tuple[Operator, ...] = (
    arithmetic.operators,
    arithmetic.terms,
    arithmetic.signs,
    arithmetic.scales,
    arithmetic.comparisons,
    arithmetic.conditions,
    arrays.transposes,
    arrays.calls,
    arrays.orders,
    steps.constants,
    steps.indices,
    steps.statements,
)
_TURNS = 10_000


@frozen(eq=False)
class Mutation:
    """One change of one function."""

    line: int
    statement: int
    """Which statement of the function it changes, from 1 on; 0 for its head."""
    operator: str
    before: str
    """That statement, on one line."""
    after: str
    code: CodeType

    def build(self, original: FunctionType, namespace: dict[str, Any]) -> FunctionType:
        """Return the changed function, which looks its names up in a namespace."""
        made = FunctionType(self.code, namespace, original.__name__, original.__defaults__)
        made.__kwdefaults__, made.__qualname__ = original.__kwdefaults__, original.__qualname__
        return made


class TooManyTurns(Exception):  # noqa: N818  (no error of a user's)
    """A loop of a mutant that does not end."""


class Tick:
    """Count the turns of a mutant's ``while`` loops."""

    def __init__(self) -> None:
        self.turns = 0

    def __call__(self) -> None:
        """Raise when there are too many."""
        self.turns += 1
        if self.turns > _TURNS:
            raise TooManyTurns


def mutations(function: Callable[..., Any]) -> Iterator[Mutation]:
    """Yield the mutants of a function, each once, in the order of its lines."""
    source = parse(function)
    numbers = {id(one): number for number, one in enumerate(statements(source.tree))}
    _count_turns(source.tree)
    known = {compiled(source).co_code + repr(_contents(compiled(source))).encode()}
    for place in list(places(source)):
        for operator in OPERATORS:
            for wrong in operator(place.node, source):
                made = _mutation(source, place, numbers[id(place.statement)], operator.__name__, wrong)
                if made is None:
                    continue
                seen = made.code.co_code + repr(_contents(made.code)).encode()
                if seen not in known:
                    known.add(seen)
                    yield made


def _mutation(source: Source, place: Place, statement: int, operator: str, wrong: ast.AST) -> Mutation | None:
    """Return one mutant, and leave the tree as it was; None where the change cannot be compiled."""
    before = shown(place.statement)
    place.put(ast.copy_location(wrong, place.node))
    try:
        ast.fix_missing_locations(source.tree)
        code = compiled(source)
        after = shown(wrong if isinstance(wrong, ast.stmt) else place.statement)
    except (SyntaxError, ValueError, TypeError):
        return None
    finally:
        place.put(place.node)
    return Mutation(place.statement.lineno, statement, operator, before, after, code)


def compiled(source: Source) -> CodeType:
    """Return the code of the function, as its tree is now."""
    module = compile(ast.Module([source.tree], []), source.path, "exec")
    return next(one for one in module.co_consts if isinstance(one, CodeType))


def _contents(code: CodeType) -> tuple[Any, ...]:
    """Return what the code's numbers stand for: constants and names, without line numbers."""
    constants = tuple((one.co_code, _contents(one)) if isinstance(one, CodeType) else one for one in code.co_consts)
    return constants, code.co_names, code.co_varnames


def _count_turns(tree: ast.FunctionDef) -> None:
    """Let every ``while`` loop count its turns, so that a mutant ends."""
    for node in ast.walk(tree):
        if isinstance(node, ast.While):
            tick = ast.Expr(ast.Call(ast.Name(TICK, ast.Load()), [], []))
            node.body.insert(0, ast.copy_location(tick, node))
    ast.fix_missing_locations(tree)
