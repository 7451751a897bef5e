"""Functions that are hard to judge: periods, robust losses, single precision, ties, saturated units, unlike scales."""

from __future__ import annotations

import numpy as np

from tests.rates.builder import Builder
from tests.rates.families.plain import ended, start
from tests.rates.program import Function
from tests.rates.rules import groups, linear, robust
from tests.rates.rules.elementwise import KINKED, SCALE, SHIFT, SMOOTH


def periodic(b: Builder) -> Function:
    """Sines and cosines of up to twenty octaves, and what stands behind an encoding of positions."""
    octaves = int(b.generator.integers(1, 21))
    x = b.leaf(b.generator.random((int(b.generator.integers(1, 5)), int(b.generator.integers(1, 3)))))
    if b.chance(0.3):
        frequency = float(np.pi * 2.0 ** b.generator.uniform(0, octaves))
        node = b.apply(SCALE, x, constants=(frequency,))
        node = b.apply(SMOOTH["sin"], b.apply(SHIFT, node, constants=(float(b.generator.uniform(0, 6)),)))
    else:
        node = b.apply(linear.ENCODE, x, constants=(np.pi * 2.0 ** np.arange(octaves),))
        if b.chance(0.8):
            node = b.dense(node, int(b.generator.integers(1, 5)))
    if b.chance(0.6):
        node = b.apply(b.pick((KINKED["relu"], KINKED["leaky relu"], KINKED["abs"])), node, constants=(0.0,))
    elif b.chance(0.5):
        node = b.smooth(node)
    return ended(b, node, "periodic", (f"{octaves} octaves",))


def losses(b: Builder) -> Function:
    """Robust losses of residuals of every size, in the form of the books and in one that loses no digits."""
    plain = b.chance(0.35)
    rule = b.pick(robust.PLAIN if plain else robust.STABLE)
    count = int(b.generator.integers(1, 7))
    top = 2.5 if rule.name.startswith("log cosh") else 6.0
    if b.chance(0.5):
        r = b.power(-12, top) * b.normal(count)
    else:  # each of a size of its own
        r = 10.0 ** b.generator.uniform(-12, top, count) * b.generator.choice((-1, 1), count)
    if plain and b.chance(0.5):
        r[0] = b.pick((-1, 1)) * b.generator.uniform(0.3, 2)  # an ordinary one among them
    scale = 1.0 if b.chance(0.6) else b.power(-2, 2)
    if rule.name == "charbonnier":
        scale = b.power(-9, 0)
    if b.chance(0.3):  # the residual as a difference of numbers of ordinary size
        target = b.normal(count)
        node = b.apply(linear.SUBTRACT, b.leaf(target + np.clip(r, -10, 10)), b.leaf(target))
    else:
        node = b.leaf(r)
    node = b.apply(rule, node, constants=(scale,))
    if b.chance(0.5):
        node = b.apply(linear.SUM, node, constants=(None,))
    return b.function("losses", node, tags=(("plain" if plain else "stable"), rule.name))


def single(b: Builder) -> Function:
    """A part in single precision, or arguments in it."""
    whole = b.chance(0.4)
    leaf = start(b)
    node = leaf if whole else b.apply(linear.TO_SINGLE, leaf)
    if b.chance(0.3):  # rows whose two largest entries are near to one another
        value = b.values[leaf]
        value[:, 1] = value[:, 0] + b.power(-4, 0)
        node = leaf if whole else b.apply(linear.TO_SINGLE, leaf)
        node = b.apply(groups.MAXIMUM, node, constants=(False,))
    else:
        for _ in range(int(b.generator.integers(1, 4))):
            node = b.kinked(node) if b.chance(0.3) else b.smooth(node)
            if b.values[node].ndim == 2 and b.chance(0.3):
                w = b.normal(b.values[node].shape[-1], 3)
                node = b.apply(linear.TIMES, node, constants=(w,))
    if not whole:
        node = b.apply(linear.FROM_SINGLE, node, leaf)
        if b.chance(0.5):
            node = b.smooth(node)
        return b.function("single", node, tags=("inside",), full=b.chance(0.5))
    return in_single(b.function("single", node, tags=("arguments",)))


def in_single(made: Function) -> Function:
    """Return a function at the point rounded to single precision."""
    args = tuple(arg.astype(np.float32) if arg.dtype.kind == "f" else arg for arg in made.args)
    return Function(made.family, made.program, args, made.ties, made.tags)


