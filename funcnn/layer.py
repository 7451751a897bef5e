"""What a layer is: a record of pure functions, and how layers compose.

::

    init(key, in_shape)                  -> Init(params, state, out_shape)
    forward(params, state, x, mode)      -> Forward(output, state, residuals)
    backward(params, residuals, doutput) -> Backward(params, input)

``forward`` computes; ``backward`` is the transpose of its derivative at the same point: it takes the cotangent of the output
and gives the cotangents of the parameters and of the input.  What forward keeps for backward are *residuals*: a small frozen
class that each layer declares.  Their type is checked where a layer is made (:func:`define_layer`) and hidden afterwards
(:class:`Residuals`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import (
    Any,
    Generic,
    Literal,
    Never,
    NewType,
    NoReturn,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    TypeVarTuple,
    cast,
    overload,
)

import numpy as np
from attrs import Factory, field, frozen

from funcnn import tree
from funcnn.errors import add_step, check_count, check_flag, describe, shown
from funcnn.key import Key, check_key
from funcnn.runtime import nesting
from funcnn.runtime.records import fast_init
from funcnn.typing import Shape, Shapes

P = TypeVar("P")  # parameter tree
S = TypeVar("S")  # state tree
X = TypeVar("X")  # input
X_co = TypeVar("X_co", covariant=True)  # cotangent of the input
Y = TypeVar("Y")  # output
Z = TypeVar("Z")  # output of a second layer
Q = TypeVar("Q")  # parameter tree of a second layer
T = TypeVar("T")  # state tree of a second layer
R = TypeVar("R")  # residuals
V = TypeVar("V")  # a number or an array
Ps = TypeVarTuple("Ps")
Ss = TypeVarTuple("Ss")

Residuals = NewType("Residuals", object)
"""What a forward kept for its backward, with its type hidden: only the same layer's backward can read it."""


