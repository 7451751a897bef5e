r"""A linear map over any axes, written as an Einstein sum.

Indices: $n$ example; the axes of an example, of the weight and of the output have letters.  With $r$ the letters that are summed,
$f$ those of the input and $o$ those of the weight that stay, and $g$ those that both have and that stay,

Forward
$$ y_{n,fog} = \sum_r x_{n,frg}\, w_{rog} . $$

Derivation.  Bilinear in x and w: each cotangent is the Einstein sum of the other factor with $\bar y$,
$$ \bar x_{n,frg} = \sum_o \bar y_{n,fog}\, w_{rog}, \qquad \bar w_{rog} = \sum_{n,f} x_{n,frg}\, \bar y_{n,fog} . $$
"""

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_array, check_cotangent, check_count, check_precision, describe, shown
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.weight_shape import WeightShape
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, backward_without_input, define_layer
from funcnn.layers.linear.linear import LinearParams
from funcnn.typing import Array, Empty, Shape


@frozen
class Equation:
    """The letters of the axes of an example, of the weight, and of the output."""

    x: str
    weight: str
    y: str
    batch: str
    """A letter for the batch axis, that none of the others is."""

    def sum_of(self, first: str, second: str, made: str) -> str:
        """Return the sum for NumPy; of "x" and "y" the examples come first."""
        terms = [getattr(self, one) if one == "weight" else self.batch + getattr(self, one) for one in (first, second, made)]
        return f"{terms[0]},{terms[1]}->{terms[2]}"


@frozen(eq=False)
class EinsumResiduals:
    """The input, for the weight's gradient."""

    x: Array


