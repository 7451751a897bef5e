r"""Whether layers and losses of one's own are analytic, as the complex step needs them to be.

Those of the library are: the certificate holds each of them to it.  In a layer of one's own ``np.abs``, ``np.conj``, ``.real``,
a cast to a real dtype or a write into a real array loses the imaginary part, or turns it round, and the derivative would be
wrong without a sign of it.  Nothing that is computed at the complex point alone can tell (a conjugate is as smooth as what it
conjugates), so such a layer is tried beside: what its forward and its backward give at a complex step is compared with central
differences of the same functions, in float64, at two examples of the batch that is at hand, moved a little off whatever kink
they stand at.  What is looked for is wrong in its first digit; entry by entry the nearest of three step sizes counts, so that a
kink between two points is not taken for an error.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import attrs
import numpy as np
from attrs import evolve

from funcnn import tree
from funcnn.derivatives.complex_step import as_complex, moved, parts, real_part, tangent
from funcnn.layer import AnyLayer, Forward, Layer, Mode
from funcnn.layer.instrument import is_composed, map_layers
from funcnn.losses.loss import Loss, LossForward
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")

_H = 2.0**-100
_STEPS = (1e-4, 1e-6, 1e-8)
_TOLERANCE = 1e-2
_EXAMPLES = 2
_OWN = ("funcnn", "numpy", "functools", "operator", "builtins", "_operator")


class NotAnalyticError(ValueError):
    """Raised when a layer or a loss of one's own loses the imaginary part of a complex step: its derivative would be wrong."""


def watched(model: Layer[P, S, X, Y], *, backward: bool = True) -> Layer[P, S, X, Y]:
    """Return the model with each layer of one's own tried as it is used; the model itself where all are the library's.

    Parameters
    ----------
    model : Layer
    backward : bool, optional
        Whether backward is tried as well.
    """
    return map_layers(partial(_watched, backward), model) if is_foreign(model) else model


def _watched(backward: bool, path: str, layer: AnyLayer) -> AnyLayer:
    if is_composed(layer) or not is_foreign(layer):
        return layer
    return evolve(layer, forward=partial(_forward, layer, path, backward))


def is_foreign(value: object) -> bool:
    """Tell whether a layer or a loss is made of a function that is not the library's."""
    return any(_module(one).split(".")[0] not in _OWN for one in _functions(value, {}))


def _module(function: object) -> str:
    return str(getattr(function, "__module__", None) or "numpy")  # ufuncs have no module


def _functions(value: object, seen: dict[int, object]) -> Iterator[object]:
    """Yield the functions that a layer or a loss is made of."""
    if id(value) in seen:
        return
    seen[id(value)] = value  # held, so that no other object takes its number
    if isinstance(value, (Layer, Loss)):
        yield from _functions((value.forward, value.backward), seen)
    elif isinstance(value, partial):
        yield from _functions((value.func, value.args, tuple(value.keywords.values())), seen)
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from _functions(one, seen)
    elif isinstance(value, types.MethodType):
        yield value
    elif attrs.has(kind := type(value)):
        if callable(value):
            yield kind
        yield from _functions(tuple(getattr(value, one.name) for one in attrs.fields(kind)), seen)
    elif callable(value):
        yield value if hasattr(value, "__qualname__") else type(value)


def _forward(layer: AnyLayer, path: str, backward: bool, params: Any, state: Any, x: Any, mode: Mode) -> Forward[Any, Any, Any]:
    """Return what a layer gives, after it was tried; an output that takes no part in a step becomes complex like the others."""
    at = tree.map_cotangents(_plain, real_part((params, x)))
    name = f"the layer {f'params{path} ' if path else ''}{layer.name}"
    with_backward = partial(_layer_values, layer, state, mode, backward)
    _try(name, with_backward, _few(with_backward, at))
    made = layer.forward(params, state, x, mode)
    return evolve(made, output=as_complex(made.output))


