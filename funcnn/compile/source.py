"""From a function to its syntax."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache, partial
from types import CodeType, FunctionType
from typing import Any

from attrs import frozen


@frozen(eq=False)
class Definition:
    """A function's parameters and body."""

    names: dict[str, Any]  # Any: of all types
    """What its global names stand for."""
    parameters: tuple[str, ...]
    defaults: Mapping[str, object]
    body: tuple[ast.stmt, ...]
    stores: Mapping[str, int]
    """The local names that are assigned, and in how many places."""


def read(function: object) -> Definition | None:
    """Return the definition of a function; None when its source is not at hand or its body cannot be put elsewhere.

    The latter is so for closures, generators, decorated functions, and those that take ``*args`` or ``**keywords``.
    """
    if not isinstance(function, FunctionType) or function.__closure__ or function.__code__.co_flags & _SUSPENDING:
        return None  # not remembered: a closure may hold large arrays
    return _read(function)


@lru_cache(maxsize=4096)
def _read(function: FunctionType) -> Definition | None:
    found = definitions(function.__code__.co_filename).get(function.__code__)
    if found is None or found.decorator_list:
        return None
    arguments = found.args
    if arguments.vararg or arguments.kwarg or arguments.posonlyargs:
        return None
    body = found.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):  # the docstring
        body = body[1:]
    positional = [argument.arg for argument in arguments.args]
    defaults = dict(zip(reversed(positional), reversed(function.__defaults__ or ()), strict=False))
    names = [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return Definition(
        function.__globals__,
        (*positional, *(argument.arg for argument in arguments.kwonlyargs)),
        {**defaults, **(function.__kwdefaults__ or {})},
        tuple(straightened(body)),
        Counter(name.id for name in names if isinstance(name.ctx, ast.Store)),
    )


_SUSPENDING = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


@lru_cache(maxsize=1024)
def definitions(filename: str) -> dict[CodeType, ast.FunctionDef]:
    """Return the functions of a file by the code that they compile to.

    Looked up by its code, a function is found only if the file still says what it said when the function was made.
    """
    source = "".join(linecache.getlines(filename))
    try:
        module = ast.parse(source)
        codes = [compile(module, filename, "exec", dont_inherit=True)]
    except (SyntaxError, ValueError):
        return {}
    by_line = {node.lineno: node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
    found: dict[CodeType, ast.FunctionDef] = {}
    while codes:
        inner = [constant for constant in codes.pop().co_consts if isinstance(constant, CodeType)]
        for code in inner:
            node = by_line.get(code.co_firstlineno)
            if node is not None and node.name == code.co_name:  # not a lambda on its line
                found[code] = node
        codes += inner
    return found


def straightened(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return statements that do the same and return only at their end, in the cases that are common in short functions."""
    match body:
        case [ast.If(test=test, body=[ast.Return(value=None)], orelse=[]), *rest] if rest and not has_return(rest):
            return [ast.If(ast.UnaryOp(ast.Not(), test), rest, [])]
        case [ast.If(test=test, body=[ast.Return(value=ast.expr() as one)], orelse=[]), ast.Return(value=ast.expr() as other)]:
            return [ast.Return(ast.IfExp(test, one, other))]
        case [ast.Assign(targets=[ast.Name(id=name)], value=value), ast.Return(value=ast.Name(id=returned))] if name == returned:
            return [ast.Return(value)]
        case [ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value), ast.Return(value=ast.Name(id=returned))]:
            return [ast.Return(value)] if name == returned else body
    return body


def has_return(statements: list[ast.stmt]) -> bool:
    """Tell whether a function may end in these statements."""
    return any(isinstance(node, ast.Return) for statement in statements for node in ast.walk(statement))


def unwrap(function: object) -> tuple[object, list[object], dict[str, object]]:
    """Return the function inside of partials, with the arguments that they bind."""
    if isinstance(function, partial):
        inner, args, keywords = unwrap(function.func)
        return inner, [*args, *function.args], {**keywords, **function.keywords}
    return function, [], {}
