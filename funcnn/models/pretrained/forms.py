r"""How a tensor of a checkpoint lies in a tree of this library, and the way back.

A linear map is a matrix (out, in) in PyTorch, since it computes $x W^\top$, and (in, out) here; the kernel of a convolution is
(out, in, height, width) there, (height, width, in, out) here.  One leaf may also be made of several tensors: of attention's
queries, keys and values, which stand side by side here.  All forms but two are rearrangements: what is written is read back,
bit for bit.  The two are sums of tensors that only occur as that sum; one of them is then written with the whole, the other with
zeros, which is another checkpoint of the same function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate

import numpy as np
from attrs import frozen

from funcnn.typing import Array


@frozen
class Form:
    """The two directions: tensors to a leaf, and a leaf to tensors."""

    name: str
    read: Callable[..., Array]
    write: Callable[[Array], tuple[Array, ...]]


def _alone(array: Array) -> tuple[Array, ...]:
    return (array,)


def _same(array: Array) -> Array:
    return array


def _transposed(array: Array) -> Array:
    return array.T


def _write_transposed(array: Array) -> tuple[Array, ...]:
    return (array.T,)


SAME = Form("as it is", _same, _alone)
TRANSPOSED = Form("transposed", _transposed, _write_transposed)
"""The weight of a linear map."""


def _read_kernel(kernel: Array) -> Array:
    return kernel.transpose(2, 3, 1, 0)


def _write_kernel(kernel: Array) -> tuple[Array, ...]:
    return (kernel.transpose(3, 2, 0, 1),)


KERNEL = Form("channels last", _read_kernel, _write_kernel)
"""The kernel of a convolution of images."""


def _read_layer_scale(gain: Array) -> Array:
    return gain[:, 0, 0]


def _write_layer_scale(gain: Array) -> tuple[Array, ...]:
    return (gain[:, np.newaxis, np.newaxis],)


LAYER_SCALE = Form("a number for each channel", _read_layer_scale, _write_layer_scale)
"""The factors of channels, (channels, 1, 1) there."""


def _read_joined(*parts: Array) -> Array:
    return np.concatenate(parts).T


def _write_joined(sizes: tuple[int, ...], joined: Array) -> tuple[Array, ...]:
    return tuple(np.split(joined.T, list(accumulate(sizes))[:-1]))


def joined(*sizes: int) -> Form:
    """Return the form of linear maps of one input that stand side by side: weights (size, in), or biases (size,)."""
    return Form("side by side", _read_joined, partial(_write_joined, sizes))


def _read_gates(order: tuple[int, ...], gates: Array) -> Array:
    return np.concatenate([np.split(gates, len(order))[place] for place in order]).T


def _write_gates(order: tuple[int, ...], gates: Array) -> tuple[Array, ...]:
    parts = np.split(gates.T, len(order))
    return (np.concatenate([parts[order.index(place)] for place in range(len(order))]),)


def gates(*order: int) -> Form:
    """Return the form of the weight of gates, which stand in another order there: ``order`` is where each of ours is."""
    return Form("gates in another order", partial(_read_gates, order), partial(_write_gates, order))


def _read_gate_biases(order: tuple[int, ...], first: Array, second: Array) -> Array:
    return _read_gates(order, first + second)


def _write_gate_biases(order: tuple[int, ...], bias: Array) -> tuple[Array, ...]:
    whole = _write_gates(order, bias)[0]
    return whole, np.zeros_like(whole)


def gate_biases(*order: int) -> Form:
    """Return the form of the bias of gates, of which there are two: one is added to what the input gives, one to the state's."""
    return Form("the sum of two biases", partial(_read_gate_biases, order), partial(_write_gate_biases, order))


def _read_first_position(token: Array, positions: Array) -> Array:
    table = np.array(positions[0])
    table[0] += token[0, 0]
    return table


def _write_first_position(table: Array) -> tuple[Array, ...]:
    token: Array = np.zeros((1, 1, table.shape[1]), table.dtype)
    return token, table[np.newaxis]


FIRST_POSITION = Form("a class token and positions", _read_first_position, _write_first_position)
"""Positions, and a token at the first of them: one vector there."""


def _read_image_rows(image: tuple[int, int, int], weight: Array) -> Array:
    channels, height, width = image
    return weight.reshape(-1, channels, height, width).transpose(2, 3, 1, 0).reshape(channels * height * width, len(weight))


def _write_image_rows(image: tuple[int, int, int], weight: Array) -> tuple[Array, ...]:
    channels, height, width = image
    turned = weight.reshape(height, width, channels, -1).transpose(3, 2, 0, 1)
    return (turned.reshape(weight.shape[1], channels * height * width),)


def of_image(channels: int, height: int, width: int) -> Form:
    """Return the form of a linear map of a flattened image, whose numbers are in the order of its axes."""
    image = (channels, height, width)
    return Form("of a flattened image", partial(_read_image_rows, image), partial(_write_image_rows, image))
