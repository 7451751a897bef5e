"""Right gradients at and near kinks, jumps and edges of the domain."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array
from tests.check.corpus.conv import blocks, max_pool, unblocks
from tests.check.corpus.entry import Grads, normal, tricky, uniform


def relu(x: Array) -> object:
    return np.maximum(x, 0)


AT_ZERO = (np.array([[0.0, 1.0, -1.0], [-0.0, 0.5, 0.0]]),)


@tricky(relu, AT_ZERO)
def relu_at_zero_closed(x: Array, dy: Array) -> Grads:
    """relu'(0) = 0."""
    return (dy * (x > 0),)


@tricky(relu, AT_ZERO)
def relu_at_zero_open(x: Array, dy: Array) -> Grads:
    """relu'(0) = 1."""
    return (dy * (x >= 0),)


@tricky(relu, AT_ZERO)
def relu_at_zero_half(x: Array, dy: Array) -> Grads:
    """relu'(0) = 1/2."""
    return (dy * np.heaviside(x.astype(float), 0.5).astype(x.dtype),)


@tricky(relu, (np.array([1e-9, -1e-9, 1e-6, -1e-6, 3e-12, -1e-4, 0.3, -0.2]),))
def relu_near_zero(x: Array, dy: Array) -> Grads:
    """Inputs far closer to the kink than any usual step."""
    return (dy * (x > 0),)


@tricky(relu, (-uniform(3, 4),))
def relu_dead(x: Array, dy: Array) -> Grads:
    """No input is positive: the gradient is zero everywhere."""
    return (dy * (x > 0),)


def dead_layer(x: Array, w: Array, b: Array, v: Array) -> object:
    return np.maximum(x @ w + b, 0) @ v


@tricky(dead_layer, (uniform(4, 3), -uniform(3, 2), -uniform(2), normal(2, 3)))
def dead_hidden_layer(x: Array, w: Array, b: Array, v: Array, dy: Array) -> Grads:
    """A dead hidden layer: three leaves with zero gradients behind it, and one whose input is zero."""
    a = x @ w + b
    da = (dy @ v.T) * (a > 0)
    return da @ w.T, x.T @ da, da.sum(0), np.maximum(a, 0).T @ dy


TIES = (np.array([1.0, 1, 0, 2, 3, 3, 3, 3, 0, -1, 5, 4, 2, 2, 2, 1]).reshape(1, 4, 4, 1),)


@tricky(max_pool, TIES)
def max_pool_tie_takes_first(x: Array, dy: Array) -> Grads:
    """Of equal maxima the first receives everything."""
    b = blocks(x)
    return (unblocks((np.arange(4) == b.argmax(-1)[..., None]) * dy[..., None]),)


@tricky(max_pool, TIES)
def max_pool_tie_is_shared(x: Array, dy: Array) -> Grads:
    """Equal maxima share the gradient."""
    b = blocks(x)
    at = (b == b.max(-1, keepdims=True)).astype(x.dtype)
    return (unblocks(at / at.sum(-1, keepdims=True) * dy[..., None]),)


def largest(x: Array) -> object:
    return x.max(-1)


@tricky(largest, (np.array([[1.0, 2.0, 2.0, 2.0, 2.0], [0.0, -1.0, 3.0, 1.0, 2.0]]),))
def largest_four_way_tie(x: Array, dy: Array) -> Grads:
    """A quarter each."""
    at = (x == x.max(-1, keepdims=True)).astype(x.dtype)
    return (at / at.sum(-1, keepdims=True) * dy[:, None],)


@tricky(largest, (np.array([[1.0, 1.0 + 1e-6, 0.0], [2.0, 2.0 - 3e-6, 1.0]]),))
def largest_near_tie(x: Array, dy: Array) -> Grads:
    """The runner-up is a millionth behind."""
    return ((np.arange(x.shape[1]) == x.argmax(-1)[:, None]) * dy[:, None],)


def absolute(x: Array) -> object:
    return abs(x)


@tricky(absolute, AT_ZERO)
def absolute_at_zero(x: Array, dy: Array) -> Grads:
    """sign(0) = 0."""
    return (dy * np.sign(x),)


@tricky(absolute, AT_ZERO)
def absolute_at_zero_right(x: Array, dy: Array) -> Grads:
    """The derivative from the right."""
    return (np.where(x >= 0, dy, -dy),)


def length(x: Array) -> object:
    return np.sqrt((x * x).sum(-1))


