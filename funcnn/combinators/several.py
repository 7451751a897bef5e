"""Running several layers side by side: what branch, parallel, add and concatenate share.

The parameters, state and residuals of such a combination are the tuples of its layers'.  An error in one of them gains its
position.
"""

from functools import reduce
from typing import Any

from funcnn import tree
from funcnn.errors import add_step, describe
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Mode, Train, backward_without_input, check_layer, params_only
from funcnn.typing import Shapes

# Any: the parameters, states and values of layers of any types; each combinator's overloads hold them to account.
Results = list[Forward[Any, Any, Any]]


def check_layers(layers: tuple[AnyLayer, ...], name: str, least: int = 2) -> None:
    """Raise unless the arguments are layers, and enough of them."""
    if len(layers) < least:
        raise ValueError(f"{name} needs at least {least} layers, got {len(layers)}")
    for index, one in enumerate(layers):
        check_layer(one, f"the argument of {name} at position {index}")


def init_each(layers: tuple[AnyLayer, ...], key: Key, in_shapes: tuple[Shapes, ...]) -> list[Init[Any, Any]]:
    """Return what each layer's init gives for its input's shape."""
    made = []
    for index, (layer, shape) in enumerate(zip(layers, in_shapes, strict=True)):
        try:
            made.append(layer.init(key.child(index), shape))
        except Exception as error:
            add_step(error, index, layer.name, shape)
            raise
    return made


def forward_each(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], state: tuple[Any, ...], xs: tuple[Any, ...], mode: Mode
) -> Results:
    """Return what each layer's forward gives for its input."""
    check_lengths(layers, parameters=params, states=state)
    made = []
    for index, layer in enumerate(layers):
        own = mode.child(index) if layer.random and isinstance(mode, Train) else mode
        try:
            made.append(layer.forward(params[index], state[index], xs[index], own))
        except Exception as error:
            add_step(error, index, layer.name, xs[index])
            raise
    return made


def backward_each(
    layers: tuple[AnyLayer, ...], params: tuple[Any, ...], residuals: tuple[Any, ...], dys: tuple[Any, ...], input_grad: bool
) -> list[Backward[Any, Any]]:
    """Return what each layer's backward gives for its output's cotangent."""
    check_lengths(layers, residuals=residuals, cotangents=dys)
    made = []
    for index, layer in enumerate(layers):
        try:
            given = params[index], residuals[index], dys[index]
            made.append(layer.backward(*given) if input_grad else params_only(layer, *given))
        except Exception as error:
            add_step(error, index, layer.name, dys[index])
            raise
    return made


def check_lengths(layers: tuple[AnyLayer, ...], **tuples: tuple[Any, ...]) -> None:
    """Raise unless each argument is a tuple with one entry for each layer."""
    for what, entries in tuples.items():
        if type(entries) is not tuple or len(entries) != len(layers):
            raise ValueError(f"{len(layers)} layers take a tuple of as many {what}, got {describe(entries)}")


def joined(output: object, made: Results) -> Forward[Any, Any, Any]:
    """Return the forward of the combination: an output, and the tuples of the layers' states and residuals."""
    return Forward(output, tuple([one.state for one in made]), tuple([one.residuals for one in made]))


def pulled_to_one_input(made: list[Backward[Any, Any]], input_grad: bool) -> Backward[Any, Any]:
    """Return the backward where all layers had one input: its cotangent is the sum of theirs."""
    grads = tuple([one.params for one in made])
    if not input_grad:
        return backward_without_input(grads)
    return Backward(grads, total([one.input for one in made]))


def total(values: list[Any]) -> Any:
    """Return the sum of cotangents of one tree, or of outputs of one shape."""
    return reduce(tree.add_cotangents, values)