@frozen
class Train:
    """Training mode: batch statistics are used and updated, dropout drops.  The key makes it reproducible.

    What a layer needs to know of the batch beyond its own examples it asks the mode, because the layer may be given a part of the
    batch only (:func:`funcnn.shard`): then sums run over all parts, and random numbers are those that the whole batch would
    get.
    """

    key: Key

    def __attrs_post_init__(self) -> None:
        if type(self.key) is not Key:
            check_key(self.key)

    def child(self, index: int) -> Train:
        """Return the mode for a layer's part, with a key of its own."""
        return Train(self.key.child(index))

    def total(self, value: V) -> V:
        """Return the sum of a number or an array over all parts of the batch: here there is one."""
        return value

    def before(self, rows: int) -> int:
        """Return which row of the whole batch is the first of these ``rows``."""
        return 0

    def uniform(self, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Draw numbers from [0, 1), of which those of an example depend on its place in the whole batch."""
        return self.key.generator().random(shape, dtype=np.float32)

    def normal(self, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Draw standard normal numbers, of which those of an example depend on its place in the whole batch."""
        return self.key.generator().standard_normal(shape, dtype=np.float32)


@frozen
class Eval:
    """Evaluation mode: running statistics, no dropout.

    Parameters
    ----------
    residuals : bool
        Whether ``forward`` keeps what ``backward`` needs.  :func:`funcnn.apply` says no: a chain then frees every
        intermediate value as soon as it has been used.
    """

    residuals: bool = True

    def __attrs_post_init__(self) -> None:
        if type(self.residuals) is not bool:
            object.__setattr__(self, "residuals", check_flag(self.residuals, "residuals"))


Mode: TypeAlias = Train | Eval


@frozen(eq=False)
class Init(Generic[P, S]):
    """What ``init`` gives: parameters, state and the shape of one output (without the batch axis)."""

    params: P
    state: S
    out_shape: Shapes


@fast_init
@frozen(eq=False)
class Forward(Generic[Y, S, R]):
    """What ``forward`` gives: the output, the next state, and the residuals for ``backward``."""

    output: Y
    state: S
    residuals: R


_NOT_ASKED = object()


@fast_init
@frozen(eq=False)
class Backward(Generic[P, X_co]):
    """What ``backward`` gives: the cotangents of the parameters and of the input."""

    params: P
    _input: X_co

    @property
    def input(self) -> X_co:
        """The cotangent of the input.

        Raises
        ------
        ValueError
            When backward was called with ``input_grad=False``.
        """
        if self._input is _NOT_ASKED:
            raise ValueError("the gradient with respect to the input was not computed: ask for it with input_grad=True")
        return self._input


def backward_without_input(params: P) -> Backward[P, Never]:
    """Return the result of a backward that was told to leave out the cotangent of the input."""
    return Backward(params, cast(Never, _NOT_ASKED))


def comparable(value: object) -> object:
    """Return what two equal functions share: partials of one function with equal arguments are equal, and so are equal arrays."""
    if isinstance(value, partial):
        keywords = tuple((name, comparable(one)) for name, one in sorted(value.keywords.items()))
        return (comparable(value.func), tuple(comparable(one) for one in value.args), keywords)
    if isinstance(value, np.ndarray):
        return (value.shape, str(value.dtype), value.tobytes())
    return value


def _takes_input_grad(layer: AnyLayer) -> bool:
    return "input_grad" in inspect.signature(layer.backward).parameters


@frozen(eq=False)
class Layer(Generic[P, S, X, Y]):
    """A layer: a name and pure functions.  Make one with :func:`define_layer`, compose them with ``>>``.

    Two layers made alike are equal, and a layer pickles, since its functions stand at module level with their
    hyper-parameters bound by :class:`functools.partial`.  ``attrs.evolve(a_layer, backward=...)`` replaces the gradient.

    Parameters
    ----------
    name : str
        What messages and tables call it, such as ``dense(10)``.
    init, forward, backward : callable
        See the module's docstring.
    random : bool
        Whether forward draws random numbers in training: a chain gives such a layer a key of its own.
    parts : tuple of Layer
        The layers that this one is made of, if it is a combination.
    combine : callable or None
        Makes this layer again from (other) parts.
    """

    name: str
    init: Callable[[Key, Shapes], Init[P, S]] = field(repr=False)
    forward: Callable[[P, S, X, Mode], Forward[Y, S, Residuals]] = field(repr=False)
    backward: Callable[[P, Residuals, Y], Backward[P, X]] = field(repr=False)
    random: bool = field(default=True, repr=False)
    parts: tuple[Layer[object, object, object, object], ...] = field(default=(), repr=False)
    combine: Callable[[tuple[Layer[object, object, object, object], ...]], Layer[P, S, X, Y]] | None = field(
        default=None, repr=False
    )

    selective: bool = field(init=False, repr=False, default=Factory(_takes_input_grad, takes_self=True))
    """Whether backward takes ``input_grad=False``: worked out from its signature."""

    def __eq__(self, other: object) -> bool:
        return nesting.same(self, other, _compared) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self.name, self.random))

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        if _made_of(self) is None:
            return super().__reduce_ex__(protocol)
        return nesting.from_table, (nesting.to_table(self, _made_of),)

    def __rshift__(self, other: Layer[Q, T, Y, Z]) -> Chain[tuple[P, Q], tuple[S, T], X, Z]:
        """Compose: ``a >> b >> c`` is ``serial(a, b, c)``; a ``serial(...)`` inside stays one node of the tree."""
        return cast("Chain[tuple[P, Q], tuple[S, T], X, Z]", chain((self, other), Chain))


class Chain(Layer[P, S, X, Y]):
    """What ``>>`` makes: a composition to which a further ``>>`` appends."""

    # The base class says that two parameter trees become a pair; that a chain's tuple grows by one instead is the very point.
    def __rshift__(  # type: ignore[override]  # a layer makes a chain, a chain a longer one
        self: Chain[tuple[*Ps], tuple[*Ss], X, Y], other: Layer[Q, T, Y, Z]
    ) -> Chain[tuple[*Ps, Q], tuple[*Ss, T], X, Z]:
        """Append a layer: the parameter tree grows by one entry."""
        return cast("Chain[tuple[*Ps, Q], tuple[*Ss, T], X, Z]", chain((*self.parts, other), Chain))


def _compared(value: Any) -> tuple[object, ...] | None:
    """Return what is equal in equal layers; None of a value that is no layer."""
    return (value.name, value.random, value.init, value.forward, value.backward) if isinstance(value, Layer) else None


def _made_of(value: Any) -> tuple[object, ...] | None:
    """Return the arguments that make a layer again; None of any other value, and of layers of types of one's own."""
    if type(value) is not Layer and type(value) is not Chain:
        return None
    return (value.name, value.init, value.forward, value.backward, value.random, value.parts, value.combine)


