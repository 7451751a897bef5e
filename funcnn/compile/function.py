"""From statements to a function of Python, which frees variables early and tells of errors as the layers themselves do.

The statements stand in one ``try``, each on a line of its own: ::

    def run(params, state, x):
        try:
            p_0, p_1 = params
            ...
        except Exception as error:
            note(error)
            raise

The number of the line on which an error is raised tells which layer it came from (:func:`note`).
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any, TypeAlias

from funcnn.compile.conditions import Function
from funcnn.compile.writer import Place, Writer
from funcnn.errors import add_step

Placed: TypeAlias = "tuple[ast.stmt, Place | None]"
"""A statement, and where in the network it comes from."""

_NUMBERS = count()  # for the names of the functions in tracebacks, nothing else


def finish(writer: Writer, title: str, arguments: tuple[str, ...]) -> Function:
    """Return the function of what was written."""
    filename = f"<{title} {next(_NUMBERS)}>"
    statements = freeing(writer.statements)
    lines, places = numbered(statements)
    module = ast.parse(f"def run({', '.join(arguments)}):\n try: pass\n except Exception as error: note(error); raise")
    match module.body:
        case [ast.FunctionDef(body=[ast.Try() as attempt])]:
            attempt.body = [statement for statement, _ in statements]
    namespace: dict[str, Any] = {**writer.values, "note": partial(note, places, filename, lines)}
    exec(compile(module, filename, "exec"), namespace)
    function: Function = namespace["run"]
    return function


def numbered(statements: list[Placed]) -> tuple[list[ast.stmt], dict[int, Place]]:
    """Put each statement, and each inside of it, on the line of its own number; return them, and the places of their lines."""
    lines: list[ast.stmt] = []
    places: dict[int, Place] = {}
    for statement, place in statements:
        for part in with_inner(statement):  # the outer ones first
            lines.append(part)
            for node in ast.walk(part):
                if isinstance(node, (ast.stmt, ast.expr, ast.keyword)):  # what is compiled has a line
                    node.lineno = node.end_lineno = len(lines)
                    node.col_offset = node.end_col_offset = 0
            if place is not None:
                places[len(lines)] = place
    return lines, places


def with_inner(statement: ast.stmt) -> Iterator[ast.stmt]:
    """Yield a statement and those inside it."""
    yield statement
    if isinstance(statement, ast.If):
        for inner in (*statement.body, *statement.orelse):
            yield from with_inner(inner)


def freeing(statements: list[Placed]) -> list[Placed]:
    """Return the statements with variables deleted after their last use: no array lives longer than in calls of layers."""
    statements = without_idle(statements)
    ends = last_uses(statements)
    result: list[Placed] = []
    for index, (statement, place) in enumerate(statements):
        result.append((statement, place))
        if index in ends and not isinstance(statement, ast.Return):
            result.append((ast.Delete([ast.Name(name, ast.Del()) for name in ends[index]]), place))
    return result


def last_uses(statements: list[Placed]) -> dict[int, list[str]]:
    """Return the variables that were made here, in alphabetic order, by the index of the statement that uses them last."""
    made: set[str] = set()
    last: dict[str, int] = {}
    for index, (statement, place) in enumerate(statements):
        for name in names_in(statement):
            last[name.id] = index
            if isinstance(name.ctx, ast.Store) and isinstance(statement, ast.Assign):
                made.add(name.id)
        if place is not None:
            last[place.given] = index  # an error's note describes what the layer was given
    ends: dict[int, list[str]] = {}
    for one in sorted(made):
        ends.setdefault(last[one], []).append(one)
    return ends


def without_idle(statements: list[Placed]) -> list[Placed]:
    """Return the statements but for those that only give parts of a tuple names that are not used."""
    used = {name.id for statement, _ in statements for name in names_in(statement) if isinstance(name.ctx, ast.Load)}
    return [one for one in statements if not is_idle(one[0], used)]


def names_in(statement: ast.stmt) -> list[ast.Name]:
    """Return all names of a statement, as often as they stand there."""
    return [node for node in ast.walk(statement) if isinstance(node, ast.Name)]


def is_idle(statement: ast.stmt, used: set[str]) -> bool:
    """Tell whether a statement only gives parts of a tuple names that are not used."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Name()):
            return all(isinstance(target, ast.Name) and target.id not in used for target in targets)
    return False


def note(places: dict[int, Place], filename: str, lines: list[ast.stmt], error: Exception) -> None:
    """Give an error the note of the layer where it happened, and its traceback the lines of the function."""
    text = [ast.unparse(line).splitlines()[0] + "\n" for line in lines]
    linecache.cache[filename] = (0, None, text, filename)
    trace = error.__traceback__
    if trace is not None and trace.tb_lineno in places:
        place = places[trace.tb_lineno]
        given = trace.tb_frame.f_locals.get(place.given)
        for index, name in place.steps:
            add_step(error, index, name, given)