def parsed(equation: str) -> Equation:
    """Return the letters of an equation such as "tc,chd->thd", or raise."""
    text: object = equation
    wanted = 'letters such as "tc,chd->thd": the axes of an example and of the weight, and those of the output'
    if not isinstance(text, str):
        raise TypeError(f"equation is {shown(equation)}, expected {wanted}")
    both, arrow, y = text.replace(" ", "").partition("->")
    x, comma, weight = both.partition(",")
    terms = (x, weight, y)
    if not arrow or not comma or not all(one.isascii() and (one.isalpha() or not one) for one in terms):
        raise ValueError(f"equation is {shown(equation)}, expected {wanted}")
    if any(len(set(one)) != len(one) for one in terms):
        raise ValueError(f"equation is {shown(equation)}: no letter may stand twice in one term")
    for one, others, what in ((x, weight + y, "the example"), (weight, x + y, "the weight"), (y, x + weight, "the output")):
        alone = [letter for letter in one if letter not in others]
        if alone:
            raise ValueError(f"equation is {shown(equation)}: axis {alone[0]} of {what} is in neither of the others")
    batch = next(letter for letter in "nabcdefghijklmopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter not in x + weight + y)
    return Equation(x, weight, y, batch)


def lengths_of(equation: Equation, sizes: Mapping[str, int], in_shape: Shape) -> dict[str, int]:
    """Return the length of every axis, or raise."""
    if len(in_shape) != len(equation.x):
        raise ValueError(f"an example has shape {in_shape}, expected {len(equation.x)} axes: {equation.x}")
    lengths = {**sizes, **dict(zip(equation.x, in_shape, strict=True))}
    wrong = [letter for letter, size in sizes.items() if lengths[letter] != size]
    if wrong:
        raise ValueError(f"axis {wrong[0]} of an example of shape {in_shape} is not {sizes[wrong[0]]} long, as sizes say")
    return lengths


def init(
    equation: Equation, sizes: Mapping[str, int], weight_init: Initializer, key: Key, in_shape: Shape
) -> Init[LinearParams, Empty]:
    lengths = lengths_of(equation, sizes, in_shape)
    shape = tuple([lengths[letter] for letter in equation.weight])
    summed = math.prod([lengths[letter] for letter in equation.weight if letter not in equation.y])
    made = math.prod([lengths[letter] for letter in equation.weight if letter not in equation.x])
    weight = weight_init(key.child(0), WeightShape(shape, (summed, made)))
    return Init(LinearParams(weight), (), tuple([lengths[letter] for letter in equation.y]))


def forward(
    equation: Equation, params: LinearParams, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, EinsumResiduals]:
    weight = params.weight
    check_array(x)
    lengths = dict(zip(equation.weight, weight.shape, strict=True))
    if x.ndim != 1 + len(equation.x):
        raise ValueError(f"the input is {describe(x)}, expected the axes batch, {', '.join(equation.x)}")
    for letter, length in zip(equation.x, x.shape[1:], strict=True):
        if lengths.get(letter, length) != length:
            raise ValueError(f"axis {letter} of the input {describe(x)} is {length} long, expected {lengths[letter]}")
    check_precision(x, weight)
    y: Array = np.einsum(equation.sum_of("x", "weight", "y"), x, weight, optimize=True)
    return Forward(np.ascontiguousarray(y), state, EinsumResiduals(x))


def backward(
    equation: Equation, params: LinearParams, residuals: EinsumResiduals, dy: Array, input_grad: bool = True
) -> Backward[LinearParams, Array]:
    x, weight = residuals.x, params.weight
    lengths = {**dict(zip(equation.weight, weight.shape, strict=True)), **dict(zip(equation.x, x.shape[1:], strict=True))}
    check_cotangent(dy, (len(x), *[lengths[letter] for letter in equation.y]), weight.dtype)
    dweight: Array = np.einsum(equation.sum_of("x", "y", "weight"), x, dy, optimize=True)
    if not input_grad:
        return backward_without_input(LinearParams(dweight))
    dx: Array = np.einsum(equation.sum_of("y", "weight", "x"), dy, weight, optimize=True)
    return Backward(LinearParams(dweight), np.ascontiguousarray(dx))


def einsum_dense(
    equation: str, sizes: Mapping[str, int], *, weight_init: Initializer = initializers.glorot_uniform
) -> Layer[LinearParams, Empty, Array, Array]:
    """Linear map over any axes, as an Einstein sum of an example and a weight.

    Parameters
    ----------
    equation : str
        Letters for the axes of an example and of the weight, and for those of the output; the batch axis comes before them.
        "tc,chd->thd" maps the features of every step to heads, "tc,ts->sc" mixes the steps.
    sizes : mapping of str to int
        The lengths of the axes that are not those of an example.
    weight_init : callable, optional
        Initializer ``(key, shape) -> array`` of the weight; its fans are the numbers that are summed, and that are made of one.

    Returns
    -------
    Layer
        Parameters :class:`funcnn.layers.linear.linear.LinearParams`.

    Raises
    ------
    TypeError, ValueError
        When the equation is none, or the size of an axis is missing; in ``init`` and ``forward``, when an example has other axes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.einsum_dense("tc,chd->thd", {"h": 2, "d": 4})
    >>> start = layer.init(fn.Key(0), (5, 6))
    >>> start.params.weight.shape, start.out_shape
    ((6, 2, 4), (5, 2, 4))
    """
    letters = parsed(equation)
    given: object = sizes
    if not isinstance(given, Mapping):
        raise TypeError(f"sizes is {shown(sizes)}, expected a mapping of letters to lengths, such as {{'h': 4}}")
    checked = {str(letter): check_count(size, f"sizes[{letter!r}]") for letter, size in sizes.items()}
    missing = [letter for letter in letters.weight if letter not in letters.x and letter not in checked]
    surplus = [letter for letter in checked if letter not in letters.weight + letters.x]
    if missing or surplus:
        what = f"sizes has no length of axis {missing[0]}" if missing else f"sizes has axis {surplus[0]}, which is none"
        raise ValueError(f"{what} of {shown(equation)}")
    weight_init = check_initializer(weight_init, "weight_init")
    return define_layer(
        f"einsum_dense({equation})",
        partial(init, letters, checked, weight_init),
        partial(forward, letters),
        partial(backward, letters),
        random=False,
    )
