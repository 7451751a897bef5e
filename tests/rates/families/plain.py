"""Smooth and kinked functions, compositions of everything, products, softmax and norms."""

from __future__ import annotations

import numpy as np

from tests.rates.builder import Builder
from tests.rates.program import Function
from tests.rates.rules import groups, linear
from tests.rates.rules.elementwise import SCALE, SHIFT, SMOOTH


def start(b: Builder, scale: float = 1.0) -> int:
    """Return an argument of two axes."""
    return b.leaf(scale * b.normal(int(b.generator.integers(1, 5)), int(b.generator.integers(2, 5))))


def smooth(b: Builder) -> Function:
    """Smooth functions of entries and matrices between them."""
    node = start(b)
    for _ in range(int(b.generator.integers(1, 5))):
        node = b.smooth(node)
        if b.chance(0.5):
            node = b.dense(node, int(b.generator.integers(2, 5)))
    return ended(b, node, "smooth")


def kinked(b: Builder) -> Function:
    """Relus, absolute values, clips, maxima and sorts; some points lie very near to a kink."""
    node = start(b)
    if b.chance(0.6):
        node = b.dense(node, int(b.generator.integers(2, 5)))
    if b.chance(0.4):  # entries at a small distance from the kinks at 0
        offset = b.power(-9, -1) * b.pick((-1.0, 1.0))
        value = b.values[node]
        b.args.append(
            np.where(b.generator.random(value.shape) < 0.5, offset * b.generator.uniform(0.5, 1.5, value.shape) - value, 0)
        )
        b.nodes.append(len(b.args) - 1)
        b.values.append(b.args[-1])
        node = b.apply(linear.ADD, node, len(b.nodes) - 1)
    node = kink(b, node)
    if b.chance(0.5):
        node = b.smooth(node)
    if b.chance(0.5):
        node = kink(b, b.dense(node, int(b.generator.integers(2, 5))) if b.values[node].ndim == 2 else node)
    return ended(b, node, "kinked")


def kink(b: Builder, node: int) -> int:
    """Apply something with kinks."""
    value = b.values[node]
    choice = b.generator.random()
    if choice < 0.6 or value.ndim < 2:
        return b.kinked(node)
    if choice < 0.7:
        return b.apply(groups.MAXIMUM, node, constants=(False,))
    if choice < 0.8:
        return b.apply(groups.TOP, node, constants=(int(b.generator.integers(1, value.shape[-1] + 1)),))
    if choice < 0.9 and value.shape[-1] % 2 == 0:
        return b.apply(groups.POOL, node)
    rule = b.pick((groups.LARGER, groups.SMALLER))
    return b.apply(rule, node, b.leaf(b.normal(*value.shape)), constants=(1.0,))


def norms(b: Builder) -> Function:
    """Norms, also of rows with a large offset or a tiny variance."""
    x = b.normal(int(b.generator.integers(2, 5)), int(b.generator.integers(3, 6)))
    if b.chance(0.3):
        x = x + b.pick((-1, 1)) * b.power(0, 4)
    if b.chance(0.3):
        x = x * b.power(-6, 6)
    node = b.leaf(x)
    if b.chance(0.3):
        node = b.dense(node, int(b.generator.integers(3, 6)))
    node = b.norm(node)
    if b.chance(0.5):
        width = b.values[node].shape[-1]
        node = b.apply(linear.MULTIPLY, node, b.leaf(1 + 0.3 * b.normal(width)))
        node = b.apply(linear.ADD, node, b.leaf(b.normal(width)))
    if b.chance(0.5):
        node = b.smooth(node)
    return ended(b, node, "norms")


def rows(b: Builder) -> Function:
    """Softmax, log-sum-exp, cross-entropy and attention, with logits of ordinary and of large size."""
    choice = int(b.generator.integers(5))
    size = b.power(-2, 1.3)
    count, width = int(b.generator.integers(2, 5)), int(b.generator.integers(2, 6))
    if choice == 0:
        keys = int(b.generator.integers(2, 5))
        q, k = b.leaf(size**0.5 * b.normal(count, width)), b.leaf(size**0.5 * b.normal(keys, width))
        return ended(b, b.apply(groups.ATTENTION, q, k, b.leaf(b.normal(keys, 3))), "rows")
    node = b.leaf(size * b.normal(count, width))
    if b.chance(0.4):
        node = b.dense(node, int(b.generator.integers(2, 6)))
    width = b.values[node].shape[-1]
    if choice == 1:
        node = b.apply(groups.SOFTMAX, node, constants=(int(b.pick((-1, 0))),))
    elif choice == 2:
        node = b.apply(groups.LOGSUMEXP, node, constants=(-1,))
    elif choice == 3:
        node = b.apply(groups.LOG_SOFTMAX, node)
    else:
        node = b.apply(groups.CROSS_ENTROPY, node, b.leaf(b.generator.integers(0, width, count)))
    return ended(b, b.smooth(node) if b.chance(0.3) else node, "rows")


