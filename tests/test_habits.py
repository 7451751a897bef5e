"""Habits of the tests: none ends early, skips or allows much without a reason, or compares tiny numbers loosely."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
FILES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("test_*.py"))}
LOOSE = 1e-8
SKIPS = {"skip", "skipif", "xfail", "importorskip"}


def own(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a function itself, without the functions and classes inside of it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from own(child)


def called(node: ast.AST) -> str:
    """Return the last part of the name that is called: ``approx`` of ``pytest.approx``."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def faults(source: str) -> list[str]:
    """Return what is wrong with the tests of a file, with the line of each."""
    module, lines = ast.parse(source), source.splitlines()
    found = []
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            ends = [one.lineno for one in own(node) if isinstance(one, ast.Return)]
            found += [f"{line}: {node.name} returns: choose its cases where they are listed" for line in ends]
            if not any(checks(one) for one in ast.walk(node)):
                found.append(f"{node.lineno}: {node.name} checks nothing")
            if unconditional(node.body) == "never":
                found.append(f"{node.lineno}: {node.name} checks only under a condition: choose its cases where they are listed")
        if isinstance(node, ast.Call):
            options = {option.arg for option in node.keywords}
            if called(node) in SKIPS and "reason" not in options and not (called(node) == "skip" and node.args):
                found.append(f"{node.lineno}: {called(node)} without a reason")
            if called(node) == "approx" and "rel" in options and "abs" not in options:
                found.append(f"{node.lineno}: approx(rel=...) allows 1e-12 beside it: say abs=0.0, or how much")
            if any(is_loose(option) for option in node.keywords) and "#" not in "".join(lines[node.lineno - 2 : node.end_lineno]):
                found.append(f"{node.lineno}: a tolerance of {LOOSE:g} or more, and no reason beside it")
    return found


def is_loose(option: ast.keyword) -> bool:
    """Tell whether an argument is a tolerance that rounding of float64 does not explain."""
    value = option.value.value if isinstance(option.value, ast.Constant) else None
    return option.arg in ("rtol", "atol", "rel", "abs") and isinstance(value, float | int) and value >= LOOSE


def checks(node: ast.AST) -> bool:
    """Tell whether a piece of a test can fail it: an assertion, or a call, of which nothing is kept or an error is awaited."""
    if isinstance(node, ast.With):
        awaited = any(called(one.context_expr) in ("raises", "warns") for one in node.items)
        return awaited or unconditional(node.body) == "always"
    return isinstance(node, ast.Assert) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))


def unconditional(body: list[ast.stmt]) -> str:
    """Tell whether statements check something whatever a condition says ("always") or only under one ("never")."""
    for one in body:
        if checks(one) or (isinstance(one, ast.For | ast.While) and unconditional(one.body) == "always"):
            return "always"
        if isinstance(one, ast.Try):
            ways = [[*one.body, *one.orelse], *(handler.body for handler in one.handlers)]
            if unconditional(one.finalbody) == "always" or all(unconditional(way) == "always" for way in ways):
                return "always"
        if isinstance(one, ast.If) and one.orelse and {unconditional(one.body), unconditional(one.orelse)} == {"always"}:
            return "always"
        if isinstance(one, ast.Match) and all(unconditional(case.body) == "always" for case in one.cases):
            return "always"
    return "never"


@pytest.mark.parametrize("name", FILES)
def test_tests_have_good_habits(name: str) -> None:
    assert faults(FILES[name].read_text()) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("if x:\n    return\nassert x", "returns"),
        ("x = f()", "checks nothing"),
        ("if x:\n    assert x", "only under a condition"),
        ("for x in y:\n    if x:\n        assert x", "only under a condition"),
        ("pytest.skip()\nassert x", "without a reason"),
        ("pytest.mark.skipif(x)\nassert x", "without a reason"),
        ("assert x == pytest.approx(y, rel=1e-3)", "abs=0.0"),
        ("assert x == pytest.approx(y, rel=1e-3, abs=0.0)", "no reason"),
    ],
)
def test_bad_habits_are_seen(body: str, fault: str) -> None:
    indented = body.replace("\n", "\n    ")
    (found,) = {one.partition(": ")[2] for one in faults(f"def test_it():\n    {indented}") if fault in one}
    assert fault in found


@pytest.mark.parametrize(
    "body",
    [
        "def inner():\n    return 1\nassert inner()",
        "if x:\n    assert x\nelse:\n    assert y",
        "with pytest.raises(ValueError):\n    f()",
        "pytest.skip('no such device')\nassert x",
        "assert x == pytest.approx(y, rel=1e-3, abs=0.0)  # float16",
        "assert x == pytest.approx(y, rel=1e-12, abs=0.0)",
        "for x in y:\n    np.testing.assert_allclose(x, y)",
    ],
)
def test_good_habits_are_left_alone(body: str) -> None:
    indented = body.replace("\n", "\n    ")
    assert faults(f"def test_it():\n    {indented}") == []
