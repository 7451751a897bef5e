"""Samples: arrays of zeros in the place of those that a function will be called with, to know their shapes and dtypes.

Small networks spend more time on the tests of what they are given than on some of their layers.  A function that is written for
arrays of known shapes and dtypes tests these once, when it is entered.  Within it the shapes and dtypes of all intermediate
results follow, and so does the outcome of every test of them.  They are found by computing with samples: NumPy itself tells what
the result of an operation looks like.  The numbers in samples mean nothing, so nothing is ever decided by them.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import _lru_cache_wrapper
from types import ModuleType
from typing import Any

import attrs
import numpy as np

from funcnn import tree
from funcnn.compile.source import is_plain, is_settled

UNKNOWN = object()
SMALL = 1 << 15  # numbers in an array beyond which arithmetic outweighs tests

_FACTS = frozenset({"shape", "ndim", "dtype", "size"})  # attributes of arrays that are known
_VIEWS = frozenset({"T", "real"})
_METHODS = frozenset(
    {"ravel", "astype", "reshape", "sum", "copy", "transpose"}
)  # whose result has a shape that follows from facts
_BUILT_IN = {"tuple": tuple, "dict": dict}
_MAKERS: tuple[object, ...] = (np.zeros, np.empty, np.ones)
_COPIERS: tuple[object, ...] = (np.ascontiguousarray,)
_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


def is_sample(value: object) -> bool:
    """Tell whether a value is one whose numbers mean nothing."""
    return isinstance(value, (np.ndarray, np.generic))


def is_fact(value: object) -> bool:
    """Tell whether a value may be relied on: it is not a sample, and cannot change.

    The type is asked for itself: a number of NumPy is a ``float`` too, and those that are computed mean nothing.
    """
    if type(value) is tuple:
        return all(is_fact(item) for item in value)
    return value is None or type(value) in (bool, int, float, str, type) or isinstance(value, np.dtype)


def is_small(one: object) -> bool:
    """Tell whether samples of this tree cost nothing to speak of, and looking at its nodes does nothing else."""
    if type(one) is np.ndarray:
        return one.size <= SMALL
    return (type(one) is tuple or is_plain(type(one))) and all(is_small(child) for _, child in tree.children(one))


class Samples:
    """What is known of the variables of a function that is being written."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self.values = values  # what names stand for that are not variables
        self.known: dict[str, object] = {}
        self.usable = True

    def give_up(self) -> None:
        """Rely on nothing from here on: code that is not known is called, and it could change shapes in place."""
        self.usable = False

    def give(self, name: str, one: object) -> None:
        """Have a variable stand for a tree like this one."""
        self.known[name] = tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), one)

    def has_field(self, node: ast.Attribute) -> bool:
        """Tell whether an expression reads a field of a variable that is known to hold a record of the library."""
        kind: Any = type(self.known.get(node.value.id)) if isinstance(node.value, ast.Name) else object
        return is_plain(kind) and node.attr in {one.name for one in attrs.fields(kind)}

    def fact(self, node: ast.expr) -> object:
        """Return the value of an expression if it is known whatever the numbers are, or else UNKNOWN."""
        value = self.of(node)
        return value if is_fact(value) else UNKNOWN

    def of(self, node: ast.expr | None) -> object:
        """Return a sample, or the fact, that an expression gives, or UNKNOWN."""
        if not self.known or not self.usable:
            return UNKNOWN
        try:
            with np.errstate(all="ignore"):
                return self._of(node)
        except Exception:  # an expression that fails with samples is left as it is, to fail when it runs
            return UNKNOWN

    def _of(self, node: ast.expr | None) -> object:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self.known.get(name, self.values.get(name, _BUILT_IN.get(name, UNKNOWN)))
            case ast.Attribute(value=owner, attr=name):
                return _attribute(self._of(owner), name)
            case ast.Tuple(elts=parts):
                return _all_known([self._of(part) for part in parts])
            case ast.Slice(lower=lower, upper=upper, step=step):
                ends = _all_known([None if end is None else self._of(end) for end in (lower, upper, step)])
                return slice(*ends) if isinstance(ends, tuple) and is_fact(ends) else UNKNOWN
            case ast.Subscript(value=owner, slice=place):
                whole: Any = self._of(owner)  # Any: a tuple or an array, of which the index is of another type
                index: Any = self._of(place)
                by_position = _is_basic(index) if isinstance(whole, np.ndarray) else type(whole) is tuple and is_place(index)
                return whole[index] if by_position else UNKNOWN
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                truth = self._of(operand)
                return not truth if is_fact(truth) else UNKNOWN
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _computed(operator.neg, self._of(operand))
            case ast.BoolOp(op=joint, values=parts):
                return self._joint(isinstance(joint, ast.Or), parts)
            case ast.Compare(left=left, ops=[sign], comparators=[right]):
                values = self._of(left), self._of(right)
                if isinstance(sign, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) and not all(map(is_fact, values)):
                    return UNKNOWN
                return _computed(_BINARY[type(sign)], *values)
            case ast.BinOp(left=left, op=sign, right=right):
                return _computed(_BINARY[type(sign)], self._of(left), self._of(right))
            case ast.Call(func=ast.Name(id="type"), args=[one], keywords=[]):
                given = self._of(one)
                return UNKNOWN if given is UNKNOWN else type(given)
            case ast.Call(func=ast.Name(id="len"), args=[one], keywords=[]):
                sized: Any = self._of(one)
                return len(sized) if type(sized) in (tuple, np.ndarray) else UNKNOWN
            case ast.Call(func=function, args=args, keywords=keywords):
                return self._call(function, [self._of(arg) for arg in args], {key.arg: self._of(key.value) for key in keywords})
        return UNKNOWN

    def _joint(self, decides: bool, parts: list[ast.expr]) -> object:
        """Return the value of ``and`` or ``or``: of parts before the one that decides, all must be known."""
        value: object = UNKNOWN
        for part in parts:
            value = self._of(part)
            if not is_fact(value) or bool(value) is decides:
                return value if is_fact(value) else UNKNOWN
        return value

    def _call(self, function: ast.expr, args: list[object], named: dict[str | None, object]) -> object:
        called = self._of(function)
        if isinstance(called, np.ufunc) and called.nout == 1 and set(named) <= {"out"}:
            out = named.get("out", args[called.nin] if len(args) > called.nin else None)
            if isinstance(out, np.ndarray):
                return out
        if named or any(value is UNKNOWN for value in args):
            return UNKNOWN
        if isinstance(called, np.ufunc) or (callable(called) and called in _COPIERS):
            return called(*args)
        if isinstance(function, ast.Attribute) and isinstance(owner := self._of(function.value), np.ndarray):
            if function.attr == "dot" or (function.attr in _METHODS and all(map(is_fact, args))):
                return getattr(owner, function.attr)(*args)
        elif all(map(is_fact, args)) and callable(called) and (called in _MAKERS or is_remembered(called)):
            return called(*args)
        return UNKNOWN

    # What statements do to variables.

    def note(self, statement: ast.stmt) -> None:
        """Keep in mind what a statement assigns."""
        if not self.known:
            return
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._put(name, self.of(value))
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                parts = self.of(value)
                parts = parts if isinstance(parts, tuple) and len(parts) == len(targets) else [UNKNOWN] * len(targets)
                for target, part in zip(targets, parts, strict=True):
                    for name in stored(target):
                        self._put(name, part if isinstance(target, ast.Name) else UNKNOWN)
            case ast.AugAssign(target=ast.Name(id=name), op=sign, value=value):
                if not isinstance(self.known.get(name), np.ndarray):  # an array takes the result into itself
                    self._put(name, self.of(ast.BinOp(ast.Name(name, ast.Load()), sign, value)))
            case ast.Assign(targets=[ast.Subscript()]) | ast.AugAssign(target=ast.Subscript()) | ast.Expr() | ast.Raise():
                pass
            case ast.If(body=body, orelse=orelse):
                ends = [self._after(branch) for branch in (body, orelse) if not branch or not isinstance(branch[-1], ast.Raise)]
                for name in set(stored(statement)):
                    values = [end.get(name, UNKNOWN) for end in ends]
                    self._put(name, values[0] if all(is_like(value, values[0]) for value in values) else UNKNOWN)
            case ast.Return():
                pass
            case _:  # such as the assignment of a shape
                self.known.clear()

    def _after(self, statements: list[ast.stmt]) -> dict[str, object]:
        """Return what is known after some statements, which may or may not be carried out."""
        before, self.known = self.known, dict(self.known)
        for statement in statements:
            self.note(statement)
        after, self.known = self.known, before
        return after

    def _put(self, name: str, value: object) -> None:
        if value is UNKNOWN:
            self.known.pop(name, None)
        else:
            self.known[name] = value


