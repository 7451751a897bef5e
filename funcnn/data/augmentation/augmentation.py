"""What an augmentation is: a function of a key and a batch; how several follow one another; and how training takes them.

The numbers that are drawn are those of the key: equal keys and batches of equal size give equal changes.  A batch of bytes stays
one of bytes: what is computed in between is rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_function, describe, is_plain, shown
from funcnn.grad import LossAndGrad, LossAndGradFunction
from funcnn.key import Key, check_key
from funcnn.layer import Mode, Train
from funcnn.typing import Array, IntArray

P = TypeVar("P")
S = TypeVar("S")
Y = TypeVar("Y")
T = TypeVar("T")
A = TypeVar("A", bound="Array | IntArray")

_CHILD = 2**32  # of a step's key: a network numbers its layers from 0, and has not so many


@frozen
class Change:
    """One random change: a function that draws from a generator, and its settings, which follow the batch."""

    name: str
    function: Callable[..., Any]  # Any: the settings of each change are of its own types
    settings: tuple[tuple[str, object], ...]

    def __call__(self, generator: np.random.Generator, *batch: Array) -> Any:
        """Return what the function makes of a batch."""
        return self.function(generator, *batch, *[value for _, value in self.settings])

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.settings)})"


@frozen(repr=False)
class Augmentation:
    """A random change of every example of a batch, ``(key, x) -> x``; ``first >> second`` does one after the other.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> augment = fn.data.random_flip() >> fn.data.random_crop(2)
    >>> augment
    random_flip(probability=0.5, axis=-2) >> random_crop(size=(2, 2), padding=0, border='zeros')
    >>> augment(fn.Key(0), np.zeros((5, 3, 3, 1))).shape
    (5, 2, 2, 1)
    """

    changes: tuple[Change, ...]

    def __call__(self, key: Key, x: A) -> A:
        """Return the batch with its examples changed, in the dtype that it came in."""
        check_images(x)
        generator = check_key(key).generator()
        changed = cast(Array, x)
        for change in self.changes:
            changed = change(generator, changed)
        return rounded(changed, x)

    def __rshift__(self, other: Augmentation) -> Augmentation:
        """Return the augmentation that does this one first and the other one then."""
        return Augmentation((*self.changes, *other.changes))

    def __repr__(self) -> str:
        return " >> ".join(map(str, self.changes))


def check_images(x: object) -> None:
    """Raise unless this is a batch of images (n, height, width, channels), of floating numbers or bytes."""
    if not is_plain(x) or (x.dtype != np.uint8 and x.dtype.char not in "fdg"):
        raise TypeError(f"x is {describe(x)}, expected images (n, height, width, channels) of floating numbers or of uint8")
    if x.ndim != 4:
        raise ValueError(f"x has shape {x.shape}, expected images (n, height, width, channels): a batch with channels last")


def rounded(changed: Array, like: A) -> A:
    """Return a batch in the dtype of another one: bytes are rounded to the nearest and cut off at 0 and 255."""
    if changed.dtype == like.dtype:
        return cast(A, changed)
    if like.dtype == np.uint8:
        return cast(A, np.rint(changed).clip(0, 255).astype(np.uint8))
    return cast(A, changed.astype(like.dtype))


@frozen(repr=False)
class Mixing:
    """A random mixture of the examples of a batch and of their targets: ``(key, x, y) -> (x, y)``."""

    change: Change
    classes: int | None
    """Of how many classes integer targets are; None where targets are numbers already."""

    def __call__(self, key: Key, x: Array, y: Array | IntArray) -> tuple[Array, Array]:
        """Return the mixed batch."""
        numbers = self._numbers(x, y)
        mixed: tuple[Array, Array] = self.change(check_key(key).generator(), x, numbers)
        return mixed

    def _numbers(self, x: object, y: object) -> Array:
        if not is_plain(x) or x.dtype.char not in "fdg":
            raise TypeError(f"x is {describe(x)}, expected a batch of floating numbers: divide bytes by 255")
        if not is_plain(y) or len(y) != len(x):
            raise ValueError(f"y is {describe(y)} and x {describe(x)}, expected a target for each example")
        if y.dtype.kind == "f":
            return cast(Array, y)
        if self.classes is None or y.dtype.kind not in "iu" or y.ndim != 1:
            raise TypeError(
                f"y is {describe(y)}: labels cannot be mixed, their probabilities can: say how many classes there are, as in"
                " mixup(classes=10), and take a loss of probabilities"
            )
        if y.size and not 0 <= y.min() <= y.max() < self.classes:
            wrong = y[np.argmax((y < 0) | (y >= self.classes))]
            raise ValueError(f"y holds the label {wrong}, expected labels from 0 to {self.classes - 1}")
        chances: Array = np.eye(self.classes, dtype=x.dtype)[y]
        return chances

    def __repr__(self) -> str:
        return str(self.change)


def augmented(
    change: Augmentation | Mixing, function: LossAndGradFunction[P, S, Array, Y, T]
) -> LossAndGradFunction[P, S, Array, Y, T]:
    """Return a function like that of :func:`loss_and_grad` that changes each training batch first.

    In :func:`fit` it is the argument ``wrap``; the changes are then drawn from the key of each step, so that a run which is
    resumed sees the same ones.  In evaluation mode nothing is changed.

    Parameters
    ----------
    change : Augmentation or Mixing
        What is done with a batch; several augmentations are joined by ``>>``.
    function : callable
        As :func:`funcnn.loss_and_grad` returns, or another ``augmented``: the outermost change is the first.

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> LossAndGrad``, picklable.

    Raises
    ------
    TypeError
        When ``change`` is neither an :class:`Augmentation` nor a :class:`Mixing`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> from functools import partial
    >>> x, y = np.random.default_rng(0).random((8, 6, 6, 1)), np.arange(8) % 2
    >>> model = fn.flatten() >> fn.dense(2)
    >>> result = fn.fit(model, fn.softmax_cross_entropy(), fn.sgd(0.1), x, y, key=fn.Key(0), epochs=2, batch_size=4,
    ...     wrap=partial(fn.data.augmented, fn.data.random_flip()))
    >>> len(result.history)
    2
    """
    if not isinstance(change, (Augmentation, Mixing)):
        raise TypeError(f"change is {shown(change)}, expected an augmentation such as fn.data.random_flip()")
    check_function(function, "function", "what loss_and_grad returns")
    return partial(_augmented, change, function)


def _augmented(
    change: Augmentation | Mixing,
    function: LossAndGradFunction[P, S, Array, Y, T],
    params: P,
    state: S,
    x: Array,
    target: T,
    mode: Mode,
) -> LossAndGrad[P, S, Y]:
    if isinstance(mode, Train):
        key = mode.key.child(_CHILD)
        if isinstance(change, Augmentation):
            return function(params, state, change(key, x), target, mode)
        x, mixed = change(key, x, cast(Array, target))
        return function(params, state, x, cast(T, mixed), mode)
    return function(params, state, x, target, mode)