# Any: a chain holds layers of any types; the overloads of serial and of >> hold the neighbours to account.
AnyLayer: TypeAlias = Layer[Any, Any, Any, Any]


@overload
def define_layer(
    name: str,
    init: Callable[[Key, Shape], Init[P, S]],
    forward: Callable[[P, S, X, Mode], Forward[Y, S, R]],
    backward: Callable[[P, R, Y], Backward[P, X]],
    *,
    random: bool = True,
    inputs: Literal[1] = 1,
) -> Layer[P, S, X, Y]: ...
@overload
def define_layer(
    name: str,
    init: Callable[[Key, tuple[Shape, ...]], Init[P, S]],
    forward: Callable[[P, S, X, Mode], Forward[Y, S, R]],
    backward: Callable[[P, R, Y], Backward[P, X]],
    *,
    random: bool = True,
    inputs: int,
) -> Layer[P, S, X, Y]: ...
def define_layer(
    name: str,
    init: Callable[[Key, Any], Init[P, S]],  # Any: the overloads say
    forward: Callable[[P, S, X, Mode], Forward[Y, S, R]],
    backward: Callable[[P, R, Y], Backward[P, X]],
    *,
    random: bool = True,
    inputs: int = 1,
) -> Layer[P, S, X, Y]:
    """Make a layer of its functions; that forward and backward agree on the residuals is checked statically.

    Parameters
    ----------
    name : str
        What messages and tables call the layer.
    init : callable
        ``init(key, in_shape) -> Init(params, state, out_shape)``; shapes are without the batch axis.
    forward : callable
        ``forward(params, state, x, mode) -> Forward(output, state, residuals)``.
    backward : callable
        ``backward(params, residuals, doutput) -> Backward(params, input)``.  It may take a further argument ``input_grad=True``;
        then, when that is False, it returns :func:`backward_without_input` of the parameters' gradient and saves the rest.
    random : bool, optional
        Whether forward draws random numbers in training.  When it does not, False saves making a key.
    inputs : int, optional
        Of how many inputs x is a tuple.  With more than one, ``init`` is given the tuple of their shapes, and the cotangent that
        ``backward`` returns is a tuple as well.

    Returns
    -------
    Layer
        Its ``init`` also checks the shape that it is given and marks the parameters read-only.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> double = fn.define_layer(
    ...     "double",
    ...     init=lambda key, in_shape: fn.Init((), (), in_shape),
    ...     forward=lambda params, state, x, mode: fn.Forward(2 * x, state, ()),
    ...     backward=lambda params, residuals, dy: fn.Backward(params, 2 * dy),
    ... )
    >>> fn.apply(double, (), (), np.ones((1, 2)))
    array([[2., 2.]])

    One of two inputs:

    >>> gate = fn.define_layer(
    ...     "gate",
    ...     init=lambda key, in_shapes: fn.Init((), (), in_shapes[0]),
    ...     forward=lambda params, state, x, mode: fn.Forward(x[0] * x[1], state, x),
    ...     backward=lambda params, x, dy: fn.Backward(params, (dy * x[1], dy * x[0])),
    ...     inputs=2,
    ... )
    >>> gate.init(fn.Key(0), ((3,), (3,))).out_shape
    (3,)
    """
    inputs = check_count(inputs, "inputs")
    hidden = cast("Callable[[P, S, X, Mode], Forward[Y, S, Residuals]]", forward)
    return Layer(
        name,
        partial(_checked_init, init) if inputs == 1 else partial(_checked_init_of_several, init, inputs),
        hidden,
        cast("Callable[[P, Residuals, Y], Backward[P, X]]", backward),
        random,
    )


def _checked_init(init: Callable[[Key, Shape], Init[P, S]], key: Key, in_shape: Shapes) -> Init[P, S]:
    check_key(key)
    made = init(key, checked_shape(in_shape))
    tree.freeze((made.params, made.state))
    return made


def _checked_init_of_several(
    init: Callable[[Key, tuple[Shape, ...]], Init[P, S]], inputs: int, key: Key, in_shape: Shapes
) -> Init[P, S]:
    check_init(key, in_shape)
    if len(in_shape) != inputs or not all(isinstance(one, tuple) for one in in_shape):
        raise ValueError(f"in_shape is {shown(in_shape)}, expected a tuple of the shapes of {inputs} inputs")
    made = init(key, cast("tuple[Shape, ...]", in_shape))
    tree.freeze((made.params, made.state))
    return made