@tricky(length, (np.array([[0.0, 0.0], [3.0, 4.0]]),))
def length_at_zero(x: Array, dy: Array) -> Grads:
    """The norm at the origin, with the gradient zero."""
    r = np.sqrt((x * x).sum(-1))
    return (x * (dy / np.where(r == 0, 1, r))[:, None],)


def hard(x: Array) -> object:
    return np.clip(x, 0, 6)


@tricky(hard, (np.array([-1.0, 0.0, 3.0, 6.0, 7.0, 5.0]),))
def hard_at_both_ends(x: Array, dy: Array) -> Grads:
    """relu6 at 0 and at 6, closed at one and open at the other."""
    return (dy * ((x >= 0) & (x < 6)),)


def hinge(x: Array) -> object:
    return np.maximum(1 - x, 0).sum()


@tricky(hinge, (np.array([1.0, 0.5, 2.0, 1.0]),))
def hinge_at_margin(x: Array, dy: Array) -> Grads:
    """Two examples exactly at the margin."""
    return (-dy * (x < 1),)


def sort(x: Array) -> object:
    return np.sort(x) * np.arange(1, len(x) + 1).astype(x.dtype)


@tricky(sort, (np.array([3.0, 1.0, 1.0, 2.0]),))
def sort_with_tie(x: Array, dy: Array) -> Grads:
    """Equal entries: the order between them is a convention."""
    d = np.empty_like(x)
    d[np.argsort(x, kind="stable")] = dy * np.arange(1, len(x) + 1).astype(x.dtype)
    return (d,)


def bend(x: Array) -> object:
    return x * abs(x)


@tricky(bend, (np.array([0.0, 1e-5, -1e-5, 2.0]),))
def bend_at_zero(x: Array, dy: Array) -> Grads:
    """x |x| has a kink in its derivative only."""
    return (2 * abs(x) * dy,)


def steps(x: Array) -> object:
    return np.rint(x) + 0.25 * x


@tricky(steps, (np.array([0.2, 0.5002, -1.3, 2.4997]),))
def steps_between_jumps(x: Array, dy: Array) -> Grads:
    """A staircase, near its jumps."""
    return (0.25 * dy,)


def switch(x: Array) -> object:
    return np.where(x > 0.5, x * x, -np.sin(x))


@tricky(switch, (np.array([0.50001, 0.49999, 0.1, 0.9]),))
def switch_near_jump(x: Array, dy: Array) -> Grads:
    """Two branches that do not meet, with inputs near the switch."""
    return (dy * np.where(x > 0.5, 2 * x, -np.cos(x)),)


def root(x: Array) -> object:
    return np.sqrt(x)


@tricky(root, (np.array([1e-10, 1e-6, 1.0, 100.0]),))
def root_near_edge(x: Array, dy: Array) -> Grads:
    """The domain ends a step away."""
    return (dy / (2 * np.sqrt(x)),)


def power(x: Array) -> object:
    with np.errstate(invalid="ignore"):
        return x**1.5


@tricky(power, (np.array([0.0, 0.5, 2.0]),))
def power_at_edge(x: Array, dy: Array) -> Grads:
    """x^(3/2) at 0: defined on one side only, with derivative 0."""
    return (1.5 * dy * np.sqrt(x),)


def arc(x: Array) -> object:
    return np.arcsin(x)


@tricky(arc, (np.array([0.9999, -0.9999, 0.0]),))
def arc_near_edge(x: Array, dy: Array) -> Grads:
    """The derivative is steep, and the domain ends close by."""
    return (dy / np.sqrt((1 - x) * (1 + x)),)


def entropy(x: Array) -> object:
    return x * np.log(x)


@tricky(entropy, (np.array([1e-12, 1e-3, 0.5, 1.0]),))
def entropy_of_rare(x: Array, dy: Array) -> Grads:
    """A probability close to zero."""
    return (dy * (np.log(x) + 1),)


def flat(x: Array) -> object:
    return x**4 + x**5


@tricky(flat, (np.array([0.0, 1e-4, 1.0]),))
def flat_to_third_order(x: Array, dy: Array) -> Grads:
    """The first three derivatives vanish at 0."""
    return (dy * (4 * x**3 + 5 * x**4),)


def leaky_pair(a: Array, b: Array) -> object:
    return np.maximum(a, b) + 0.1 * np.minimum(a, b)


@tricky(leaky_pair, (np.array([1.0, 2.0, 0.5]), np.array([1.0, 2.0 + 1e-9, 0.0])))
def pair_tie(a: Array, b: Array, dy: Array) -> Grads:
    """Two arguments tie; the first wins."""
    first = a >= b
    return np.where(first, dy, 0.1 * dy), np.where(first, 0.1 * dy, dy)
