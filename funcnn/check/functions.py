"""Checks of plain functions: anything with a gradient written by hand, from whatever library."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np

from funcnn.check import requests
from funcnn.check.case.cotangents import convert_leaves
from funcnn.check.case.problem import Question, pose
from funcnn.check.report import Report
from funcnn.check.verify import ONE, Method, verify

P = TypeVar("P")


def check_vjp(
    f: Callable[..., object],
    vjp: Callable[..., object],
    *args: object,
    cotangent: object | None = None,
    seed: int = 0,
    method: Method = "auto",
    reference: str = "auto",
    explain: bool | float = True,
) -> Report:
    """Check a vector-Jacobian product written by hand against finite differences.

    Parameters
    ----------
    f : callable
        ``f(*args)`` gives an array, a number or a tree of arrays.  A plain function in NumPy is all that is asked.
    vjp : callable
        ``vjp(*args, dy)`` gives a tuple with one cotangent tree for each argument: of the argument's structure, shapes and
        dtypes, with None for integer leaves and for arguments without floating leaves.
    *args : tree
        The point: arrays, or trees of tuples, dicts and attrs classes of arrays.  Integer and boolean leaves stay as they are.
    cotangent : tree, optional
        dy, a tree like the output.  By default random: both signs, no entry small.
    seed : int, optional
        Of everything that is random here.
    method : {"auto", "full", "screen"}, optional
        By size; every entry; random directions and bisection to a wrong entry.  By size, every entry is looked at in leaves of
        up to a few thousand.
    reference : {"auto", "longdouble", "float64"}, optional
        The precision of the differences.  "auto" is long double where that has more digits than float64 and f takes it.
    explain : bool or float, optional
        Whether wrong leaves are diagnosed, and for how many seconds at most: 5 unless said, which ``report.notes`` tells where
        they did not suffice.  False saves time where only ``report.ok`` is asked.

    Returns
    -------
    Report
        ``report.ok``, ``report.findings``, ``report.leaves``; ``str(report)`` is the page to read.  The path of a leaf is the
        expression for it in ``args``: ``[1]`` or ``[1]['weight']``.

    Raises
    ------
    TypeError
        When an argument is not a tree of arrays (a list, a float), or a leaf is complex or holds objects; with its name.
    ValueError
        When no leaf is floating, or two leaves share memory.
    Exception
        What ``f`` or ``vjp`` raise at the point itself, with a note that says where.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.array([0.3, -1.2, 2.0])
    >>> fn.check.check_vjp(np.sin, lambda x, dy: (dy * np.cos(x),), x).ok
    True
    >>> report = fn.check.check_vjp(np.sin, lambda x, dy: (dy * np.cos(x) * [1, 1, 1.001],), x)
    >>> report.findings[0].path, report.findings[0].index
    ('[0]', (2,))
    """
    requests.options(seed, method, reference, explain)
    requests.functions(f=f, vjp=vjp)
    names = argument_names(f, len(args))
    call = ", ".join([called(f, "f"), called(vjp, "vjp"), *names, *spelled(seed, method, reference, cotangent=cotangent)])
    problem = pose(Question(name_of(f), f, vjp, reproduce=f"fn.check.check_vjp({call})"), args, names)
    return verify(problem, cotangent=cotangent, seed=seed, method=method, reference=reference, explain=explain)


def check_grad(
    loss: Callable[..., object],
    grad: Callable[..., P],
    params: P,
    *args: object,
    seed: int = 0,
    method: Method = "auto",
    reference: str = "auto",
    explain: bool | float = True,
) -> Report:
    """Check the gradient of a scalar function of its first argument.

    Parameters
    ----------
    loss : callable
        ``loss(params, *args)`` gives one number.
    grad : callable
        ``grad(params, *args)`` gives a tree like ``params``.
    params : tree
        The point: what is differentiated.
    *args : tree
        Whatever else the function takes: data, not differentiated.
    seed, method, reference, explain
        As in :func:`check_vjp`.

    Returns
    -------
    Report
        Leaves are named ``params`` and the path below, such as ``params['weight']``.

    Raises
    ------
    ValueError
        When ``loss`` does not give a single number, and as in :func:`check_vjp`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> def loss(w, x):
    ...     return np.sum(np.tanh(x @ w) ** 2)
    >>> def grad(w, x):
    ...     y = np.tanh(x @ w)
    ...     return x.T @ (2 * y * (1 - y**2))
    >>> fn.check.check_grad(loss, grad, np.ones(2), np.array([[0.1, 0.2], [-0.3, 0.5]])).ok
    True
    """
    requests.options(seed, method, reference, explain)
    requests.functions(loss=loss, grad=grad)

    def pullback(params: P, *rest: object) -> tuple[object]:
        *args, dy = rest
        return (times(grad(params, *args), dy),)

    names = ("params", *argument_names(loss, len(args) + 1)[1:])
    call = ", ".join([called(loss, "loss"), called(grad, "grad"), *names, *spelled(seed, method, reference)])
    question = Question(name_of(loss), loss, pullback, reproduce=f"fn.check.check_grad({call})")
    problem = pose(question, (params, *args), names, names, (0,))
    return verify(problem, cotangent=ONE, seed=seed, method=method, reference=reference, explain=explain)


def spelled(seed: int, method: str, reference: str, **more: object) -> list[str]:
    """Return the options of a check as one would type them: those that are not the defaults."""
    said = [f"{name}={name}" for name, given in more.items() if given is not None]
    said += [f"{name}={given!r}" for name, given in (("method", method), ("reference", reference)) if given != "auto"]
    return [*said, f"seed={seed}"]


def called(f: Callable[..., object], otherwise: str) -> str:
    """Return the name by which a function can be typed, or another where it has none."""
    name = name_of(f)
    return name if name.isidentifier() else otherwise


def times(grads: P, dy: object) -> P:
    """Return a gradient times a number, each leaf in its own precision; what is not a tree is returned as it is."""
    if not isinstance(dy, (np.ndarray, np.generic)):
        return grads

    def scale(leaf: object) -> object:
        return leaf * dy.astype(leaf.dtype) if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" else leaf

    try:
        return convert_leaves(grads, scale)  # type: ignore[return-value]  # leaves keep their structure
    except TypeError:
        return grads


def name_of(f: Callable[..., object]) -> str:
    """Return what messages call a function."""
    while isinstance(f, partial):
        f = f.func
    return str(getattr(f, "__name__", type(f).__name__))


def argument_names(f: Callable[..., object], count: int) -> tuple[str, ...]:
    """Return the names of a function's positional parameters, where they can be found."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [one.name for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)][:count]
    return tuple(names + [f"argument {index}" for index in range(len(names), count)])