def is_like(one: object, other: object) -> bool:
    """Tell whether two values are samples of the same type, shape and dtype, or equal facts."""
    if isinstance(one, (np.ndarray, np.generic)) and isinstance(other, (np.ndarray, np.generic)):
        return type(one) is type(other) and one.shape == other.shape and one.dtype == other.dtype
    return one is other or (is_fact(one) and is_fact(other) and one == other)


def is_remembered(function: object) -> bool:
    """Tell whether a function of the library returns the same immutable value each time: such may be called beforehand."""
    return isinstance(function, _lru_cache_wrapper) and str(function.__module__).startswith("funcnn.")


def stored(node: ast.AST) -> Iterator[str]:
    """Yield the names that are assigned in a statement."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id


def attribute_known(owner: object, name: str) -> object:
    """Return an attribute that cannot change, or UNKNOWN: a value of a settled module, a field of a record, a fact of a dtype."""
    if isinstance(owner, ModuleType):
        return getattr(owner, name, UNKNOWN) if is_settled(owner) else UNKNOWN
    if isinstance(owner, np.dtype):
        return getattr(owner, name, UNKNOWN)
    kind: Any = type(owner)  # Any: attrs types its classes apart from others
    is_field = is_plain(kind) and name in {attribute.name for attribute in attrs.fields(kind)}
    return getattr(owner, name) if is_field else UNKNOWN


def _attribute(owner: object, name: str) -> object:
    if is_sample(owner):
        return getattr(owner, name) if name in _FACTS or name in _VIEWS else UNKNOWN
    return attribute_known(owner, name) if not isinstance(owner, ModuleType) or owner is np else UNKNOWN


def is_place(index: object) -> bool:
    """Tell whether a value is the place of a tuple's entry or of some: a number that was computed is none."""
    return type(index) in (int, slice)


def _is_basic(index: object) -> bool:
    """Tell whether an index picks by position, whatever the numbers are."""
    if isinstance(index, tuple):
        return all(map(_is_basic, index))
    return index is None or index is Ellipsis or isinstance(index, (int, slice)) or getattr(index, "dtype", None) == np.intp


def _all_known(parts: list[object]) -> object:
    return UNKNOWN if any(part is UNKNOWN for part in parts) else tuple(parts)


def _computed(function: Callable[..., object], *values: object) -> object:
    numbers = all(is_sample(value) or is_fact(value) for value in values)
    return function(*values) if numbers else UNKNOWN