def check_layer(value: object, what: str) -> None:
    """Raise a TypeError that names the argument unless it is a layer."""
    if not isinstance(value, Layer):
        raise TypeError(f"{what} is {shown(value)}, expected a layer{_hint(value)}")


def _hint(value: object) -> str:
    """Return what to do about an argument that was to be a layer."""
    if isinstance(value, (list, tuple)):
        return f": unpack the {type(value).__name__} with *, as in serial(*layers)"
    return ": a factory is called first, relu() and not relu" if callable(value) else ""


def check_init(key: Key, in_shape: Shapes) -> None:
    """Raise unless a key is one, and the shape one of an example, or a tuple of the shapes of several inputs, however nested."""
    check_key(key)
    _check_shapes(in_shape, in_shape)


def _check_shapes(shape: object, whole: object) -> None:
    wanted = "the shape of one example, a tuple such as (64,), or a tuple of such shapes"
    if not isinstance(shape, tuple):
        raise TypeError(f"in_shape is {shown(whole)}, expected {wanted}")
    for entry in shape:
        if isinstance(entry, tuple):
            _check_shapes(entry, whole)
        elif isinstance(entry, bool) or not isinstance(entry, (int, np.integer)) or entry < 1:
            raise ValueError(f"in_shape is {shown(whole)}: {shown(entry)} is no length of at least 1, expected {wanted}")


def checked_shape(shape: Shapes) -> Shape:
    """Return the shape of one example, a tuple of integers of at least 1; raise when it is anything else."""
    if not isinstance(shape, tuple):
        raise TypeError(f"in_shape is the shape of one example as a tuple such as (64,), got {shown(shape)}")
    if shape and all(isinstance(one, tuple) for one in shape):
        raise ValueError(
            f"in_shape {shown(shape)} is that of several inputs, expected that of one: a layer of one's own is made for several"
            f" inputs by define_layer(..., inputs={len(shape)})"
        )
    for axis, length in enumerate(shape):
        if isinstance(length, bool) or not isinstance(length, (int, np.integer)) or length < 1:
            raise ValueError(f"in_shape {shown(shape)}: axis {axis} is {shown(length)}, expected an integer of at least 1")
    return cast(Shape, shape)


# ------------------------------------------------------------------------------------------------- composition: the chain rule
#
#     y = f_n(... f_2(f_1(x)))        dx = f_1'^T(f_2'^T(... f_n'^T(dy)))
#
# The parameters, the state and the residuals of a chain are the tuples of its layers'.


def chain(layers: tuple[AnyLayer, ...], kind: type[AnyLayer] = Layer) -> AnyLayer:
    """Return the composition of layers, first to last: the untyped core of ``serial`` and ``>>``."""
    if not layers:
        raise ValueError("serial needs at least one layer")
    for index, one in enumerate(layers):
        check_layer(one, f"the argument of serial at position {index}")
    return kind(
        "serial",
        partial(_chain_init, layers),
        cast("Callable[..., Forward[object, tuple[object, ...], Residuals]]", partial(_chain_forward, layers)),
        cast("Callable[..., Backward[tuple[object, ...], object]]", partial(_chain_backward, layers)),
        any(one.random for one in layers),
        layers,
        partial(chain, kind=kind),
    )


def chain_parts(layer: AnyLayer) -> tuple[AnyLayer, ...]:
    """Return the layers of a chain; of any other layer, or a chain of which a function was replaced, nothing."""
    made = [
        function.args[0]
        for function, own in ((layer.forward, _chain_forward), (layer.backward, _chain_backward))
        if isinstance(function, partial) and function.func is own and len(function.args) == 1 and not function.keywords
    ]
    return made[0] if len(made) == 2 and made[0] is made[1] else ()


def params_only(layer: Layer[P, S, X, Y], params: P, residuals: Residuals, doutput: Y) -> Backward[P, X]:
    """Call a layer's backward without the cotangent of the input, where it can leave that out."""
    if layer.selective:
        return cast("Callable[..., Backward[P, X]]", layer.backward)(params, residuals, doutput, input_grad=False)
    return layer.backward(params, residuals, doutput)


