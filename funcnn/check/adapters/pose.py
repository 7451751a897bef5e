"""A foreign function and its gradient, on their terms, as a problem of the checker."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.check.adapters.terms import Options, Terms, check_symmetric_leaf, terms_of
from funcnn.check.case.calls import with_note
from funcnn.check.case.problem import Question, as_tree, pose
from funcnn.check.report import Report
from funcnn.check.verify import verify
from funcnn.typing import Array


@frozen(eq=False)
class Function:
    """A function of trees of arrays, on the terms of a check."""

    f: Callable[..., object]
    terms: Terms

    def __call__(self, *args: object) -> object:
        """Return the output."""
        return self.terms.take_output(self.f(*self.terms.hand(args)))


@frozen(eq=False)
class Pullback:
    """Its gradient, on the same terms."""

    vjp: Callable[..., object]
    terms: Terms

    def __call__(self, *args_and_dy: object) -> object:
        """Return the cotangents."""
        *args, dy = args_and_dy
        got = self.vjp(*self.terms.hand(tuple(args)), self.terms.hand_cotangent(dy))
        return self.terms.take_gradient(tuple(args), got)


def judge(
    question: Question,
    args: tuple[object, ...],
    names: tuple[str, ...],
    options: Options,
    *,
    cotangent: object | None = None,
    prefixes: tuple[str, ...] | None = None,
) -> Report:
    """Check a question about trees of arrays on the terms that the options name."""
    terms = terms_of(options, args, names)
    args = in_precision(options, args)
    asked = attrs.evolve(question, function=Function(question.function, terms), pullback=Pullback(question.pullback, terms))
    problem = pose(asked, args, names, prefixes)
    problem = attrs.evolve(problem, noisy=not options.get("deterministic", True))
    if terms.output:
        _check_output(question, problem.args, terms)
    return verify(
        problem,
        cotangent=cotangent,
        seed=options.get("seed", 0),
        method=options.get("method", "auto"),
        reference=options.get("reference", "auto"),
        explain=options.get("explain", True),
    )


def in_precision(options: Options, args: tuple[object, ...]) -> tuple[object, ...]:
    """Return arguments in the precision that options name."""
    return tuple(tree.map(_in_single, arg) for arg in args) if options.get("precision") == "single" else args


def _in_single(leaf: Array) -> Array:
    return leaf.astype(np.float32) if leaf.dtype.kind == "f" else leaf


def _check_output(question: Question, args: tuple[object, ...], terms: Terms) -> None:
    """Raise when an output is called symmetric that is not: its symmetric part would be checked, and the rest by nobody."""
    with with_note("raised by the function, at the point where its gradient is checked"):
        output = question.function(*terms.hand(tuple(tree.map(np.array, arg) for arg in args)))
    for path, leaf in tree.walk(as_tree(output), "the output"):
        if leaf.dtype.kind == "f":
            check_symmetric_leaf(leaf, path)


def spelled_options(options: Options) -> list[str]:
    """Return options as one would type them, the seed last."""
    said = [f"{name}={value!r}" for name, value in options.items() if name not in ("seed", "cotangent")]
    said += ["cotangent=cotangent"] if "cotangent" in options else []
    return [*said, f"seed={options.get('seed', 0)}"]