def _few(function: Callable[[Any, Any], Any], at: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return the point with the first examples only, if the layer takes them."""
    few = at[0], tree.map_cotangents(lambda leaf: leaf[:_EXAMPLES] if leaf.ndim else leaf, at[1])
    try:
        function(few, 0.0)
    except Exception:  # a layer whose input has no batch axis first: then it is tried on all of it
        return at
    return few


def _layer_values(layer: AnyLayer, state: Any, mode: Mode, backward: bool, at: tuple[Any, Any], step: complex) -> Any:
    """Return the output and, if asked for, the cotangents, at parameters, input and a cotangent moved along fixed directions."""
    params, x = _moved(at, step, 0)
    made = layer.forward(params, state, x, mode)
    if not backward:
        return made.output
    like = real_part(made.output)
    doutput = _moved(tree.map_cotangents(_cotangent, like), step, 1)
    pulled = layer.backward(params, made.residuals, doutput)
    return made.output, pulled.params, pulled.input


def _cotangent(leaf: Array) -> Any:  # Any: None of integers
    return np.cos(1.3 * np.arange(leaf.size) + 0.4).reshape(leaf.shape) if leaf.dtype.kind == "f" else None


def watched_loss(loss: Loss[Y, T]) -> Loss[Y, T]:
    """Return the loss, which is tried as it is used if it is one's own."""
    return evolve(loss, forward=partial(_loss_forward, loss)) if is_foreign(loss) else loss


def _loss_forward(loss: Loss[Any, Any], prediction: Any, target: Any) -> LossForward[Any]:
    at = tree.map_cotangents(_plain, real_part(prediction))
    _try(f"the loss {loss.name}", partial(_loss_values, loss, target), at)
    return loss.forward(prediction, target)


def _loss_values(loss: Loss[Any, Any], target: Any, at: Any, step: complex) -> Any:
    made = loss.forward(_moved(at, step, 0), target)
    return np.asarray(made.value), loss.backward(made.residuals)


def _try(name: str, function: Callable[[Any, Any], Any], at: Any) -> None:
    """Raise a NotAnalyticError unless a function's complex step agrees with its differences."""
    advice = (
        "abs, conj, real, a cast to a real dtype or a write into a real array loses the imaginary part: write |x| as"
        " x * np.sign(x.real), compare real parts, and make arrays by np.zeros_like (probe=False leaves this trial out)"
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        base, again = function(at, 0.0), function(at, 0.0)
        if not all(_same(one, other) for one, other in zip(parts(base), parts(again), strict=True)):
            raise NotAnalyticError(
                f"{name} gives another result each time it is called: it draws random numbers that do not come from the mode's"
                " key (mode.uniform, mode.normal), and has no derivative"
            )
        try:
            stepped = parts(tangent(function(at, 1j * _H), _H))
        except Exception as error:
            raise NotAnalyticError(f"{name} takes no complex numbers ({type(error).__name__}: {error}); {advice}") from error
        pairs: list[Any] = [(parts(function(at, step)), parts(function(at, -step)), step) for step in _STEPS]
    for index, imaginary in enumerate(stepped):
        if imaginary is None or not imaginary.size:
            continue
        slopes: list[Array] = [(above[index] - below[index]) / (2 * step) for above, below, step in pairs]
        errors = np.min([np.abs(slope - imaginary) for slope in slopes], axis=0)
        size = max(float(np.linalg.norm(imaginary)), float(np.linalg.norm(slopes[0])))
        if np.isfinite(size) and np.linalg.norm(errors) > _TOLERANCE * size + 1e-6 * _largest(base):
            raise NotAnalyticError(
                f"{name} is not analytic: a complex step moves result {index} of its functions by {_first(imaginary)}, a real one"
                f" by {_first(slopes[0])}; {advice}"
            )


def _same(one: Any, other: Any) -> bool:
    return one is other or np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _largest(values: Any) -> float:
    return max((float(np.abs(one).max()) for one in parts(values) if one is not None and one.size), default=0.0)


def _first(numbers: Array) -> str:
    flat = numbers.ravel()
    return f"{flat[int(np.argmax(np.abs(flat)))]:.3g}"


def _plain(leaf: Array) -> Array:
    """Return a leaf in float64, moved a little off a kink that it may stand at."""
    if leaf.dtype.kind != "f":
        return leaf
    wide = leaf.astype(np.float64)
    pattern = np.sin(0.7 * np.arange(leaf.size) + 0.2).reshape(leaf.shape)
    shifted: Array = wide + 1e-3 * pattern * np.where(wide == 0, 1.0, wide)
    return shifted


def _moved(values: Any, step: complex, phase: int) -> Any:
    """Return values moved by a step along fixed directions, as long as the values are."""
    number = iter(range(phase, 1 << 30))
    return tree.map_cotangents(lambda leaf: _shift(leaf, step, next(number)), values)


def _shift(leaf: Array, step: complex, number: int) -> Array:
    if leaf.dtype.kind != "f":
        return leaf
    along = np.sin(1.1 * np.arange(leaf.size) + 1 + 0.3 * number).reshape(leaf.shape)
    size = float(np.sqrt(np.mean(leaf**2))) if leaf.size else 1.0
    if isinstance(step, complex):
        return moved(leaf, [along * (size or 1.0)], step.imag)
    shifted: Array = leaf + step * (size or 1.0) * along
    return shifted