def ties(b: Builder) -> Function:
    """Points that stand exactly at a kink, with each convention for the derivative there."""
    b.ties = True
    convention = b.pick((0.0, 0.5, 1.0))
    count, width = int(b.generator.integers(1, 4)), int(b.generator.integers(2, 5))
    x = np.round(2 * b.normal(count, width)) / 2  # many zeros, ones and equal numbers
    choice = int(b.generator.integers(6))
    node = b.leaf(x)
    if choice == 0:
        node = b.apply(groups.MAXIMUM, node, constants=(b.chance(0.5),))
    elif choice == 1:
        rule = b.pick((groups.LARGER, groups.SMALLER))
        node = b.apply(
            rule, node, b.leaf(np.where(b.generator.random(x.shape) < 0.5, x, b.normal(*x.shape))), constants=(convention,)
        )
    elif choice == 2:
        node = b.apply(groups.TOP, node, constants=(int(b.generator.integers(1, width + 1)),))
    elif choice == 3:  # a layer at inputs of zero
        b.args[0][:] = np.where(b.generator.random((count, 1)) < 0.5, 0, x)
        w = b.leaf(b.normal(width, 3))
        node = b.apply(KINKED["relu"], b.apply(linear.MATMUL, node, w), constants=(0.0,))
    else:
        node = b.apply(b.pick(KINKED), node, constants=(convention,))
    if b.chance(0.4):
        node = b.smooth(node)
    return b.function("ties", node)


def dead(b: Builder) -> Function:
    """Units that are dead or saturated, some of them or all."""
    count, width = int(b.generator.integers(1, 4)), int(b.generator.integers(2, 5))
    x = b.normal(count, width)
    whole = b.chance(0.3)
    far = np.ones(x.shape, bool) if whole else b.generator.random(x.shape) < 0.5
    size = b.generator.uniform(5, 60)
    kinks = b.chance(0.4)
    x = np.where(far, x - size if kinks else x + b.generator.choice((-1, 1), x.shape) * size, x)
    node = b.leaf(x)
    if kinks:
        node = b.apply(b.pick((KINKED["relu"], KINKED["relu by mask"], KINKED["squared relu"])), node, constants=(0.0,))
    else:
        node = b.apply(b.pick((SMOOTH["sigmoid"], SMOOTH["tanh"], SMOOTH["bump"])), node)
    if b.chance(0.5):
        node = b.dense(node, int(b.generator.integers(2, 4)))
    elif b.chance(0.3):
        node = b.norm(node)
    if b.chance(0.3):
        node = b.smooth(node)
    return b.function("dead", node, tags=("all" if whole else "some",))


def scales(b: Builder) -> Function:
    """Arguments of unlike sizes: whole leaves or single entries, tiny or huge, and outputs times any number."""
    count, width = int(b.generator.integers(1, 4)), int(b.generator.integers(2, 5))
    size = b.power(-10, 10)
    x = b.normal(count, width)
    if b.chance(0.4):
        x = x * 10.0 ** b.generator.uniform(-5, 5, x.shape)
    node = b.leaf(size * x)
    if b.chance(0.5):
        node = b.apply(SCALE, node, constants=(1 / size,))
    else:
        node = b.apply(linear.MULTIPLY, node, b.leaf(np.asarray(1 / size) * b.normal(width)))
    for _ in range(int(b.generator.integers(1, 3))):
        node = b.smooth(node) if b.chance(0.7) else b.kinked(node)
    if b.chance(0.5):
        node = b.apply(SCALE, node, constants=(b.power(-10, 10),))
    return b.function("scales", node)


def leaves(b: Builder) -> Function:
    """Several arguments of unlike shapes: tables that are looked up, gates, residual branches, biases, numbers."""
    count, width = int(b.generator.integers(2, 5)), int(b.generator.integers(2, 5))
    table, rows = b.leaf(b.normal(5, width)), b.leaf(b.generator.integers(0, 5, count))
    node = b.apply(linear.LOOKUP, table, rows)
    gate = b.apply(SMOOTH["sigmoid"], b.apply(linear.MATMUL, node, b.leaf(b.normal(width, width))))
    branch = b.smooth(b.apply(linear.ADD, node, b.leaf(b.normal(width))))
    node = b.apply(linear.ADD, b.apply(linear.MULTIPLY, gate, branch), node)
    node = b.apply(linear.MULTIPLY, node, b.leaf(b.normal(1)))
    if b.chance(0.5):
        node = b.kinked(node)
    if b.chance(0.5):
        node = b.norm(b.apply(linear.CONCAT, node, b.leaf(b.normal(count, 2))))
    return ended(b, node, "leaves")


def large(b: Builder) -> Function:
    """A leaf of thousands of entries, which is looked at along random directions."""
    count, inside, width = int(b.generator.integers(1, 4)), int(b.generator.integers(70, 160)), int(b.generator.integers(60, 120))
    x = b.leaf(b.normal(count, inside))
    w = b.leaf(b.normal(inside, width) / inside**0.5)
    node = b.apply(linear.MATMUL, x, w)
    node = b.kinked(node) if b.chance(0.4) else b.smooth(node)
    if b.chance(0.5):
        node = b.apply(linear.MEAN, node, constants=(-1,))
    return b.function("large", node)