def _chain_init(layers: tuple[AnyLayer, ...], key: Key, in_shape: Shapes) -> Init[tuple[object, ...], tuple[object, ...]]:
    check_init(key, in_shape)
    params, state, shape = [], [], in_shape
    for index, layer in enumerate(layers):
        try:
            made = layer.init(key.child(index), shape)
        except Exception as error:
            add_step(error, index, layer.name, shape)
            raise
        params.append(made.params)
        state.append(made.state)
        shape = made.out_shape
    return Init(tuple(params), tuple(state), shape)


def _chain_forward(
    layers: tuple[AnyLayer, ...],
    params: tuple[object, ...],
    state: tuple[object, ...],
    x: object,
    mode: Mode,
    offset: int = 0,  # the position of the first layer, where these are the stretch of a longer chain
) -> Forward[object, tuple[object, ...], tuple[Any, ...]]:  # Any: residuals, and last the output's shape
    if type(params) is not tuple or len(params) != len(layers) or type(state) is not tuple or len(state) != len(layers):
        refuse_parts(len(layers), params, state)
    keep = isinstance(mode, Train) or keeps_residuals(mode)
    states: list[object] = []
    residuals: list[Any] = []
    index = 0
    try:
        for index, layer in enumerate(layers):
            own = mode.child(offset + index) if layer.random and isinstance(mode, Train) else mode
            step = layer.forward(params[index], state[index], x, own)
            x = step.output
            states.append(step.state)
            if keep:
                residuals.append(step.residuals)
    except Exception as error:
        add_step(error, offset + index, layers[index].name, x)
        raise
    if keep:  # what backward is to be given the cotangent of
        residuals.append(x.shape if isinstance(x, np.ndarray) else None)
    return Forward(x, tuple(states), tuple(residuals))


def keeps_residuals(mode: object) -> bool:
    """Tell whether backward may be called after a forward in a mode of evaluation; raise when it is no mode."""
    return mode.residuals if isinstance(mode, Eval) else refuse_mode(mode)


def refuse_mode(mode: object) -> NoReturn:
    """Raise because something else stands in the place of a mode."""
    raise TypeError(f"the mode is {shown(mode)}, expected fn.Train(key) or fn.Eval()")


def refuse_cotangent(doutput: object, shape: Shape) -> None:
    """Raise because a cotangent is not like the output that it belongs to."""
    raise ValueError(f"the cotangent of the output (doutput) is {describe(doutput)}, expected the output's shape {shape}")


def refuse_parts(count: int, params: object, state: object) -> None:
    """Raise because the parameters or the state are not a tuple with one entry for each layer of a chain."""
    what, got = ("states", state) if type(params) is tuple and len(params) == count else ("parameters", params)
    raise ValueError(f"a chain of {count} layers takes a tuple of as many {what}, got {describe(got)}")


def _chain_backward(
    layers: tuple[AnyLayer, ...],
    params: tuple[object, ...],
    residuals: tuple[Any, ...],
    doutput: object,
    input_grad: bool = True,
    offset: int = 0,
) -> Backward[tuple[object, ...], object]:
    if type(residuals) is not tuple or len(residuals) != len(layers) + 1:
        raise ValueError(
            f"a chain of {len(layers)} layers takes the residuals of its own forward, got {describe(residuals)}: were they kept?"
        )
    if residuals[-1] is not None and getattr(doutput, "shape", None) != residuals[-1]:
        refuse_cotangent(doutput, residuals[-1])
    first = 0  # the first layer whose backward is needed
    if not input_grad:
        while first < len(layers) and type(params[first]) is tuple and not params[first]:
            first += 1
    grads = list(params)  # the layers before the first have no parameters, and so no gradients either
    index = len(layers) - 1
    try:
        while index > first or (index == first and input_grad):
            step = layers[index].backward(params[index], residuals[index], doutput)
            grads[index] = step.params
            doutput = step._input
            index -= 1
        if index == first:
            grads[first] = params_only(layers[first], params[first], residuals[first], doutput).params
    except Exception as error:
        add_step(error, offset + index, layers[index].name, doutput)
        raise
    return Backward(tuple(grads), doutput if input_grad else _NOT_ASKED)


CHAINS = frozenset({_chain_forward.__code__, _chain_backward.__code__})
"""The code of which a frame tells, by its ``layers``, ``index`` and ``offset``, which layer runs."""
