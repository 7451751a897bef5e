"""Right gradients with unusual arguments or results: shapes, orders of memory, dtypes, trees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from attrs import frozen

from funcnn.typing import Array, IntArray
from tests.check.corpus.entry import Grads, normal, tricky, uniform


def dense(x: Array, w: Array, b: Array) -> object:
    return x @ w + b


def dense_vjp(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    return dy @ w.T, x.T @ dy, dy.sum(0)


@tricky(dense, (np.zeros((0, 3)), normal(3, 2), normal(2)))
def empty_batch(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    """No example: the gradients are zeros, and one is empty."""
    return dense_vjp(x, w, b, dy)


@tricky(dense, (normal(2, 0), normal(0, 3), normal(3)))
def empty_leaf(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    """No feature: two leaves are empty."""
    return dense_vjp(x, w, b, dy)


@tricky(dense, (normal(4, 3).astype(np.float32), normal(3, 2), normal(2)))
def mixed_precision(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    """A float32 input with float64 parameters: each gradient has its argument's dtype."""
    dx, dw, db = dense_vjp(x, w, b, dy)
    return dx.astype(x.dtype), dw, db


@tricky(dense, (normal(4, 3).astype(np.float32), normal(3, 2).astype(np.float32), normal(2).astype(np.float32)))
def single_precision(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    """float32 throughout."""
    return dense_vjp(x, w, b, dy)


@tricky(dense, (np.asfortranarray(normal(4, 3)), np.asfortranarray(normal(3, 2)), normal(2)))
def fortran_order(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    """Arguments and gradients in Fortran order."""
    dx, dw, db = dense_vjp(x, w, b, dy)
    return np.asfortranarray(dx), np.asfortranarray(dw), db


@tricky(dense, (normal(8, 3)[::2], normal(3, 2)[::-1], normal(4)[1::2]))
def strided_arguments(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    """Arguments with strides, one of them negative."""
    return dense_vjp(x, w, b, dy)


def frozen_array(a: Array) -> Array:
    a = a.copy()
    a.setflags(write=False)
    return a


@tricky(dense, (frozen_array(normal(4, 3)), frozen_array(normal(3, 2)), frozen_array(normal(2))))
def read_only_arguments(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    """Arguments that cannot be written to, and a gradient that cannot either."""
    dx, dw, db = dense_vjp(x, w, b, dy)
    db.setflags(write=False)
    return dx, dw, db


def outer(a: Array, b: Array) -> object:
    return np.tanh(a * b)


@tricky(outer, (normal(3, 1), normal(1, 4)))
def broadcast_both_ways(a: Array, b: Array, dy: Array) -> Grads:
    """Both arguments are stretched."""
    d = dy * (1 - np.tanh(a * b) ** 2)
    return (d * b).sum(1, keepdims=True), (d * a).sum(0, keepdims=True)


@tricky(outer, (np.array(0.7), normal(2, 3)))
def broadcast_a_number(a: Array, b: Array, dy: Array) -> Grads:
    """An argument without axes meets a matrix."""
    d = dy * (1 - np.tanh(a * b) ** 2)
    return np.asarray((d * b).sum()), d * a


def cube(x: Array) -> object:
    return x**3


@tricky(cube, (np.array(1.5),))
def no_axes(x: Array, dy: Array) -> Grads:
    """No axes in, none out; NumPy gives a scalar, not an array."""
    return (np.asarray(3 * x * x * dy),)


@tricky(cube, (np.array(-0.5),))
def scalar_gradient(x: Array, dy: Array) -> Grads:
    """The gradient of an argument without axes is a NumPy scalar."""
    return (3 * x * x * dy,)


def ignore(x: Array, unused: Array) -> object:
    return np.sin(x)


@tricky(ignore, (normal(3), normal(2, 2)))
def unused_leaf(x: Array, unused: Array, dy: Array) -> Grads:
    """A leaf that the function does not use has a gradient of zeros."""
    return dy * np.cos(x), np.zeros_like(unused)


def lookup(table: Array, indices: IntArray) -> object:
    return table[indices] ** 2


@tricky(lookup, (normal(5, 2), np.array([1, 1, 4, 1, 0])))
def repeated_indices(table: Array, indices: IntArray, dy: Array) -> tuple[Array, None]:
    """Repeated indices add up; unused rows get zeros."""
    d = np.zeros_like(table)
    np.add.at(d, indices, 2 * table[indices] * dy)
    return d, None


def dropout(x: Array) -> object:
    return x * (np.random.default_rng(11).random(x.shape) < 0.8) / 0.8


@tricky(dropout, (normal(4, 5),))
def fixed_key(x: Array, dy: Array) -> Grads:
    """A mask from a fixed seed is a deterministic function."""
    return (dy * (np.random.default_rng(11).random(x.shape) < 0.8) / 0.8,)


def masked(x: Array, mask: IntArray) -> object:
    return np.where(mask, np.exp(x), 0)


@tricky(masked, (normal(3, 3), normal(3, 3) > 0))
def boolean_argument(x: Array, mask: IntArray, dy: Array) -> tuple[Array, None]:
    """A boolean argument has no gradient."""
    return np.where(mask, dy * np.exp(x), 0), None


def best(x: Array) -> object:
    return x.max(1), x.argmax(1)


@tricky(best, (normal(3, 4),))
def integer_output(x: Array, dy: tuple[Array, None]) -> Grads:
    """One of two outputs is an integer."""
    return ((np.arange(x.shape[1]) == x.argmax(1)[:, None]) * dy[0][:, None],)


class Pair(NamedTuple):
    first: Array
    second: Array


@frozen(eq=False)
class Unit:
    weight: Array
    nothing: tuple[()]
    pair: Pair


def trees(params: dict[str, Unit], x: Array) -> object:
    a, b = params["a"], params["b"]
    return {"y": x * a.weight + a.pair.first * b.pair.second, "z": (b.weight * x, b.pair.first * a.pair.second)}


@tricky(
    trees,
    (
        {
            "b": Unit(uniform(3), (), Pair(normal(3), normal(3, seed=1))),
            "a": Unit(normal(3), (), Pair(normal(3, seed=2), normal(3, seed=3))),
        },
        normal(3, seed=4),
    ),
)
def nested_trees(params: dict[str, Unit], x: Array, dy: dict[str, Array]) -> tuple[dict[str, Unit], Array]:
    """Dicts, records, named tuples and empty tuples inside one another; keys in another order."""
    a, b = params["a"], params["b"]
    z0, z1 = dy["z"]
    made = {
        "a": Unit(dy["y"] * x, (), Pair(dy["y"] * b.pair.second, z1 * b.pair.first)),
        "b": Unit(z0 * x, (), Pair(z1 * a.pair.second, dy["y"] * a.pair.first)),
    }
    return made, dy["y"] * a.weight + z0 * b.weight


def halves(a: Array, b: Array) -> object:
    return np.concatenate([a, b], axis=1) * 2


@tricky(halves, (normal(2, 3), normal(2, 2)))
def views_of_one_buffer(a: Array, b: Array, dy: Array) -> Grads:
    """Two gradients are parts of one fresh array that do not overlap."""
    d = 2 * dy
    n = a.shape[1]
    return d[:, :n], d[:, n:]


def total(x: Array) -> object:
    return 2 * x.sum()


@tricky(total, (normal(3, 4),))
def broadcast_result(x: Array, dy: Array) -> Grads:
    """The gradient is one number, stretched without memory: a read-only result with strides of zero."""
    return (np.broadcast_to(2 * dy, x.shape),)


def python_float(x: Array) -> object:
    return float((x * x).sum())


@tricky(python_float, (normal(4),))
def python_number(x: Array, dy: Array) -> Grads:
    """The function gives a Python float."""
    return ((2 * dy * x).astype(x.dtype),)


def picky(x: Array) -> object:
    if x.dtype not in (np.float32, np.float64):
        raise TypeError("only float32 and float64")
    return np.tanh(x)


@tricky(picky, (normal(3, 2),))
def refuses_long_double(x: Array, dy: Array) -> Grads:
    """The function raises for long double."""
    if x.dtype not in (np.float32, np.float64):
        raise TypeError("only float32 and float64")
    return (dy * (1 - np.tanh(x) ** 2),)
