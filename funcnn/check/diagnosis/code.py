r"""Explanation by a small constant of the code: the gradient is right for a function that holds another epsilon.

Where scaling an argument cannot tell (a logarithm of $p + \varepsilon$ beside one of $1 - p + \varepsilon$), the function itself
is made again with another number in the place of each small constant that its code, its defaults, its closure or its module
hold.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from functools import partial

import attrs
import numpy as np

from funcnn.check.diagnosis.probe import Probe
from funcnn.check.diagnosis.view import Hypothesis, View
from funcnn.typing import Array

_LARGEST = 0.011  # an epsilon is smaller
_EXACT = 1e-8
_MOST = 4  # constants that are tried
_DEPTH = 2


def hypotheses(view: View, probe: Probe) -> Iterator[Hypothesis]:
    """Yield another value of a small constant of the function."""
    if not view.full:
        return
    theirs = sorted(_small(probe.evidence.pullback))
    for constant in sorted(_small(probe.evidence.function))[:_MOST]:
        found = _search(view, probe, constant, theirs)
        if found is not None:
            value, left = found
            said = f"{value:.6g} in place of" if value else "without"
            text = f"the gradient is right for the function {said} the {constant:g} in its code: another epsilon, or none"
            yield Hypothesis("eps_mismatch", text, left, 2.4)
            return


def _search(view: View, probe: Probe, constant: float, theirs: list[float]) -> tuple[float, float] | None:
    """Return the value of a constant with which the gradient is right, and what is left of the error."""
    for value in (0.0, *theirs[:_MOST]):
        made = _jacobian(view, probe, constant, value) if value != constant else None
        if made is not None and view.left(made) <= _EXACT:
            return value, view.left(made)
    value, width, left = constant, 1e-4 * constant, 1.0
    for _ in range(6):
        here, there = _jacobian(view, probe, constant, value), _jacobian(view, probe, constant, value + width)
        if here is None or there is None:
            return None
        rest, slope = view.analytic - here, (there - here) / width
        left, norm = view.left(here), float((slope**2).sum())
        if left <= _EXACT**1.5 or not norm > 0:
            break
        value += float((rest * slope).sum()) / norm
        if not abs(value) <= 1e3 * constant:
            return None
    return (value, left) if left <= _EXACT and value != constant else None


def _jacobian(view: View, probe: Probe, constant: float, value: float) -> Array | None:
    """Return the numeric Jacobian of the function with another constant, in the units of a view."""
    function = replaced(probe.evidence.function, constant, value)
    numeric, _ = Probe(attrs.evolve(probe.evidence, function=function)).numeric(probe.arrays)
    if numeric.size != view.numeric.size:
        return None
    made: Array = (numeric / view.unit).astype(np.float64).reshape(view.numeric.shape)
    return made if np.isfinite(made).all() else None


def _is_small(one: object) -> bool:
    return isinstance(one, float) and 0 < one <= _LARGEST


def _small(function: object, depth: int = 0) -> set[float]:
    """Return the small constants of a function and of what it calls."""
    if isinstance(function, partial):
        bound = {one for one in (*function.args, *function.keywords.values()) if _is_small(one)}
        return bound | _small(function.func, depth)
    if not isinstance(function, types.FunctionType) or depth > _DEPTH:
        return set()
    inside = [one for code in _codes(function.__code__) for one in code.co_consts]
    held = [
        *(function.__defaults__ or ()),
        *(function.__kwdefaults__ or {}).values(),
        *_cells(function),
        *_named(function).values(),
    ]
    found = {one for one in (*inside, *held) if _is_small(one)}
    for one in held:
        found |= _small(one, depth + 1)
    return found


def replaced(function: Callable[..., object], constant: float, value: float, depth: int = 0) -> Callable[..., object]:
    """Return a function that holds another number in the place of a constant, and calls functions that do."""

    def other(one: object) -> object:
        if isinstance(one, float) and one == constant:
            return value
        if isinstance(one, (types.FunctionType, partial)) and depth < _DEPTH:
            return replaced(one, constant, value, depth + 1)
        return one

    if isinstance(function, partial):
        inner = replaced(function.func, constant, value, depth)
        return partial(inner, *map(other, function.args), **{name: other(one) for name, one in function.keywords.items()})
    if not isinstance(function, types.FunctionType):
        return function
    changed = {name: other(one) for name, one in _named(function).items()}
    closure = tuple(_cell(cell, other) for cell in function.__closure__ or ()) or None
    defaults = tuple(map(other, function.__defaults__)) if function.__defaults__ else None
    made = types.FunctionType(
        _recoded(function.__code__, constant, value), {**function.__globals__, **changed}, function.__name__, defaults, closure
    )
    made.__kwdefaults__ = {name: other(one) for name, one in (function.__kwdefaults__ or {}).items()} or None
    return made


def _cell(cell: types.CellType, other: Callable[[object], object]) -> types.CellType:
    try:
        return types.CellType(other(cell.cell_contents))
    except ValueError:  # not filled
        return cell


def _recoded(code: types.CodeType, constant: float, value: float) -> types.CodeType:
    def other(one: object) -> object:
        if isinstance(one, types.CodeType):
            return _recoded(one, constant, value)
        return value if isinstance(one, float) and one == constant else one

    return code.replace(co_consts=tuple(map(other, code.co_consts)))


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield a code object and those inside it."""
    yield code
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield from _codes(one)


def _cells(function: types.FunctionType) -> list[object]:
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not filled
            continue
    return found


def _named(function: types.FunctionType) -> dict[str, object]:
    """Return the numbers and functions of its module that a function names."""
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    held = {name: function.__globals__.get(name) for name in names}
    return {name: one for name, one in held.items() if isinstance(one, (float, types.FunctionType, partial))}
