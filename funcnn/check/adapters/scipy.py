"""Functions in the manner of SciPy's optimizers: ``fun`` and ``jac``.  SciPy itself is not needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Unpack, cast

import numpy as np
from attrs import frozen

from funcnn.check import requests
from funcnn.check.adapters.pose import judge, spelled_options
from funcnn.check.adapters.terms import Options
from funcnn.check.case.problem import Question
from funcnn.check.functions import argument_names, called, name_of
from funcnn.check.report import Report
from funcnn.errors import shown
from funcnn.typing import Array


class _Operator(Protocol):
    """What SciPy's linear operators and sparse matrices have."""

    shape: tuple[int, ...]

    @property
    def T(self) -> _Operator: ...  # noqa: N802  # SciPy's name

    def __matmul__(self, other: Array) -> object: ...


@frozen(eq=False)
class Objective:
    """``fun`` at a vector, with what else it takes."""

    fun: Callable[..., object]
    rest: tuple[object, ...]
    both: bool

    def __call__(self, x: Array) -> object:
        """Return the value."""
        value = self.fun(x, *self.rest)
        return as_array(cast("tuple[object, object]", value)[0] if self.both else value)


@frozen(eq=False)
class Transposed:
    """The Jacobian's transpose times a cotangent."""

    fun: Callable[..., object]
    jac: Callable[..., object] | None
    rest: tuple[object, ...]

    def __call__(self, x: Array, dy: Array) -> tuple[Array]:
        """Return the gradient."""
        made = cast("tuple[object, object]", self.fun(x, *self.rest))[1] if self.jac is None else self.jac(x, *self.rest)
        expected = (*dy.shape, *x.shape)
        jacobian = made if hasattr(made, "shape") and not isinstance(made, np.generic) else np.asarray(made)
        shape = tuple(cast(_Operator, jacobian).shape)
        if shape != expected and not (dy.size == 1 and shape in {x.shape, (1, *x.shape)}):
            raise ValueError(f"jac gives shape {shape}, expected {expected}: outputs down, variables across")
        if isinstance(jacobian, np.ndarray):
            return ((jacobian.reshape(dy.size, x.size).T @ dy.reshape(-1)).reshape(x.shape),)
        return (np.asarray(cast(_Operator, jacobian).T @ dy.reshape(-1)).reshape(x.shape),)


def as_array(value: object) -> object:
    """Return a number or list as an array; a Python float, which has no precision of its own, as it is."""
    return value if type(value) is float else np.asarray(value)


def check_scipy(
    fun: Callable[..., object],
    jac: Callable[..., object] | bool,
    x0: Array,
    *args: object,
    **options: Unpack[Options],
) -> Report:
    """Check the gradient or Jacobian that an optimizer of SciPy is given.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` gives a number, as for ``scipy.optimize.minimize``, or a vector, as for ``least_squares`` and ``root``.
    jac : callable or True
        ``jac(x, *args)`` gives the gradient, or the matrix of shape (outputs, variables): an array, a sparse matrix or a linear
        operator.  True: ``fun`` gives the pair of value and gradient.  A Hessian is the Jacobian of a gradient: give the gradient
        as ``fun`` and the Hessian as ``jac``.
    x0 : Array
        The point, a vector.
    *args
        What else both take.
    **options
        As in :func:`check_foreign`; ``contract`` is False by default, so that values alone count.

    Returns
    -------
    Report

    Raises
    ------
    TypeError, ValueError
        When ``x0`` is no floating vector, ``jac`` is neither a function nor True, or gives another shape; as
        :func:`check_foreign`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> def circle(x, radius):
    ...     return np.array([x @ x - radius**2, x[0] - x[1]])
    >>> def jacobian(x, radius):
    ...     return np.array([2 * x, [1.0, -1.0]])
    >>> fn.check.check_scipy(circle, jacobian, np.array([0.5, 2.0]), 3.0).ok
    True
    """
    requests.functions(fun=fun)
    separate = None if jac is True else jac
    if separate is not None and not callable(separate):
        raise TypeError(f"jac is {shown(jac)}, expected a function or True, where fun gives the pair of value and gradient")
    if np.ndim(x0) != 1:
        raise TypeError(f"x0 is {shown(x0)}, expected a vector")
    point = np.asarray(x0)
    name = argument_names(fun, 1)
    second = "True" if separate is None else called(separate, "jac")
    call = ", ".join([called(fun, "fun"), second, *name, *(["*args"] if args else []), *spelled_options(options)])
    question = Question(
        name_of(fun),
        Objective(fun, args, separate is None),
        Transposed(fun, separate, args),
        reproduce=f"fn.check.check_scipy({call})",
    )
    chosen: Options = {"contract": False, **options}
    return judge(question, (point,), name, chosen, cotangent=options.get("cotangent"))
