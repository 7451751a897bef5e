"""From a function to its syntax."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections import Counter
from collections.abc import Mapping
from functools import _lru_cache_wrapper, lru_cache, partial
from types import BuiltinFunctionType, CodeType, FunctionType, GenericAlias, ModuleType
from typing import Any

import attrs
import numpy as np
from attrs import frozen

from funcnn.layer import Chain, Eval, Layer, Train

OWN = ("funcnn",)
"""Packages whose functions are written out.  Of these it is known that they read nothing that others change, and that they change
nothing but arrays which they have made; of a function of somebody else's no look at its source could prove that."""

SETTLED = frozenset({"funcnn", "numpy", "attr", "attrs", "math", "typing", "functools", "itertools", "operator"})
"""Packages whose names stand for the same as long as the process lives."""


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


def is_own(function: FunctionType) -> bool:
    """Tell whether a function is what a module of the library has under the function's name: not replaced, not one of a class."""
    name = function.__globals__.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return (
        str(name).partition(".")[0] in OWN
        and isinstance(module, ModuleType)
        and vars(module) is function.__globals__
        and vars(module).get(function.__name__) is function
    )


def is_settled(module: ModuleType) -> bool:
    """Tell whether the names of a module are not assigned again."""
    return module.__name__.partition(".")[0] in SETTLED and sys.modules.get(module.__name__) is module


@lru_cache(maxsize=1024)
def _is_own_class(kind: type) -> bool:
    fields = attrs.fields(kind) if attrs.has(kind) else ()
    return (
        kind.__setattr__.__name__ == "_frozen_setattrs"
        and not any(hasattr(kind, hook) for hook in ("__attrs_pre_init__", "__attrs_post_init__", "__attrs_init__"))
        and all(one.init and not one.kw_only and not one.converter and not one.validator for one in fields)
    )


def is_plain(kind: type) -> bool:
    """Tell whether a class is a frozen attrs class of the library that holds just what it is given."""
    module = sys.modules.get(kind.__module__)
    own = kind.__module__.partition(".")[0] in OWN and module is not None and vars(module).get(kind.__name__) is kind
    return own and attrs.has(kind) and _is_own_class(kind)  # what is remembered lives as long as its module


def _is_of_numpy(value: object) -> bool:
    """Tell whether a value is one of NumPy's own functions."""
    name = getattr(value, "__name__", None)
    return type(value).__module__ == "numpy" and isinstance(name, str) and getattr(np, name, None) is value


def may_run_foreign_code(value: object) -> bool:
    """Tell whether a value is, or holds, anything but data, and functions and classes of the library and of settled modules."""
    match value:
        case tuple() | frozenset():
            return type(value) not in (tuple, frozenset) or any(map(may_run_foreign_code, value))
        case partial(func=function, args=args, keywords=keywords):
            return any(map(may_run_foreign_code, (function, *args, *keywords.values())))
        case FunctionType() | type():
            return value.__module__.partition(".")[0] not in {*SETTLED, *OWN, "builtins"}
        case Layer():
            return type(value) not in (Layer, Chain) or may_run_foreign_code((value.forward, value.backward))
        case np.ufunc():
            return not _is_of_numpy(value)  # such as np.frompyfunc makes
        case GenericAlias():  # what casts name
            return False
        case np.ndarray() | np.generic() | np.dtype() | complex() | float() | int() | str() | None:
            return type(value).__module__ not in ("numpy", "builtins") and not isinstance(value, np.dtype)
        case ModuleType():
            return not is_settled(value)
        case BuiltinFunctionType() | _lru_cache_wrapper():
            return str(value.__module__).partition(".")[0] not in {*SETTLED, *OWN, "builtins", "None"}
    if type(value) in (object, Eval, Train) or type(value).__module__ == "typing" or _is_of_numpy(value):
        return False
    kind: Any = type(value)  # Any: attrs types its classes apart from others
    return not is_plain(kind) or any(may_run_foreign_code(getattr(value, one.name)) for one in attrs.fields(kind))


def read(function: object) -> Definition | None:
    """Return the definition of a function of the library; None for any other, or when its body cannot be put elsewhere.

    The latter is so for closures, generators, decorated functions, and those that take ``*args`` or ``**keywords``.
    """
    if not isinstance(function, FunctionType) or function.__closure__ or function.__code__.co_flags & _SUSPENDING:
        return None
    return _read(function, function.__code__) if is_own(function) else None  # what is remembered lives as long as its module


@lru_cache(maxsize=4096)
def _read(function: FunctionType, code: CodeType) -> Definition | None:
    found = definitions(code.co_filename).get(code)
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
