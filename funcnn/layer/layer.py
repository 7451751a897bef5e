"""A layer, a record of pure functions, and a chain of layers, which is one as well."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, SupportsIndex, TypeAlias, TypeVar, TypeVarTuple, cast

import numpy as np
from attrs import Factory, field, frozen

from funcnn.errors import shown
from funcnn.key import Key
from funcnn.layer.chain_rule import chain_backward, chain_forward, chain_init
from funcnn.layer.modes import Mode
from funcnn.layer.results import Backward, Forward, Init, Residuals
from funcnn.runtime import nesting
from funcnn.typing import Shapes

P = TypeVar("P")  # parameter tree
S = TypeVar("S")  # state tree
X = TypeVar("X")  # input
Y = TypeVar("Y")  # output
Z = TypeVar("Z")  # output of a second layer
Q = TypeVar("Q")  # parameter tree of a second layer
T = TypeVar("T")  # state tree of a second layer
Ps = TypeVarTuple("Ps")
Ss = TypeVarTuple("Ss")


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
        See :mod:`funcnn.layer`.
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

    def _repr_html_(self) -> str:
        """Return the layer, and those that it is made of, as notebooks show them."""
        return f"<div><code>{_listed(self)}</code></div>"

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


def _listed(layer: AnyLayer) -> str:
    """Return a layer's name and a list of its parts."""
    from html import escape  # not on import: few programs need it

    parts = "".join([f"<li>{_listed(part)}</li>" for part in layer.parts])
    return escape(layer.name) + (f"<ol start=0>{parts}</ol>" if parts else "")


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


def check_layer(value: object, what: str) -> None:
    """Raise a TypeError that names the argument unless it is a layer."""
    if not isinstance(value, Layer):
        raise TypeError(f"{what} is {shown(value)}, expected a layer{_hint(value)}")


def _hint(value: object) -> str:
    """Return what to do about an argument that was to be a layer."""
    if isinstance(value, (list, tuple)):
        return f": unpack the {type(value).__name__} with *, as in serial(*layers)"
    return ": a factory is called first, relu() and not relu" if callable(value) else ""


def chain(layers: tuple[AnyLayer, ...], kind: type[AnyLayer] = Layer) -> AnyLayer:
    """Return the composition of layers, first to last: the untyped core of ``serial`` and ``>>``."""
    if not layers:
        raise ValueError("serial needs at least one layer")
    for index, one in enumerate(layers):
        check_layer(one, f"the argument of serial at position {index}")
    return kind(
        "serial",
        partial(chain_init, layers),
        cast("Callable[..., Forward[object, tuple[object, ...], Residuals]]", partial(chain_forward, layers)),
        cast("Callable[..., Backward[tuple[object, ...], object]]", partial(chain_backward, layers)),
        any(one.random for one in layers),
        layers,
        partial(chain, kind=kind),
    )


def chain_parts(layer: AnyLayer) -> tuple[AnyLayer, ...]:
    """Return the layers of a chain; of any other layer, or a chain of which a function was replaced, nothing."""
    made = [
        function.args[0]
        for function, own in ((layer.forward, chain_forward), (layer.backward, chain_backward))
        if isinstance(function, partial) and function.func is own and len(function.args) == 1 and not function.keywords
    ]
    return made[0] if len(made) == 2 and made[0] is made[1] else ()


def comparable(value: object) -> object:
    """Return what two equal functions share: partials of one function with equal arguments are equal, and so are equal arrays."""
    if isinstance(value, partial):
        keywords = tuple((name, comparable(one)) for name, one in sorted(value.keywords.items()))
        return (comparable(value.func), tuple(comparable(one) for one in value.args), keywords)
    if isinstance(value, np.ndarray):
        return (value.shape, str(value.dtype), value.tobytes())
    return value
