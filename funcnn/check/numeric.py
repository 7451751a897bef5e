"""The numeric gradient itself, with its error bars, where there is nothing to compare it with."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from funcnn.check import requests
from funcnn.check.case.calls import with_note
from funcnn.check.case.case import Case
from funcnn.check.case.cotangents import convert_leaves, flatten
from funcnn.check.case.problem import Question, is_floating, output_leaves, pose
from funcnn.check.case.sampler import Sampler, sampler
from funcnn.check.differences.compare import differences
from funcnn.check.functions import argument_names, name_of
from funcnn.errors import describe
from funcnn.typing import Array


class NumericGradient(NamedTuple):
    """A gradient by differences: two trees like the argument (or tuples of such trees, for several arguments)."""

    values: object
    bars: object


def numeric_grad(
    f: Callable[..., object], *args: object, cotangent: object | None = None, seed: int = 0, reference: str = "auto"
) -> NumericGradient:
    r"""Return the gradient of a function by central differences, with an error bar for each entry.

    Parameters
    ----------
    f : callable
        ``f(*args)`` gives one number or, with a ``cotangent``, any tree of arrays.
    *args : tree
        The point.
    cotangent : tree, optional
        A tree $v$ like the output: then $\langle v, f\rangle$ is differentiated.
    seed : int, optional
        Of the directions in which the rounding errors of f are measured.
    reference : {"auto", "longdouble", "float64"}, optional
        The precision of the differences.

    Returns
    -------
    NumericGradient
        ``values`` and ``bars``: float64 trees like the argument, tuples of trees for several arguments; None for integer leaves.
        At a kink the value is the middle of the one-sided derivatives, and the bar reaches both.  A bar is infinite
        where the function has no derivative that differences can see.

    Raises
    ------
    TypeError, ValueError
        As :func:`check_vjp`; also when f gives more than one number and there is no cotangent.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> values, bars = fn.check.numeric_grad(lambda x: np.sum(np.exp(x)), np.zeros(2))
    >>> np.allclose(values, 1, atol=1e-13), (bars < 1e-12).all()
    (True, np.True_)
    >>> fn.check.numeric_grad(np.abs, np.array(0.0))
    NumericGradient(values=array(0.), bars=array(1.))
    """
    requests.options(seed, reference=reference)
    requests.functions(f=f)
    problem = pose(Question(name_of(f), f, lambda *given: ()), args, argument_names(f, len(args)))
    with with_note("raised by the function, at the point where its gradient is asked for"):
        base = Sampler(problem, None, fresh=True)
    outputs = output_leaves(base.output)
    if not any(is_floating(leaf) for leaf in outputs):
        got = ", ".join(describe(leaf) for leaf in outputs) or "nothing"
        raise TypeError(f"{problem.name} gives {got}: floating numbers are expected, there is nothing to differentiate")
    if not np.isfinite(base.y).all():
        bad = int((~np.isfinite(base.y)).sum())
        raise ValueError(f"{problem.name} gives {bad} numbers that are not finite at this point: it has no derivative there")
    if cotangent is None and base.y.size != 1:
        raise ValueError(f"{problem.name} gives {base.y.size} numbers: a gradient needs one, or a cotangent to weigh them with")
    vector = np.ones(1) if cotangent is None else flatten(base.output, cotangent)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case = Case(problem, sampler(problem, reference, fresh=True), vector, seed)
        parts = [differences(case, leaf) for leaf in range(len(problem.active()))]
    return NumericGradient(*(_like(problem.args, [part[which] for part in parts]) for which in range(2)))


def _like(args: tuple[object, ...], vectors: list[Array]) -> object:
    """Return trees like the arguments from one vector for each floating leaf."""
    given = iter(vectors)

    def convert(leaf: Array) -> Array | None:
        return next(given).astype(np.float64).reshape(leaf.shape) if leaf.dtype.kind == "f" else None

    made = tuple(convert_leaves(arg, convert) for arg in args)
    return made[0] if len(made) == 1 else made