def products(b: Builder) -> Function:
    """Products, quotients, matrices times matrices, distances, convolutions and sums along an axis."""
    x = b.normal(int(b.generator.integers(2, 5)), int(b.generator.integers(3, 6)))
    node = b.leaf(x)
    for _ in range(int(b.generator.integers(1, 4))):
        if b.values[node].ndim < 2 or b.values[node].shape[-1] < 3:
            break
        node = b.calm(product(b, node))
    return ended(b, node, "products")


def product(b: Builder, node: int) -> int:
    """Apply something with products or sums."""
    value = b.values[node]
    choice = int(b.generator.integers(10))
    if choice == 0:
        return b.apply(groups.PRODUCT, b.apply(linear.MASK, node, constants=(np.float64(b.generator.random(value.shape) > 0.1),)))
    if choice == 1:
        return b.apply(linear.QUOTIENT, node, b.leaf(b.normal(*value.shape)))
    if choice == 2:
        return b.apply(linear.MATMUL, node, b.apply(linear.TRANSPOSE, node))
    if choice == 3:
        centers = b.leaf(b.normal(int(b.generator.integers(2, 4)), value.shape[-1]))
        return b.apply(groups.DISTANCES, node, centers, constants=(b.power(-12, -1),))
    if choice == 4:
        return b.apply(linear.CONVOLVE, node, b.leaf(b.normal(int(b.generator.integers(2, 4)))))
    if choice == 5:
        return b.apply(linear.CUMSUM, node)
    if choice == 6:
        return b.apply(linear.MULTIPLY, node, b.apply(linear.FLIP, node))
    if choice == 7:
        return b.apply(linear.GATHER, node, constants=(b.generator.integers(0, len(value), len(value) + 1),))
    if choice == 8:
        return b.apply(linear.SUBTRACT, node, b.leaf(b.normal(value.shape[-1])))
    return b.apply(linear.MEAN, node, constants=(int(b.pick((0, 1))),))


def composed(b: Builder) -> Function:
    """Compositions of everything, up to six deep, with arguments that are used twice."""
    node = start(b)
    for _ in range(int(b.generator.integers(3, 7))):
        value = b.values[node]
        choice = int(b.generator.integers(8))
        if choice == 0 and value.ndim == 2:
            node = kink(b, node)
        elif choice == 1 and value.ndim == 2 and value.shape[-1] >= 3:
            node = product(b, node)
        elif choice == 2 and value.ndim == 2 and value.shape[-1] >= 3:
            node = b.norm(node, b.power(-6, -1))
        elif choice == 3 and value.ndim == 2:
            node = b.apply(groups.SOFTMAX, node, constants=(-1,))
        elif choice == 4:
            node = b.apply(linear.MULTIPLY, node, b.apply(b.pick(SMOOTH), b.calm(node, 4.0)))
        elif choice == 5:
            node = b.apply(linear.ADD, node, b.apply(b.pick(SMOOTH), b.calm(node, 4.0)))
        elif choice == 6 and value.ndim == 2:
            node = b.dense(node, int(b.generator.integers(2, 5)))
        else:
            node = b.smooth(node)
        node = b.calm(node)
    return ended(b, node, "composed")


def ended(b: Builder, node: int, family: str, tags: tuple[str, ...] = ()) -> Function:
    """Return the function: the array, its sum as a loss, several outputs, or an offset and a scale on top."""
    choice = b.generator.random()
    if choice < 0.15:
        node = b.apply(linear.SUM, node, constants=(None,))
    elif choice < 0.25:
        other = next(
            (one for one in range(len(b.nodes) - 1) if not isinstance(b.nodes[one], int) and b.values[one].dtype.kind == "f"),
            None,
        )
        if other is not None and other != node:
            return b.function(family, node, other, tags=tags)
    elif choice < 0.3:
        node = b.apply(SCALE, node, constants=(b.power(-8, 8),))
    elif choice < 0.35:
        node = b.apply(SHIFT, node, constants=(b.power(-2, 4),))
    return b.function(family, node, tags=tags)
