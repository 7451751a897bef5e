"""Fingerprints: a short text for a value, the same in every process, another one when anything in the value is another.

Values are what the arguments of ``fit`` are made of: frozen records (layers, losses, optimizers), functions with what they are
bound to, numbers, containers and arrays.  Nothing of a fingerprint depends on where a thing lies in memory.

A function of one's own is what its code says, with its defaults, the variables of its closure, and the numbers and functions that
its code names in its module; an installed one is its name.  An object of a class of one's own has the functions of its class.
Code is compared as it was compiled, so that comments and docstrings do not matter.
"""

from __future__ import annotations

import hashlib
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import cast

import attrs
import numpy as np

from funcnn.typing import Array, IntArray

_BLOCK = 1 << 19  # bytes that are read at a time: they stay in the cache for all passes
_LINE = 512  # words whose sums are taken side by side
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: Knuth's multiplier
_CONSTANTS = (types.FunctionType, partial, bool, int, float, complex, str, tuple, np.ndarray, np.generic)
"""What a global may be that is part of what a function computes."""

Described = tuple[str, tuple[object, ...]]
"""What a value is, and the values that it is made of."""


def fingerprint(value: object) -> str:
    """Return the fingerprint of a value.

    Each part is worked out once, however often it occurs, and without recursion: networks are deep and share their parts.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fingerprint(fn.adam(0.1)) == fingerprint(fn.adam(0.1)), fingerprint(fn.adam(0.1)) == fingerprint(fn.adam(0.2))
    (True, False)
    >>> fingerprint(np.zeros(3)) == fingerprint(np.zeros(4))
    False
    """
    done: dict[int, str] = {}
    kept: list[object] = []  # ids are those of living objects
    started: set[int] = set()
    stack: list[tuple[object, Described | None]] = [(value, None)]
    while stack:
        one, described = stack.pop()
        if id(one) in done:
            continue
        if described is None:
            if id(one) in started:
                continue  # a part of itself: its name stands for it below
            started.add(id(one))
            described = describe(one)
            kept.append((one, described))
            stack.append((one, described))
            stack.extend((part, None) for part in described[1])
        else:
            what, parts = described
            text = "\n".join([what, *[done.get(id(part), "itself") for part in parts]])
            done[id(one)] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return done[id(value)]


def describe(value: object) -> Described:
    """Return what a value is, in words, and its parts."""
    if isinstance(value, np.ndarray):
        return f"array {array_digest(value)}", ()
    if isinstance(value, np.generic):
        return f"number {value.dtype.str} {value.tobytes().hex()}", ()
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return f"{type(value).__name__} {value!r}", ()
    if isinstance(value, types.CodeType):
        return _code(value)
    if isinstance(value, partial):
        return "partial", (value.func, *value.args, *_items(value.keywords))
    if isinstance(value, types.MethodType):
        return "method", (value.__func__, value.__self__)
    if isinstance(value, types.FunctionType):
        return _function(value)
    if isinstance(value, type):
        return f"class {value.__module__}.{value.__qualname__}", _methods(value)
    if isinstance(value, (types.BuiltinFunctionType, types.ModuleType, np.ufunc, np.dtype)):
        return (
            f"name {getattr(value, '__module__', '')} {getattr(value, '__qualname__', getattr(value, '__name__', str(value)))}",
            (),
        )
    if isinstance(value, dict):
        return "dict", tuple(_items(value))
    if isinstance(value, (tuple, list)):
        return f"{_name(value)} of {len(value)}", tuple(value)
    if isinstance(value, (set, frozenset)):
        return f"{_name(value)} {sorted(fingerprint(one) for one in value)}", ()
    return _record(value)


def _record(value: object) -> Described:
    """Return the fields of a record by which it compares, or the attributes of any other object."""
    kind = type(value)
    if attrs.has(kind):
        names = [one.name for one in attrs.fields(kind) if one.eq]
    else:
        slots = [name for base in kind.__mro__ for name in _texts(base.__dict__.get("__slots__", ()))]
        names = sorted({*getattr(value, "__dict__", {}), *slots} - {"__dict__", "__weakref__"})
    found = [name for name in names if hasattr(value, name)]
    if not attrs.has(kind) and _is_installed(kind):  # a logger, a bar, an estimator: its settings, not all that hangs on it
        found = [name for name in found if isinstance(getattr(value, name), _CONSTANTS)]
    methods = _methods(kind)
    if not found and not methods:  # a pattern, a path, a date: its text says it, unless that is where it lies in memory
        text = repr(value)
        return f"{_name(value)} {'' if ' at 0x' in text else text}", ()
    return f"{_name(value)} {' '.join(found)}", (*[getattr(value, name) for name in found], *methods)


