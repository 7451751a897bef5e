"""For which arguments a written function is right, and what it does with all others.

A function is written for parameters, inputs and targets of certain types, and perhaps of certain shapes and dtypes.  It begins
with a test of these, and hands everything to the plain function (which calls the layers) where it fails: ::

    if not (type(mode) is Train and type(target) is ndarray and target.dtype is float64):
        return plain(params, state, x, target, mode)
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from funcnn import tree
from funcnn.compile.syntax import expression, load
from funcnn.compile.writer import Writer

Function: TypeAlias = Callable[..., Any]  # Any: networks of all types are written


def restrict(writer: Writer, tests: list[str], known: Mapping[str, object], otherwise: ast.stmt) -> None:
    """Write that something else is done unless these tests are true, and arguments have the shapes and dtypes known."""
    tests = [*tests, *(test for name, one in known.items() for test in kind_tests(writer, name, one))]
    if tests:
        writer.emit(ast.If(expression(f"not ({' and '.join(tests)})"), [otherwise], []))
    writer.where_complex.append(otherwise)
    for name, one in known.items():
        writer.samples.give(name, one)


def kind_tests(writer: Writer, here: str, one: object) -> Iterator[str]:
    """Yield the tests of whether an expression gives a tree like this one, outer ones first; each node is looked up once."""
    node = here
    if not here.isidentifier():
        node = writer.fresh("node")
        here = f"({node} := {here})"
    yield f"type({here}) is {writer.held(type(one)).id}"
    if isinstance(one, np.ndarray):
        yield f"{node}.shape == {one.shape!r} and {node}.dtype is {writer.held(one.dtype).id}"
        return
    if isinstance(one, tuple):
        yield f"len({node}) == {len(one)}"
    for step, child in tree.children(one):
        yield from kind_tests(writer, node + step, child)


def refuse(writer: Writer, tests: list[str], statement: ast.stmt, *, placed: bool = True) -> None:
    """Write that a statement is carried out if any of these tests is true, but for those that are known not to be."""
    left = [test for test in tests if writer.samples.fact(expression(test)) is not False]
    if left:
        writer.emit(ast.If(expression(" or ".join(left)), [statement], []), placed=placed)


def call_plain(writer: Writer, plain: Function, arguments: tuple[str, ...]) -> ast.Return:
    """Return the statement that hands everything to the function that calls the layers."""
    return ast.Return(ast.Call(writer.held(plain, "plain"), [load(name) for name in arguments], []))
