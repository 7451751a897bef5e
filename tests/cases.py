"""The gradient cases: one entry or more for every public factory of layers and losses.

``tests/test_gradients.py`` walks the package, finds every factory and looks it up here; a factory without a case is a failing
test.  To add one, an entry under the factory's name: how to make it, the shape of one example, and, where the formula has
kinks or switches,
inputs that visit every branch (the checker knows what to do at a kink; a case that never reaches a branch would prove
nothing about it).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.layer import AnyLayer
from funcnn.typing import Array, Shape


def normal(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw standard normal inputs."""
    return generator.normal(size=shape)


def normals(generator: np.random.Generator, shape: Any) -> tuple[Array, ...]:
    """Draw one standard normal input for each of several shapes."""
    batch, *shapes = shape
    return tuple(generator.normal(size=(batch, *one)) for one in shapes)


def wide(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw inputs of standard deviation 3: both tails and the middle of every activation."""
    return generator.normal(scale=3.0, size=shape)


@frozen
class LayerCase:
    """How one setting of a layer is tested.

    ``independent`` says that each example of a batch is treated alone (not so for batch statistics); ``inputs`` draws x.
    """

    make: Callable[[], AnyLayer]
    shape: Any  # of one example; a tuple of shapes where the layer takes several inputs
    batch: int = 3
    inputs: Callable[[np.random.Generator, Shape], Any] = normal
    independent: bool = True
    label: str = ""

    def x(self, batch: int | None = None, seed: int = 0) -> Any:
        """Draw a batch of inputs."""
        return self.inputs(np.random.default_rng([seed, 1]), (self.batch if batch is None else batch, *self.shape))


@frozen
class LossCase:
    """How one setting of a loss is tested: ``draw`` gives (prediction, target) for a generator and a batch size."""

    make: Callable[[], fn.Loss[Any, Any]]
    draw: Callable[[np.random.Generator, int], tuple[Any, Any]]
    batch: int = 3
    label: str = ""


def activation(make: Callable[[], AnyLayer], label: str = "") -> LayerCase:
    """Make the case of an elementwise layer."""
    return LayerCase(make, (5,), batch=4, inputs=wide, label=label)


LAYERS: dict[str, tuple[LayerCase, ...]] = {
    # layers
    "dense": (LayerCase(lambda: fn.dense(3), (4,)), LayerCase(lambda: fn.dense(2), (3, 5), label="sequence")),
    # activations
    "relu": (activation(lambda: fn.relu()),),
    "tanh": (activation(lambda: fn.tanh()),),
    # combinators
    "serial": (
        LayerCase(lambda: fn.serial(fn.dense(3), fn.tanh(), fn.dense(2)), (4,)),
        LayerCase(lambda: fn.dense(3) >> fn.tanh() >> fn.serial(fn.dense(2), fn.tanh()), (4,), label="nested"),
        LayerCase(lambda: fn.serial(fn.tanh(), fn.tanh()), (4,), label="without parameters"),
    ),
    "residual": (LayerCase(lambda: fn.residual(fn.dense(4) >> fn.tanh()), (4,)),),
    "add": (LayerCase(lambda: fn.add(fn.dense(3), fn.dense(3) >> fn.tanh()), (4,)),),
    "concatenate": (LayerCase(lambda: fn.concatenate(fn.dense(3), fn.tanh(), fn.dense(1)), (4,)),),
    "branch": (LayerCase(lambda: fn.branch(fn.dense(3), fn.tanh()), (4,)),),
    "parallel": (LayerCase(lambda: fn.parallel(fn.dense(3), fn.tanh()), ((4,), (2,)), inputs=normals),),
    "recompute": (LayerCase(lambda: fn.recompute(fn.dense(3) >> fn.tanh() >> fn.dense(2)), (4,)),),
}


def pair(*shape: int) -> Callable[[np.random.Generator, int], tuple[Array, Array]]:
    """Return a drawer of (prediction, target), both standard normal, of one example's shape."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, Array]:
        return generator.normal(size=(batch, *shape)), generator.normal(size=(batch, *shape))

    return draw


LOSSES: dict[str, tuple[LossCase, ...]] = {}
