"""Which functions a backward is made of.

The functions are found by the names that their sources read: those of the module, and those that were bound to the backward, as
arguments or as fields of records that it reads.  The layers inside a combinator are not followed: they have cases of their own.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache, partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

import attrs
import numpy as np

from funcnn.layer import Layer
from tests.mutants.source import parse

Gradient = Callable[..., Any]

_FOREIGN = (
    *(
        "tree",
        "layer",
        "errors",
        "typing",
        "key",
        "masked",
        "initializers",
        "compile",
        "check",
        "train",
        "optim",
        "runtime",
        "files",
    ),
    *("losses.checks", "losses.loss", "losses.weighted", "combinators.cotangents", "certificate"),
)
"""Modules that compute no gradients: structure, checks of arguments, random numbers, threads."""
_OURS = ("optim.penalties",)


def plain(value: Any) -> Any:
    """Return the function behind a cache."""
    while hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    return value


def is_ours(value: Any) -> bool:
    """Tell whether something is a function of the library that may compute a part of a gradient.

    Functions whose results are cached are tables of constants, which gradients share with values: they are not.
    """
    function = value
    if not isinstance(function, FunctionType) or function.__name__.startswith(("check_", "refuse_", "describe_", "<")):
        return False
    name = function.__module__ or ""
    return (
        name.startswith("funcnn.")
        and (name.removeprefix("funcnn.") in _OURS or not any(is_in(name, one) for one in _FOREIGN))
        and is_written(function)
    )


def is_in(name: str, room: str) -> bool:
    """Tell whether a module is one of the package, or stands in that room."""
    return name == f"funcnn.{room}" or name.startswith(f"funcnn.{room}.")


def is_written(function: FunctionType) -> bool:
    """Tell whether a function stands in a module, so that it can be changed and put in its own place."""
    module = inspect.getmodule(function)
    return not function.__closure__ and plain(getattr(module, function.__name__, None)) is function


@cache
def reads(function: FunctionType) -> tuple[dict[str, FunctionType], frozenset[str]]:
    """Return the functions that a function calls, by the name under which it reads them, and the attributes that it reads."""
    source, found, attributes = parse(function), {}, set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute):
            attributes.add(node.attr)
        if isinstance(node, (ast.Name, ast.Attribute)):
            value = source.resolve(node)
            if is_ours(value):
                found[ast.unparse(node)] = value
    return found, frozenset(attributes)


def roots(gradient: Any, attributes: frozenset[str] | None = None) -> Iterator[FunctionType]:
    """Yield the functions that a gradient is bound to: its own first, then those among its arguments."""
    value = plain(gradient)
    if isinstance(value, MethodType):
        yield from _methods(value)
    elif isinstance(value, FunctionType):
        if attributes is None or is_ours(value):
            yield value
    elif isinstance(value, partial):
        yield from roots(value.func, attributes)
        inside = attributes
        if attributes is None and isinstance(plain(value.func), FunctionType):
            inside = frozenset().union(*(reads(one)[1] for one in reached([plain(value.func)])))
        for bound in (*value.args, *value.keywords.values()):
            yield from roots(bound, inside or frozenset())
    elif isinstance(value, tuple):
        for one in value:
            yield from roots(one, attributes or frozenset())
    elif attrs.has(type(value)) and not isinstance(value, (Layer, type)):
        for name in fields(value):
            if attributes is not None and name in attributes:
                yield from roots(getattr(value, name), attributes)


def _methods(method: MethodType) -> Iterator[FunctionType]:
    """Yield a method and those of the same class that it calls, directly or not."""
    names, waiting = set(), [method.__func__.__name__]
    while waiting:
        name = waiting.pop(0)
        function = getattr(type(method.__self__), name, None)
        if name not in names and isinstance(function, FunctionType):
            names.add(name)
            waiting += sorted(reads(function)[1])
            yield function


def fields(value: Any) -> list[str]:
    """Return the names of the fields of a record that its constructor takes."""
    return [field.name for field in attrs.fields(type(value)) if field.init]


def reached(first: list[FunctionType]) -> list[FunctionType]:
    """Return the functions and all that they call, directly or not."""
    found: list[FunctionType] = []
    waiting = list(first)
    while waiting:
        function = waiting.pop(0)
        if function not in found:
            found.append(function)
            waiting += reads(function)[0].values()
    return found


def parts(gradient: Gradient) -> list[FunctionType]:
    """Return all functions of the library that a gradient is made of."""
    return reached(list(roots(gradient)))


class Exchange:
    """A gradient made again with one function changed, and nothing else in the library."""

    def __init__(self, original: FunctionType, build: Callable[[dict[str, Any]], FunctionType], extra: dict[str, Any]) -> None:
        self.original, self.build, self.extra = original, build, extra
        self.made: dict[FunctionType, FunctionType] = {}
        self.spaces: dict[int, dict[str, Any]] = {}

    def __call__(self, gradient: Any) -> Any:
        """Return a gradient, or what is bound to one, with the function exchanged."""
        value = plain(gradient)
        if isinstance(value, MethodType):
            return self.method(value)
        if isinstance(value, FunctionType):
            return self.function(value) if self.original in _reached(value) else gradient
        if isinstance(value, partial):
            keywords = {name: self(one) for name, one in value.keywords.items()}
            return partial(self(value.func), *[self(one) for one in value.args], **keywords)
        if type(value) is tuple:
            return tuple([self(one) for one in value])
        if attrs.has(type(value)) and not isinstance(value, (Layer, type)):
            changed = {name: self(getattr(value, name)) for name in fields(value)}
            if any(one is not getattr(value, name) for name, one in changed.items()):
                return attrs.evolve(value, **changed)
        return gradient

    def method(self, method: MethodType) -> Any:
        """Return a method of a record like its own, of a class in which the changed method takes the original's place."""
        owner: Any = method.__self__
        methods = {one.__name__: self.function(one) for one in _methods(method) if self.original in _reached(one)}
        kind = type(type(owner).__name__, (type(owner),), {"__slots__": (), **methods})
        return getattr(kind(*[getattr(owner, name) for name in fields(owner)]), method.__func__.__name__)

    def function(self, function: FunctionType) -> FunctionType:
        """Return a function that reaches the changed one, made again to call it."""
        if function not in self.made:
            space = self._space(function)
            if function is self.original:
                new = self.build(space)
            else:
                new = FunctionType(function.__code__, space, function.__name__, function.__defaults__)
                new.__kwdefaults__ = function.__kwdefaults__
            self.made[function] = new
            for name, called in reads(function)[0].items():
                if self.original in _reached(called):
                    self._put(space, name, self.function(called))
        return self.made[function]

    def _space(self, function: FunctionType) -> dict[str, Any]:
        """Return the names that the functions of a module see: a copy of the module's."""
        own = function.__globals__
        if id(own) not in self.spaces:
            self.spaces[id(own)] = {name: _guarded(value) for name, value in own.items()} | self.extra
        return self.spaces[id(own)]

    def _put(self, space: dict[str, Any], name: str, function: FunctionType) -> None:
        if "." not in name:
            space[name] = function
            return
        owner, attribute = name.rsplit(".", 1)
        module = space[owner]
        copy = ModuleType(module.__name__)
        vars(copy).update(vars(module))
        setattr(copy, attribute, function)
        space[owner] = copy


def _guarded(value: Any) -> Any:
    """Return what a name of a module stands for, so that a mutant cannot write into it: constants stay what they are."""
    if isinstance(value, np.ndarray):
        value = value.view()
        lock(value)
    return partial(_locked, value) if hasattr(value, "cache_info") else value


def _locked(cached: Callable[..., Any], *args: Any) -> Any:
    result = cached(*args)
    lock(result)
    return result


def lock(value: Any) -> None:
    """Make every array in a record, a tuple or a list read-only."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    elif isinstance(value, (tuple, list)):
        for one in value:
            lock(one)
    elif isinstance(value, dict):
        lock(list(value.values()))
    elif attrs.has(type(value)):
        lock([getattr(value, field.name) for field in attrs.fields(type(value))])


@cache
def _reached(function: FunctionType) -> frozenset[FunctionType]:
    """Return all that a function reaches, itself among it; only of itself where it is not one of ours."""
    return frozenset(reached([function]) if is_ours(function) or _is_backward(function) else [function])


def _is_backward(function: FunctionType) -> bool:
    return (function.__module__ or "").startswith("funcnn.") and is_written(function)
