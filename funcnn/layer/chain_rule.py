"""Composition: the chain rule.

::

    y = f_n(... f_2(f_1(x)))        dx = f_1'^T(f_2'^T(... f_n'^T(dy)))

The parameters, the state and the residuals of a chain are the tuples of its layers'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

import numpy as np

from funcnn.errors import add_step, describe
from funcnn.key import Key
from funcnn.layer.modes import Mode, Train, keeps_residuals
from funcnn.layer.results import NOT_ASKED, Backward, Forward, Init, Residuals
from funcnn.layer.shapes import check_init
from funcnn.typing import Shape, Shapes


class Link(Protocol):
    """A layer, as far as the chain rule needs it."""

    # Any: a chain holds layers of any types; the overloads of serial and of >> hold the neighbours to account.

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def init(self) -> Callable[[Key, Shapes], Init[Any, Any]]:
        """Makes parameters and state."""
        ...

    @property
    def forward(self) -> Callable[[Any, Any, Any, Mode], Forward[Any, Any, Residuals]]:
        """Computes."""
        ...

    @property
    def backward(self) -> Callable[[Any, Residuals, Any], Backward[Any, Any]]:
        """Takes the cotangent of the output, and gives those of the parameters and of the input."""
        ...

    @property
    def random(self) -> bool:
        """Whether forward draws random numbers in training."""
        ...

    @property
    def selective(self) -> bool:
        """Whether backward takes ``input_grad=False``."""
        ...


def chain_init(layers: tuple[Link, ...], key: Key, in_shape: Shapes) -> Init[tuple[object, ...], tuple[object, ...]]:
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


def chain_forward(
    layers: tuple[Link, ...],
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


def chain_backward(
    layers: tuple[Link, ...],
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
    return Backward(tuple(grads), doutput if input_grad else NOT_ASKED)


def params_only(layer: Link, params: Any, residuals: Residuals, doutput: Any) -> Backward[Any, Any]:
    """Call a layer's backward without the cotangent of the input, where it can leave that out."""
    if layer.selective:
        return cast("Callable[..., Backward[Any, Any]]", layer.backward)(params, residuals, doutput, input_grad=False)
    return layer.backward(params, residuals, doutput)


def refuse_cotangent(doutput: object, shape: Shape) -> None:
    """Raise because a cotangent is not like the output that it belongs to."""
    raise ValueError(f"the cotangent of the output (doutput) is {describe(doutput)}, expected the output's shape {shape}")


def refuse_parts(count: int, params: object, state: object) -> None:
    """Raise because the parameters or the state are not a tuple with one entry for each layer of a chain."""
    what, got = ("states", state) if type(params) is tuple and len(params) == count else ("parameters", params)
    raise ValueError(f"a chain of {count} layers takes a tuple of as many {what}, got {describe(got)}")


CHAINS = frozenset({chain_forward.__code__, chain_backward.__code__})
"""The code of which a frame tells, by its ``layers``, ``index`` and ``offset``, which layer runs."""
