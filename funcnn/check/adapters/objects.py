"""Objects that hold parameters and remember: a loss with its gradient, a layer with forward and backward."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Unpack, cast

from attrs import frozen

from funcnn.check.adapters.foreign import NUMBERS, plain_cotangent, plain_output
from funcnn.check.adapters.forms import gradient_to_tree, to_foreign, to_tree
from funcnn.check.adapters.pose import judge, spelled_options
from funcnn.check.adapters.terms import Options
from funcnn.check.case.calls import with_note
from funcnn.check.case.problem import Question
from funcnn.check.functions import times
from funcnn.check.report import Report
from funcnn.check.verify import ONE
from funcnn.errors import shown


@frozen(eq=False)
class Loss:
    """A method that gives a number, as a function of its first argument."""

    thing: object
    method: str
    like: object
    rest: tuple[object, ...]

    def __call__(self, params: object) -> object:
        """Return the loss."""
        method = cast("Callable[..., object]", getattr(copy.deepcopy(self.thing), self.method))
        return plain_output(method(to_foreign(self.like, params, NUMBERS.foreign), *copy.deepcopy(self.rest)))


@frozen(eq=False)
class LossGradient:
    """The method that gives its gradient, times dy."""

    thing: object
    method: str
    like: object
    rest: tuple[object, ...]

    def __call__(self, params: object, dy: object) -> object:
        """Return the gradient."""
        method = cast("Callable[..., object]", getattr(copy.deepcopy(self.thing), self.method))
        got = method(to_foreign(self.like, params, NUMBERS.foreign), *copy.deepcopy(self.rest))
        return (times(gradient_to_tree(params, got), dy),)


def check_object(
    thing: object, params: object, *args: object, loss: str = "loss", gradient: str = "gradient", **options: Unpack[Options]
) -> Report:
    """Check an object's method that gives the gradient of another of its methods.

    Every call is made on a copy of the object, so that what it remembers of one call is no part of the next.

    Parameters
    ----------
    thing : object
        With the two methods; ``copy.deepcopy`` must take it.
    params : tree
        The first argument of both methods, which is differentiated.
    *args
        What else both take.
    loss : str, optional
        The method that gives a number: ``thing.loss(params, *args)``.
    gradient : str, optional
        The method that gives a tree like ``params``: ``thing.gradient(params, *args)``.
    **options
        As in :func:`check_foreign`; ``contract`` is False by default, so that values alone count.

    Returns
    -------
    Report

    Raises
    ------
    TypeError
        When the object has no such methods, and as :func:`check_foreign`.
    ValueError
        When the loss is not a single number.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> class Ridge:
    ...     penalty = 0.1
    ...     def loss(self, w, x, y):
    ...         return np.sum((x @ w - y) ** 2) + self.penalty * np.sum(w**2)
    ...     def gradient(self, w, x, y):
    ...         return 2 * x.T @ (x @ w - y) + self.penalty * w
    >>> x, y = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([0.3, 0.7])
    >>> report = fn.check.check_object(Ridge(), np.array([0.2, -0.4]), x, y)
    >>> report.ok, report.findings[0].n_bad
    (False, 2)
    """
    _check_methods(thing, loss=loss, gradient=gradient)
    name = type(thing).__name__
    call = ", ".join(["thing", "params", *(["*args"] if args else []), f"loss={loss!r}", f"gradient={gradient!r}"])
    question = Question(
        f"{name}.{loss}",
        Loss(thing, loss, params, args),
        LossGradient(thing, gradient, params, args),
        reproduce=f"fn.check.check_object({call}, {', '.join(spelled_options(options))})",
    )
    chosen: Options = {"contract": False, **options}
    point = to_tree(params, NUMBERS, "params")
    return judge(question, (point,), ("params",), chosen, cotangent=ONE, prefixes=("params",))


@frozen(eq=False)
class Forward:
    """A forward method as a function of its inputs and of parameters that are attributes."""

    thing: object
    method: str
    attributes: tuple[str, ...]
    like: tuple[object, ...]

    def prepared(self, args: tuple[object, ...]) -> tuple[object, list[object]]:
        """Return a copy of the object with its parameters, and its inputs."""
        thing = copy.deepcopy(self.thing)
        made = [to_foreign(like, arg, NUMBERS.foreign) for like, arg in zip(self.like, args, strict=True)]
        count = len(self.attributes)
        for name, value in zip(self.attributes, made[:count], strict=True):
            _set(thing, name, value)
        return thing, made[count:]

    def run(self, args: tuple[object, ...]) -> tuple[object, object]:
        """Return the object after the call, and the output."""
        thing, inputs = self.prepared(args)
        return thing, getattr(thing, self.method)(*inputs)

    def __call__(self, *args: object) -> object:
        """Return the output."""
        return plain_output(self.run(args)[1])


@frozen(eq=False)
class Backward:
    """A backward method, after its forward."""

    forward: Forward
    method: str
    gradients: tuple[str, ...]
    inputs: int

    def __call__(self, *args_and_dy: object) -> object:
        """Return the gradients of parameters and inputs."""
        *args, dy = args_and_dy
        thing, output = self.forward.run(tuple(args))
        got = getattr(thing, self.method)(to_foreign(output, dy, NUMBERS.foreign))
        parts = [_get(thing, name) for name in self.gradients]
        if self.inputs == 1:
            parts.append(got[0] if isinstance(got, (tuple, list)) and len(got) == 1 else got)
        else:
            parts += list(got) if isinstance(got, (tuple, list)) else [got]
        if len(parts) != len(args):
            return tuple(parts)
        return tuple([gradient_to_tree(arg, part) for arg, part in zip(args, parts, strict=True)])


def check_backward(
    thing: object,
    *inputs: object,
    forward: str = "forward",
    backward: str = "backward",
    parameters: Mapping[str, str] | None = None,
    **options: Unpack[Options],
) -> Report:
    """Check an object that remembers its forward call for its backward call, and keeps parameters and their gradients.

    Every call is made on a copy of the object as it was given.

    Parameters
    ----------
    thing : object
        With the two methods; ``copy.deepcopy`` must take it.
    *inputs : tree
        What ``thing.forward(*inputs)`` takes.
    forward : str, optional
        The method that gives the output.
    backward : str, optional
        The method that takes dy and gives the gradient of the input (a tuple or list for several).
    parameters : mapping of str to str, optional
        The attributes that hold parameters, with those that hold their gradients after ``backward``:
        ``{"weight": "grad_weight"}``; ``"cell.weight"`` for an attribute of an attribute, ``"params['w']"`` for an entry.
    **options
        As in :func:`check_foreign`; ``contract`` is False by default, so that values alone count.  Arguments are numbered with
        the parameters first.

    Returns
    -------
    Report
        Leaves are named by the attribute, ``input`` or ``inputs[1]``.

    Raises
    ------
    TypeError
        When the object lacks a method or an attribute, and as :func:`check_foreign`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> class Dense:
    ...     def __init__(self, weight):
    ...         self.weight = weight
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x @ self.weight
    ...     def backward(self, dy):
    ...         self.dweight = dy.T @ self.x
    ...         return dy @ self.weight.T
    >>> layer = Dense(np.array([[1.0, 0.2], [-0.3, 0.5]]))
    >>> report = fn.check.check_backward(layer, np.array([[0.1, 0.4], [2.0, -1.0]]), parameters={"weight": "dweight"})
    >>> report.findings[0].path, report.findings[0].diagnosis.tag
    ('weight', 'transpose')
    """
    _check_methods(thing, forward=forward, backward=backward)
    pairs = dict(parameters or {})
    values = [_get(thing, name) for name in pairs]
    named = ("input",) if len(inputs) == 1 else tuple(f"inputs[{index}]" for index in range(len(inputs)))
    names = (*pairs, *named)
    like = (*values, *inputs)
    run = Forward(thing, forward, tuple(pairs), like)
    with with_note("raised by the function, at the point where its gradient is checked"):
        run.run(tuple(to_tree(copy.deepcopy(one), NUMBERS) for one in like))
    call = ", ".join(["thing", *(["*inputs"] if inputs else []), f"forward={forward!r}", f"backward={backward!r}"])
    more = ", ".join([*([f"parameters={pairs!r}"] if pairs else []), *spelled_options(options)])
    question = Question(
        f"{type(thing).__name__}.{forward}",
        run,
        Backward(run, backward, tuple(pairs.values()), len(inputs)),
        reproduce=f"fn.check.check_backward({call}, {more})",
    )
    trees = tuple(to_tree(one, NUMBERS, name) for one, name in zip(like, names, strict=True))
    chosen: Options = {"contract": False, **options}
    return judge(question, trees, names, chosen, cotangent=plain_cotangent(options), prefixes=names)


def _check_methods(thing: object, **methods: str) -> None:
    for argument, name in methods.items():
        if isinstance(thing, type):
            raise TypeError(f"thing is the class {thing.__name__}, expected an object: make one first")
        if not callable(getattr(thing, name, None)):
            raise TypeError(f"{argument} is {shown(name)}, expected the name of a method: {type(thing).__name__} has no such one")


def _steps(name: str) -> tuple[list[str], str | None]:
    """Return the attributes of a name and the key at its end, if any: ``a.b['c']``."""
    path, _, key = name.partition("[")
    return path.split("."), key.rstrip("]").strip("'\"") if key else None


def _get(thing: object, name: str) -> object:
    attributes, key = _steps(name)
    for one in attributes:
        if not hasattr(thing, one):
            raise TypeError(f"parameters names {name!r}: {type(thing).__name__} has no attribute {one!r}")
        thing = getattr(thing, one)
    return thing if key is None else cast("dict[str, object]", thing)[key]


def _set(thing: object, name: str, value: object) -> None:
    attributes, key = _steps(name)
    for one in attributes if key is not None else attributes[:-1]:
        thing = getattr(thing, one)
    if key is None:
        setattr(thing, attributes[-1], value)
    else:
        cast("dict[str, object]", thing)[key] = value
