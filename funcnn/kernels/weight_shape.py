r"""The shape of a weight, and its fans: how many inputs each output is a sum of, and the same with inputs and outputs exchanged.

With $t$ the taps of an output, the points of the kernel that reach it, a map from $I$ to $O$ channels in $g$ groups has
$$ \text{fan\_in} = t\,\frac{I}{g}, \qquad \text{fan\_out} = t\,\frac{O}{g}. $$
Weights of variance $c / \text{fan\_in}$ and inputs of variance 1 then give outputs of variance $c$, whatever the layer.  For a
dense layer $t = 1$ and for a convolution the number of points of its kernel $(..., I / g, O)$: both can be read off the shape.
In a transposed convolution of stride $s$, whose kernel is $(..., O, I)$, each axis of length $k$ has $k / s$ taps on average (at
least 1 where an output is reached at all); in a depthwise convolution $I / g = 1$.  There the layer says so: the shape that it
hands to an initializer is a :class:`WeightShape`.
"""

from __future__ import annotations

import math

from funcnn.errors import check_count, check_integer, shown
from funcnn.key import Key, check_key
from funcnn.typing import Shape

MOST_NUMBERS = 2**44
"""Numbers of one array that no memory holds (128 TiB): beyond, NumPy's own refusal does not say which argument is too large."""


class WeightShape(tuple[int, ...]):
    """A shape, a tuple like any other, of a weight whose fans and groups its lengths do not tell.

    Parameters
    ----------
    shape : tuple of int
    fans : tuple of two ints
        fan_in and fan_out, at least 1.
    groups : int, optional
        Into how many parts of its last axis the weight falls: each is a map of its own.
    """

    fans: tuple[int, int]
    groups: int

    def __new__(cls, shape: Shape, fans: tuple[int, int], groups: int = 1) -> WeightShape:
        """Make a shape of its lengths and what they do not tell."""
        made = super().__new__(cls, shape)
        made.fans, made.groups = fans, groups
        return made


def grouped(kernel: Shape, inputs: int, outputs: int, groups: int) -> Shape:
    """Return the shape (*kernel, I / g, O) of a convolution's weight in groups."""
    shape = (*kernel, inputs // groups, outputs)
    if groups == 1:
        return shape
    taps = math.prod(kernel)
    return WeightShape(shape, (taps * (inputs // groups), taps * (outputs // groups)), groups)


def transposed(kernel: Shape, stride: Shape, inputs: int, outputs: int, groups: int = 1) -> Shape:
    """Return the shape (*kernel, O / g, I) of a transposed convolution's weight in groups."""
    taps = math.prod(max(1.0, points / step) for points, step in zip(kernel, stride, strict=True)) / groups
    reached = max(1, round(taps * inputs)), max(1, round(taps * outputs))
    return WeightShape((*kernel, outputs // groups, inputs), reached, groups)


def fans(shape: Shape) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight's shape: of (..., I, O), r I and r O with r the product of the leading axes.

    Where a layer knows better (of groups, of a transposed convolution), the shape that it hands to its initializer says so, and
    these are its fans.

    Raises
    ------
    ValueError
        When the shape has fewer than two axes.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.fans((3, 3, 16, 32))
    (144, 288)
    """
    if not isinstance(shape, tuple):
        raise TypeError(f"shape is {shown(shape)}, expected a tuple of integers such as (3, 4)")
    if isinstance(shape, WeightShape):
        return shape.fans
    if len(shape) < 2:
        raise ValueError(f"a weight needs at least two axes to have fans, got shape {shape}")
    receptive = math.prod(shape[:-2])
    return receptive * shape[-2], receptive * shape[-1]


def groups_of(shape: Shape) -> int:
    """Return into how many parts of its last axis a weight falls."""
    return shape.groups if isinstance(shape, WeightShape) else 1


def check_drawn(key: Key, shape: Shape) -> None:
    """Raise unless an initializer is given a key and the shape of an array, a tuple of integers of at least 0."""
    check_key(key)
    wanted = "a tuple of integers such as (3, 4)"
    if not isinstance(shape, tuple):
        raise TypeError(f"shape is {shown(shape)}, expected {wanted}")
    for length in shape:
        check_count(check_integer(length, "a length in shape", f"an integer: shape is {wanted}"), "a length in shape", least=0)
    if math.prod(shape) >= MOST_NUMBERS:
        raise ValueError(
            f"shape {shape} is {math.prod(shape):.2g} numbers, expected at most {MOST_NUMBERS:.2g}: more than memory"
        )
