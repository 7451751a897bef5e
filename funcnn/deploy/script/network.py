"""A network as lines of a function: one for each layer of a chain."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from functools import partial
from typing import Any

import attrs
import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.combinators import frozen as frozen_combinator
from funcnn.deploy.script.collect import Collected, ScriptError
from funcnn.derivatives import sums
from funcnn.derivatives.input_gradient import gradient_forward
from funcnn.errors import describe
from funcnn.layer import AnyLayer, Layer, chain_parts
from funcnn.layer.modes import Mode
from funcnn.layers.normalization import batch_norm_of_batch
from funcnn.layers.pooling import adaptive_max_with_indices
from funcnn.sharding import shard


@frozen(eq=False)
class Step:
    """A layer of the flattened chain."""

    layer: AnyLayer
    place: str
    """Where its parameters and its state are: ``[1][0]``."""
    output: str
    """What it gives, in words."""


def steps(layer: AnyLayer, params: Any, state: Any, x: Any, mode: Mode, place: str = "") -> Iterator[Step]:
    """Yield the layers of a chain, those of chains inside of it too."""
    parts = chain_parts(layer)
    if not parts:
        yield Step(layer, place, describe(layer.forward(params, state, x, mode).output))
        return
    for index, one in enumerate(parts):
        yield from steps(one, params[index], state[index], x, mode, f"{place}[{index}]")
        x = one.forward(params[index], state[index], x, mode).output


def has_both_modes(layer: AnyLayer) -> bool:
    """Tell whether a layer, or one inside, is run in another mode than the network."""
    function, args, keywords = unwrapped(layer.forward)
    if function in MODE_CHANGES:
        return True
    inner = [one for given in (*args, *keywords.values()) for one in (given if isinstance(given, tuple) else (given,))]
    return any(has_both_modes(one) for one in inner if isinstance(one, Layer))


MODE_CHANGES = {frozen_combinator.forward, batch_norm_of_batch.forward, adaptive_max_with_indices.forward}
"""What runs a layer in another mode than the network, or reads in a forward what another kept."""


def unwrapped(function: Any) -> tuple[Any, list[Any], dict[str, Any]]:
    """Return what a partial calls, with the arguments that are bound to it."""
    args: list[Any] = []
    named: dict[str, Any] = {}
    while isinstance(function, partial):
        args, named = [*function.args, *args], {**function.keywords, **named}
        function = function.func
    return function, args, named


REFUSED = {
    shard.forward: "it divides the batch among threads: export the layer inside, which has the same parameters",
    sums.forward: "its derivatives go through complex numbers, which a script leaves out",
    gradient_forward: "its derivatives go through complex numbers, which a script leaves out",
}


def check_expressible(layer: AnyLayer, place: str = "") -> None:
    """Raise, with the path of a layer, unless it and all inside it can be written."""
    function, args, keywords = unwrapped(layer.forward)
    if function in REFUSED:
        raise ScriptError(f"layer {place} {layer.name} cannot be written as plain NumPy: {REFUSED[function]}")
    if not str(function.__module__).startswith("funcnn."):
        raise ScriptError(f"layer {place} {layer.name} cannot be written as plain NumPy: it is no layer of the library")
    for given in (*args, *keywords.values()):
        many = isinstance(given, tuple)
        for index, one in enumerate(given if many else (given,)):
            if isinstance(one, Layer):
                check_expressible(one, f"{place}[{index}]" if many else place)


def refer_to_records(collected: Collected, x: Any) -> None:
    """Collect the classes of records that an input is made of."""
    if isinstance(x, tuple):
        for one in x:
            refer_to_records(collected, one)
    elif attrs.has(type(x)):
        collected.refer(type(x))


def call(collected: Collected, function: Any, *given: str) -> str:
    """Return the call of a function that may have arguments bound to it."""
    inner, bound, keywords = unwrapped(function)
    args = collected.bound(inner, bound)
    named = [f"{name}={collected.expression(one)}" for name, one in keywords.items()]
    return f"{collected.expression(inner)}({', '.join([*args, *given, *named])})"


def built(collected: Collected, value: Any, path: str = "") -> str:
    """Return an expression that puts a tree together from its arrays, which stand in w under their paths."""
    if isinstance(value, np.ndarray):
        return f"w[{path!r}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {built(collected, one, f'{path}[{key!r}]')}" for key, one in value.items()) + "}"
    if isinstance(value, tuple) and type(value) is tuple:
        inner = [built(collected, one, f"{path}[{index}]") for index, one in enumerate(value)]
        return f"({', '.join(inner)},)" if len(inner) == 1 else f"({', '.join(inner)})"
    if attrs.has(type(value)):
        names = [one.name for one in attrs.fields(type(value)) if one.init]
        inner = [f"{name}={built(collected, getattr(value, name), f'{path}.{name}')}" for name in names]
        return f"{collected.refer(type(value))}({', '.join(inner)})"
    raise ScriptError(f"the parameters hold {describe(value)}, expected arrays, tuples and records")


def arrays(params: Any, prefix: str) -> dict[str, Any]:
    """Return the leaves of a tree under the names that :func:`built` reads."""
    return {f"{prefix}{path}": leaf for path, leaf in tree.walk(params)}


def wrapped(text: str, indent: str = "    ") -> str:
    """Return a statement in lines of at most 130 characters, where it can be broken at a comma."""
    if len(text) <= 120:
        return text
    lines = textwrap.wrap(text, 120, subsequent_indent=indent * 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)
