r"""Checks of products of derivatives that others wrote: $J v$ and $H v$.

Indices: $k$ direction.

**Jacobian-vector products.**  A product $J v$ is linear in v, so that its columns, the products with unit vectors, are the
Jacobian, and $J^\top \bar y = (\langle \bar y, J e_i \rangle)_i$ is what the checker compares with differences, entry by
entry: a wrong column is named by the entry of the argument that it belongs to.  That products with other vectors are right too,
and so that the function is linear, is seen along random directions $v_k$, as the derivative of
$$ t \mapsto f \Big( x + \sum_k t_k v_k \Big), \qquad \frac{\partial}{\partial t_k} \langle \bar y, f \rangle = \langle \bar y, J
   v_k \rangle . $$
With many entries these alone are taken: a Gaussian direction sees a wrong number wherever it is.

**Hessian-vector products.**  The Hessian is symmetric: $H v$ is the gradient of $\langle v, \nabla f(p)\rangle$, and that is what
is differenced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import numpy as np

from funcnn import tree
from funcnn.check import requests
from funcnn.check.case.problem import Question, as_tree, pose
from funcnn.check.functions import argument_names, called, name_of, spelled
from funcnn.check.report import Report
from funcnn.check.verify import Method, verify
from funcnn.combinators.stop_gradient import zeros_like
from funcnn.errors import describe
from funcnn.typing import Array

P = TypeVar("P")

COLUMNS = 256
"""Entries of all arguments up to which each column of the Jacobian is looked at."""
_FEW, _MANY = 3, 12
"""Random directions beside the columns, and in their place."""
_STEP = 1e-6


def check_jvp(
    f: Callable[..., object],
    jvp: Callable[..., object],
    *args: object,
    seed: int = 0,
    method: Method = "auto",
    reference: str = "auto",
    explain: bool | float = True,
) -> Report:
    """Check a Jacobian-vector product written by hand against finite differences.

    Parameters
    ----------
    f : callable
        ``f(*args)`` gives an array, a number or a tree of arrays.
    jvp : callable
        ``jvp(*args, *directions)`` gives the derivative of the output along directions, one for each argument: of its
        structure, with None for integer leaves and for arguments without floating leaves.  The derivative is a tree like the
        output; in the place of its integers anything may stand.
    *args : tree
        The point.
    seed, method, reference, explain
        As in :func:`check_vjp`.

    Returns
    -------
    Report
        A wrong column of the Jacobian is named by the entry of the argument, as in :func:`check_vjp`; ``directions`` are products
        with random vectors.  With more than 256 entries these alone are looked at.

    Raises
    ------
    TypeError, ValueError
        As in :func:`check_vjp`; when a derivative is not a tree like the output.

    See Also
    --------
    check_vjp : the transpose.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.array([0.3, -1.2, 2.0])
    >>> fn.check.check_jvp(np.sin, lambda x, dx: dx * np.cos(x), x).ok
    True
    >>> report = fn.check.check_jvp(np.sin, lambda x, dx: dx * np.cos(x) * [1, 1, 1.001], x)
    >>> report.findings[0].path, report.findings[0].index
    ('[0]', (2,))
    """
    requests.options(seed, method, reference, explain)
    requests.functions(f=f, jvp=jvp)
    names = argument_names(f, len(args))
    call = ", ".join([called(f, "f"), called(jvp, "jvp"), *names, *spelled(seed, method, reference)])
    floating = [leaf for arg in args for leaf in tree.leaves(arg) if leaf.dtype.kind == "f"]
    size = sum(leaf.size for leaf in floating)
    columns = 0 < size <= COLUMNS
    generator = np.random.default_rng([seed, 11])
    ways = [_drawn(args, generator) for _ in range(_FEW if columns else _MANY)]
    t = np.zeros(len(ways), np.result_type(*floating)) if floating else np.zeros(len(ways))

    def moved(*given: Any) -> object:
        *point, steps = given
        return f(*_along(tuple(point), ways, steps))

    def pullback(*given: Any) -> tuple[object, ...]:
        *point, steps, dy = given
        there = _along(tuple(point), ways, steps)
        output = as_tree(f(*there))
        product = np.array([_inner(dy, _tangent(jvp, there, _like(way, there), output)) for way in ways])
        along = product.astype(steps.dtype, copy=False)
        if not columns:
            return (along,)
        return (*_transposed(lambda way: _inner(dy, _tangent(jvp, there, way, output)), there), along)

    question = Question(name_of(f), moved, pullback, reproduce=f"fn.check.check_jvp({call})")
    prefixes = (*[f"[{position}]" for position in range(len(args))], "directions")
    wanted = tuple(range(len(args) + 1)) if columns else (len(args),)
    if not floating:
        pose(Question(name_of(f), f, jvp), args, names)  # raises: there is nothing to differentiate
    problem = pose(question, (*args, t), (*names, "directions"), prefixes, wanted)
    return verify(problem, seed=seed, method=method, reference=reference, explain=explain)


def check_hvp(
    grad: Callable[..., P],
    hvp: Callable[..., P],
    params: P,
    *args: object,
    vector: P | None = None,
    seed: int = 0,
    method: Method = "auto",
    reference: str = "auto",
    explain: bool | float = True,
) -> Report:
    r"""Check a Hessian-vector product against differences of the gradient.

    The Hessian is symmetric: $H v$ is the gradient of $\langle v, \nabla f(p)\rangle$, and that is what is differenced.
    ``grad`` itself must be right: check it first (:func:`check_grad`).

    Parameters
    ----------
    grad : callable
        ``grad(params, *args)`` gives a tree like ``params``.
    hvp : callable
        ``hvp(params, vector, *args)`` gives the product of the Hessian with a tree like ``params``.
    params : tree
        The point.
    *args : tree
        Whatever else the functions take.
    vector : tree, optional
        The vector; by default random.
    seed, method, reference, explain
        As in :func:`check_vjp`.

    Returns
    -------
    Report
        Where it fails, ``notes`` say whether the derivative of ``grad``, or the product, is not symmetric, as a Hessian is.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.check.check_hvp(lambda p: p**3, lambda p, v: 3 * p**2 * v, np.array([1.0, -2.0])).ok
    True
    """
    requests.options(seed, method, reference, explain)
    requests.functions(grad=grad, hvp=hvp)

    def pullback(params: P, *rest: object) -> tuple[P]:
        *args, vector = rest
        return (hvp(params, vector, *args),)

    names = ("params", *argument_names(grad, len(args) + 1)[1:])
    call = ", ".join([called(grad, "grad"), called(hvp, "hvp"), *names, *spelled(seed, method, reference, vector=vector)])
    question = Question(name_of(grad), grad, pullback, reproduce=f"fn.check.check_hvp({call})")
    problem = pose(question, (params, *args), names, names, (0,))
    report = verify(problem, cotangent=vector, given="vector", seed=seed, method=method, reference=reference, explain=explain)
    return report if report.ok else attrs.evolve(report, notes=(*report.notes, *asymmetries(grad, hvp, params, args, seed)))


def asymmetries(grad: Callable[..., Any], hvp: Callable[..., Any], params: Any, args: tuple[object, ...], seed: int) -> list[str]:
    r"""Return what of a gradient's derivative, or of a product, is not symmetric, as words for a report.

    The derivative of the gradient is that by differences, to half of the digits of float64.  Differences in single precision
    are mostly rounding: everything is widened, and a gradient that stays narrow is not asked.
    """
    params, args = _widened(params), tuple([_widened(arg) for arg in args])
    generator = np.random.default_rng([seed, 12])
    (u,), (v,) = (_drawn((params,), generator) for _ in range(2))
    if u is None:
        return []

    def slope(way: Any) -> Any:
        above, below = (grad(_moved(params, way, step), *args) for step in (_STEP, -_STEP))
        return tree.map_cotangents(lambda one, other: (one - other) / (2 * _STEP), above, below)

    def differ(one: float, other: float) -> bool:
        return bool(abs(one - other) > 1e-4 * max(abs(one), abs(other)))

    try:
        narrow = any(leaf.dtype == np.float32 for leaf in tree.leaves(as_tree(grad(params, *args))))
        first, second = (0.0, 0.0) if narrow else (float(_inner(u, slope(v))), float(_inner(v, slope(u))))
        mine, yours = float(_inner(u, hvp(params, v, *args))), float(_inner(v, hvp(params, u, *args)))
    except Exception:  # the report says what is wrong with the functions themselves
        return []
    if differ(first, second):
        return [
            f"the derivative of grad is not symmetric (<u, Jv> = {first:.6g}, <v, Ju> = {second:.6g} for random u and v): it is"
            " the gradient of no function, and has no Hessian; check_grad says what is wrong with it"
        ]
    if differ(mine, yours):
        return [f"the product is not symmetric (<u, Hv> = {mine:.6g}, <v, Hu> = {yours:.6g} for random u and v), as a Hessian is"]
    return []


def _widened(values: Any) -> Any:
    return tree.map(lambda leaf: leaf.astype(np.float64) if leaf.dtype == np.float32 else leaf, values)


def _drawn(args: tuple[object, ...], generator: np.random.Generator) -> tuple[Any, ...]:
    """Draw a direction for each argument: like it, with None for what has none."""

    def draw(leaf: Array) -> Any:  # Any: None of integers
        if leaf.dtype.kind != "f":
            return None
        way = generator.normal(size=leaf.shape) * np.where(leaf == 0, 1.0, np.minimum(np.abs(leaf), 1e30))
        return way.astype(leaf.dtype)

    return tuple([_or_none(tree.map_cotangents(draw, arg)) for arg in args])


def _or_none(direction: Any) -> Any:
    """Return None for a direction without a floating leaf."""
    return direction if any(leaf is not None for leaf in _parts(direction)) else None


def _parts(values: Any) -> list[Array | None]:
    """Return the leaves of a tree of cotangents, with None where there is none."""
    if values is None or isinstance(values, np.ndarray):
        return [values]
    return [leaf for _, child in tree.children(values) for leaf in _parts(child)]


def _like(way: tuple[Any, ...], args: tuple[object, ...]) -> tuple[Any, ...]:
    """Return a direction in the precision of the arguments."""
    return tuple(
        [None if one is None else tree.map_cotangents(_in_precision, arg, one) for one, arg in zip(way, args, strict=True)]
    )


def _in_precision(leaf: Array, own: Array) -> Array:
    return own.astype(leaf.dtype, copy=False)


def _along(args: tuple[object, ...], ways: list[tuple[Any, ...]], steps: Array) -> tuple[object, ...]:
    """Return the arguments moved along the directions; those that are not moved are the very same."""
    for step, way in zip(steps, ways, strict=True):
        if step:
            args = tuple(
                [arg if own is None else _moved(arg, own, step) for arg, own in zip(args, _like(way, args), strict=True)]
            )
    return args


def _moved(arg: Any, own: Any, step: Any) -> object:
    leaves = zip(tree.leaves(arg), _parts(own), strict=True)
    moved = [leaf if along is None else np.asarray(leaf + leaf.dtype.type(step) * along) for leaf, along in leaves]
    return tree.rebuild(arg, iter(moved))


def _transposed(product: Callable[[tuple[Any, ...]], Any], args: tuple[Any, ...]) -> list[Any]:
    """Return, for each argument, the products with its unit vectors."""
    zeros = [zeros_like(arg) for arg in args]
    made = []
    for position, arg in enumerate(args):
        columns: list[Any] = []
        for number, leaf in enumerate(tree.leaves(arg)):
            column: Any = None
            if leaf.dtype.kind == "f":
                column = np.zeros_like(leaf)
                for index in np.ndindex(leaf.shape):
                    column[index] = product(_with_unit(zeros, args, position, number, index))
            columns.append(column)
        made.append(tree.rebuild(arg, iter(columns)) if columns else None)
    return [_or_none(one) for one in made]


def _with_unit(zeros: list[Any], args: tuple[Any, ...], position: int, number: int, index: tuple[int, ...]) -> tuple[Any, ...]:
    """Return directions of zeros with a single 1."""
    leaves = [None if one is None else one.copy() for one in _parts(zeros[position])]
    unit: Any = leaves[number]
    unit[index] = 1
    own = tree.rebuild(args[position], iter(leaves))  # type: ignore[arg-type]  # None in the place of integers
    return tuple([_or_none(own if place == position else one) for place, one in enumerate(zeros)])


def _tangent(jvp: Callable[..., object], args: tuple[object, ...], way: tuple[Any, ...], output: object) -> object:
    """Return a product, of the output's structure and shapes, or raise."""
    made = as_tree(jvp(*args, *way))
    ours, theirs = list(tree.walk(output, "the output")), _parts(made)
    if len(ours) != len(theirs):
        raise ValueError(f"jvp gives {describe(made)}, expected a tree like the output, {describe(output)}")
    for (path, leaf), own in zip(ours, theirs, strict=True):
        if leaf.dtype.kind == "f" and (own is None or own.shape != leaf.shape):
            raise ValueError(f"jvp gives {describe(own)} for {path}, expected the shape of {path}, {leaf.shape}")
    return made


def _inner(dy: Any, tangent: Any) -> Any:
    """Return the inner product of the floating leaves."""
    pairs = zip(_parts(dy), _parts(tangent), strict=True)
    return sum((one * other).sum() for one, other in pairs if one is not None and other is not None and one.dtype.kind == "f")
