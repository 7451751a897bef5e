"""Any function with a gradient written by hand, in NumPy or in what takes and gives NumPy's arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.check import requests
from funcnn.check.adapters.forms import Numbers, gradient_to_tree, to_foreign, to_tree
from funcnn.check.adapters.pose import in_precision, judge, spelled_options
from funcnn.check.adapters.terms import Options
from funcnn.check.case.calls import with_note
from funcnn.check.case.problem import Question
from funcnn.check.functions import argument_names, called, name_of
from funcnn.check.report import Report

NUMBERS = Numbers()


@frozen(eq=False)
class Value:
    """A foreign function as one of trees of arrays."""

    f: Callable[..., object]
    like: tuple[object, ...]

    def __call__(self, *args: object) -> object:
        """Return the output."""
        return plain_output(self.f(*foreign(self.like, args)))


@frozen(eq=False)
class Gradient:
    """A foreign gradient as one of trees of arrays."""

    vjp: Callable[..., object]
    like: tuple[object, ...]
    output: object

    def __call__(self, *args_and_dy: object) -> object:
        """Return the cotangents."""
        *args, dy = args_and_dy
        got = self.vjp(*foreign(self.like, tuple(args)), to_foreign(self.output, dy, NUMBERS.foreign))
        if not isinstance(got, (tuple, list)) or len(got) != len(args):
            return got
        return tuple([gradient_to_tree(arg, one) for arg, one in zip(args, got, strict=True)])


def plain_output(output: object) -> object:
    """Return an output as a tree; a Python float, which has no precision of its own, as it is."""
    return output if type(output) is float else to_tree(output, NUMBERS)


def foreign(like: tuple[object, ...], args: tuple[object, ...]) -> list[object]:
    """Return arguments in their own containers."""
    return [to_foreign(one, arg, NUMBERS.foreign) for one, arg in zip(like, args, strict=True)]


def check_foreign(f: Callable[..., object], vjp: Callable[..., object], *args: object, **options: Unpack[Options]) -> Report:
    r"""Check a vector-Jacobian product that was not written for this library, on terms of its own.

    As :func:`check_vjp`, for arguments in whatever containers the function takes, and with terms that are looser where foreign
    code has other habits.  Lists, dataclasses and attrs classes are trees here, Python floats are arguments without axes, and
    strings, whole numbers and None are settings that stay as they are.

    Parameters
    ----------
    f : callable
        ``f(*args)`` gives an array, a number, or a list, tuple, dict or dataclass of these.
    vjp : callable
        ``vjp(*args, dy)`` gives a tuple or list of one cotangent for each argument.  For a dataclass that is one of its kind, or
        a dict by the names of its fields.
    *args : tree
        The point.
    **options
        ``contract=False``
            Values only: the gradient may be a view of ``dy``, write into what it is given, or come in another dtype.
        ``writable=True``
            Every call gets fresh arrays, contiguous and writeable: for C, Cython and Fortran that refuse others.
        ``deterministic=False``
            Outputs and gradients may vary from call to call.  Error bars come from how much they do, and errors below go unseen:
            ``would see`` says how large these are.
        ``precision="single"``
            The function takes float32 and nothing else.  Arguments are rounded to float32, and so are the points of differences.
        ``symmetric=(0, "output")``
            Symmetric matrices, or stacks of them: arguments by number, and the output.  A gradient $G$ then stands for
            $\langle G, dA \rangle$ with symmetric $dA$, whichever of its triangles holds what.
        ``cotangent``, ``seed``, ``method``, ``reference``, ``explain``
            As in :func:`check_vjp`.

    Returns
    -------
    Report

    Raises
    ------
    TypeError, ValueError
        As :func:`check_vjp`; for an option that does not exist; for an argument or output that is called symmetric and is not.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> def inverse_vjp(a, dy):
    ...     y = np.linalg.inv(a)
    ...     return [-np.tril(y @ (dy + dy.T) @ y) + np.diag(np.diag(y @ dy @ y))]  # a triangle, as LAPACK keeps it
    >>> a = np.array([[2.0, 0.5], [0.5, 1.0]])
    >>> fn.check.check_foreign(np.linalg.inv, inverse_vjp, a, symmetric=(0, "output"), contract=False).ok
    True
    """
    requests.functions(f=f, vjp=vjp)
    names = argument_names(f, len(args))
    trees = tuple(to_tree(arg, NUMBERS, name) for arg, name in zip(args, names, strict=True))
    trees = in_precision(options, trees)
    call = ", ".join([called(f, "f"), called(vjp, "vjp"), *names, *spelled_options(options)])
    with with_note("raised by the function, at the point where its gradient is checked"):
        output = f(*foreign(args, tuple(copied(one) for one in trees)))
    question = Question(name_of(f), Value(f, args), Gradient(vjp, args, output), reproduce=f"fn.check.check_foreign({call})")
    return judge(question, trees, names, options, cotangent=plain_cotangent(options))


def copied(part: object) -> object:
    """Return a tree of fresh arrays."""
    return tree.map(np.copy, part)


def plain_cotangent(options: Options) -> object | None:
    """Return the cotangent that options give as a tree of arrays, or None."""
    given = options.get("cotangent")
    return None if given is None else to_tree(given, NUMBERS, "cotangent")
