"""What a constant factor could be: numbers that the case itself holds, and simple functions of them."""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Iterator

from funcnn.check.diagnosis.probe import Probe

_CLOSE = 1e-6


def name_factor(factor: float, probe: Probe) -> str:
    """Return the name of a positive factor, such as ``1/5, where 5 is the length of axis 0 of [0]``, or the empty string."""
    for number, said in _candidates(probe):
        name, _, what = said.removesuffix(")").partition(" (")
        note = f", where {name} is {what}" if what else ""
        for value, form in _forms(number, name):
            if math.isclose(factor, value, rel_tol=_CLOSE):
                return form + note
    return ""


def _forms(number: float, name: str) -> Iterator[tuple[float, str]]:
    """Yield simple functions of a number with their names."""
    yield number, name
    yield 1 / number, f"1/{name}" if name.isalnum() or _plain(name) else f"1/({name})"
    yield math.sqrt(number), f"sqrt({name})"
    yield 1 / math.sqrt(number), f"1/sqrt({name})"
    yield number**2, f"{name}^2"
    yield 1 / number**2, f"1/{name}^2"
    if number > 1:
        yield number / (number - 1), f"n/(n - 1) with n = {name}"
        yield (number - 1) / number, f"(n - 1)/n with n = {name}"
    elif number < 1:
        yield 1 - number, f"1 - {name}"
        yield 1 / (1 - number), f"1/(1 - {name})"
    yield 2 * number, f"2 {name}"
    yield number / 2, f"{name}/2"
    yield 2 / number, f"2/{name}"


def _plain(name: str) -> bool:
    return name.replace(".", "", 1).isdigit()


def _candidates(probe: Probe) -> Iterator[tuple[float, str]]:
    """Yield positive numbers with their names, the most likely first."""
    yield 2.0, "2"
    lengths: dict[int, str] = {}
    for path, leaf in zip(probe.paths, probe.arrays, strict=True):
        for axis, length in enumerate(leaf.shape):
            lengths.setdefault(length, f"{length} (the length of axis {axis} of {path})")
    for shape in probe.shapes:
        for axis, length in enumerate(shape):
            lengths.setdefault(length, f"{length} (the length of axis {axis} of the output)")
    for length, name in lengths.items():
        if length > 1:
            yield float(length), name
    for number in (3.0, 4.0):
        yield number, f"{number:g}"
    for name, number in probe.evidence.constants.items():
        if number > 0:
            yield number, f"{name} = {number:g}"
    yield from _scalars(probe)
    for number in sorted(_literals(probe.evidence.function) | _literals(probe.evidence.pullback)):
        yield number, f"{number:g} (a constant of the code)"
    yield math.pi, "pi"
    yield math.pi / 180, "pi/180"
    yield math.log(2), "ln 2"
    yield math.log(10), "ln 10"
    for path, leaf in zip(probe.paths, probe.arrays, strict=True):
        if leaf.ndim > 1:
            yield float(leaf.size), f"{leaf.size} (the size of {path})"
    yield from _products(lengths)


def _scalars(probe: Probe) -> Iterator[tuple[float, str]]:
    for path, leaf in zip(probe.paths, probe.arrays, strict=True):
        if leaf.ndim and leaf.dtype.kind == "f" and leaf.size > 1 and (leaf > 0).all():
            yield float(leaf.sum()), f"{float(leaf.sum()):g} (the sum of {path})"
        elif leaf.size == 1 and leaf.dtype.kind in "fiu" and float(leaf.reshape(-1)[0]) > 0:
            yield float(leaf.reshape(-1)[0]), f"{float(leaf.reshape(-1)[0]):g} (the value of {path})"


def _products(lengths: dict[int, str]) -> Iterator[tuple[float, str]]:
    known = sorted(lengths)
    for first in known:
        for second in known:
            if 1 < first <= second:
                yield float(first * second), f"{first} x {second} (two axes)"
            if 1 < first < second:
                yield first / second, f"{first}/{second} (two axes)"


def _literals(function: object, depth: int = 0) -> set[float]:
    """Return the positive numbers that a function's code, its closure and its bound arguments hold."""
    found: set[float] = set()
    if depth > 3:
        return found
    if isinstance(function, functools.partial):
        bound = [*function.args, *function.keywords.values()]
        found |= {float(one) for one in bound if isinstance(one, (int, float)) and not isinstance(one, bool) and one > 0}
        for one in (function.func, *bound):
            found |= _literals(one, depth + 1) if callable(one) else set()
    if isinstance(function, types.MethodType):
        function = function.__func__
    if isinstance(function, types.FunctionType):
        cells = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
        called = [function.__globals__.get(name) for name in function.__code__.co_names]
        numbers = [*_constants(function.__code__), *(function.__defaults__ or ()), *cells, *called]
        found |= {float(one) for one in numbers if isinstance(one, (int, float)) and not isinstance(one, bool) and one > 0}
        for one in (*cells, *called):
            if isinstance(one, (types.FunctionType, functools.partial)):
                found |= _literals(one, depth + 1)
    return {number for number in found if number not in (1.0,) and math.isfinite(number)}


def _constants(code: types.CodeType) -> list[object]:
    """Return the constants of a code object and of those inside it."""
    inside = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return [*code.co_consts, *(one for child in inside for one in _constants(child))]


def _filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