def _is_installed(kind: type) -> bool:
    """Tell whether a class stands in Python's library or an installed package."""
    return (getattr(sys.modules.get(kind.__module__), "__file__", None) or str(_installed()[0])).startswith(_installed())


def _methods(kind: type) -> tuple[types.FunctionType, ...]:
    """Return the functions of a class of one's own, and of its bases: they are part of what its instances compute."""
    found = []
    for base in kind.__mro__:
        for name, one in sorted(vars(base).items()):
            function = one.fget if isinstance(one, property) else getattr(one, "__func__", one)
            if isinstance(function, types.FunctionType) and not function.__code__.co_filename.startswith(
                ("<attrs", *_installed())
            ):
                found.append((name, function))
    return tuple([function for _, function in found])


def _function(function: types.FunctionType) -> Described:
    code, empty = function.__code__, types.CellType()
    cells = tuple([cell.cell_contents for cell in function.__closure__ or () if cell != empty])
    if code.co_filename.startswith(_installed()):
        return f"name {function.__module__} {function.__qualname__}", cells
    looked_up = [function.__globals__[name] for name in _names(code) if name in function.__globals__]
    own = [one for one in looked_up if isinstance(one, _CONSTANTS)]
    return "function", (code, function.__defaults__, function.__kwdefaults__, cells, *own)


@cache
def _installed() -> tuple[str, ...]:
    """Return the folders of Python's library, of installed packages and of this one: functions there are what their names say."""
    found = sysconfig.get_paths()
    return (*{found[name] for name in ("stdlib", "purelib", "platlib")}, str(Path(__file__).parents[1]))


def _names(code: types.CodeType) -> list[str]:
    """Return the names that code and the functions in it look up."""
    inner = [name for one in code.co_consts if isinstance(one, types.CodeType) for name in _names(one)]
    return sorted({*code.co_names, *inner})


def _code(code: types.CodeType) -> Described:
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    constants = code.co_consts
    if constants and (constants[0] is None or isinstance(constants[0], str)) and not _loads(code, constants[0]):
        constants = constants[1:]  # the docstring, or the place where none is
    return f"code {code.co_argcount} {code.co_kwonlyargcount} {code.co_code.hex()}", (*names, *constants)


def _loads(code: types.CodeType, constant: object) -> bool:
    """Tell whether an instruction uses a constant."""
    import dis  # not on import: few programs need it

    return any(step.argval is constant for step in dis.get_instructions(code) if "CONST" in step.opname)


def _items(items: dict[str, object]) -> Iterator[object]:
    for name, value in items.items():
        yield name
        yield value


def _texts(slots: str | Iterable[str]) -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else slots


def _name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


# -------------------------------------------------------------------------------------------------------------------- arrays


def array_digest(array: Array | IntArray) -> str:
    """Return a digest of dtype, shape and all numbers of an array, at some gigabytes a second; it may be memory-mapped.

    The array is read block after block as words of 64 bits, of which each is mixed (a shift, an exclusive or, a product with an
    odd number: a bijection).  Sums modulo 2^64 are then taken along the lines of each block and, over all blocks, along the
    columns, and these are hashed.  Any single change shows in two sums, and so does any exchange of numbers.  It is made against
    accidents, not against forgers.
    """
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    columns = np.zeros(_LINE, np.uint64)
    for words in _blocks(array):
        mixed = words >> np.uint64(29)
        mixed ^= words
        mixed *= _ODD
        lines = mixed.reshape(-1, _LINE)
        digest.update(lines.sum(1).tobytes())
        columns += lines.sum(0)
    digest.update(columns.tobytes())
    return digest.hexdigest()


def _blocks(array: Array | IntArray) -> Iterator[np.ndarray[tuple[int], np.dtype[np.uint64]]]:
    """Yield the numbers of an array as words, filled up with zeros to whole lines."""
    if array.dtype.char in "gG":  # the padding of a long double is not part of the number: its two halves are
        for part in (array.real, array.imag):
            high = part.astype(np.float64)
            yield from _blocks(high)
            yield from _blocks(cast(Array, (part - high).astype(np.float64)))
        return
    rows = array.reshape(1) if array.ndim == 0 else array
    at_once = max(1, _BLOCK // max(1, rows.nbytes // max(1, len(rows))))
    for first in range(0, len(rows), at_once):
        raw = np.ascontiguousarray(rows[first : first + at_once]).reshape(-1).view(np.uint8)
        missing = -len(raw) % (8 * _LINE)
        yield (np.concatenate([raw, np.zeros(missing, np.uint8)]) if missing else raw).view(np.uint64)
