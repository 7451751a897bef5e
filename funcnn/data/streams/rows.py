"""Rows that are read when they are asked for.

What training needs of its inputs is how many there are, their shape and precision, and some of them at a time.  An array has all
that; :class:`Rows` has it without an array.  :func:`funcnn.data.batches`, the splits, :func:`funcnn.fit`, :func:`funcnn.predict`
and :func:`funcnn.evaluate` take it in the place of x.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

import numpy as np
from attrs import field, frozen
from numpy.typing import DTypeLike

from funcnn.errors import describe, is_plain, shown
from funcnn.tree import checked_dtype
from funcnn.typing import Array, IntArray, Shape


class Rows(ABC):
    """Examples that are read when they are asked for.

    A class of one's own derives from this one, is immutable (a frozen record), and defines ``shape``, ``dtype`` and ``read``.
    A run of :func:`fit` that is resumed compares the fields of the record, and does not read the rows again.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> from attrs import frozen
    >>> @frozen
    ... class Waves(fn.data.Rows):
    ...     count: int
    ...
    ...     @property
    ...     def shape(self):
    ...         return (self.count, 50)
    ...
    ...     @property
    ...     def dtype(self):
    ...         return np.dtype(np.float64)
    ...
    ...     def read(self, rows):
    ...         return np.sin(np.linspace(0, 1, 50) * rows[:, None])
    >>> waves = Waves(10**6)
    >>> [batch.shape for batch in fn.data.batches(fn.Key(0), waves, 400_000)]
    [(400000, 50), (400000, 50), (200000, 50)]
    """

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """The shape (n, ...) of the array that all rows would make."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[np.generic]:
        """Its dtype."""

    @abstractmethod
    def read(self, rows: IntArray) -> Array:
        """Return the given rows, integers (k,) from 0 to n - 1 in any order, as an array (k, ...)."""

    def __len__(self) -> int:
        return self.shape[0]

    def take(self, rows: IntArray) -> Array:
        """Return the given rows as a read-only array.

        Raises
        ------
        TypeError
            When ``read`` gave something else than an array of the stated shape and dtype.
        """
        read = self.read(rows)
        if not is_plain(read) or read.shape != (len(rows), *self.shape[1:]) or read.dtype != self.dtype:
            raise TypeError(
                f"{type(self).__name__}.read gave {describe(read)} for {len(rows)} rows, expected"
                f" {self.dtype}{[len(rows), *self.shape[1:]]} by its shape and its dtype"
            )
        view = read.view()
        view.setflags(write=False)
        return view

    def all(self) -> Array:
        """Return all rows, as an array in memory."""
        return self.take(np.arange(len(self)))


def stand_in(rows: Rows) -> Array:
    """Return an array of the shape and dtype of rows that are not read, which takes no memory: all its numbers are one 0."""
    return cast(Array, np.broadcast_to(np.zeros((), rows.dtype), rows.shape))


@frozen(repr=False)
class Selected(Rows):
    """Some of the rows of others, as a split gives them."""

    rows: Rows
    chosen: IntArray = field(eq=lambda chosen: chosen.tobytes())

    @property
    def shape(self) -> Shape:
        """The shape of the array that they would make."""
        return (len(self.chosen), *self.rows.shape[1:])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The dtype of the others."""
        return self.rows.dtype

    def read(self, rows: IntArray) -> Array:
        """Return some of the chosen rows."""
        return self.rows.read(self.chosen[rows])

    def __repr__(self) -> str:
        return f"{len(self)} of {self.rows!r}"


@frozen(eq=False, repr=False)
class FromBytes(Rows):
    """Bytes as numbers in [0, 1]: an eighth of the memory, or a quarter."""

    pixels: IntArray
    precision: np.dtype[np.floating]

    @property
    def shape(self) -> Shape:
        """The shape of the bytes."""
        return self.pixels.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Their precision."""
        return self.precision

    def read(self, rows: IntArray) -> Array:
        """Return the numbers of some rows."""
        read: Array = self.pixels[rows].astype(self.precision)
        read /= 255
        return read

    def __repr__(self) -> str:
        return f"from_bytes({describe(self.pixels)}, {self.precision})"


def from_bytes(pixels: IntArray, *, dtype: DTypeLike = np.float32) -> Rows:
    """Keep bytes, such as the points of images, and give them as numbers in [0, 1], batch by batch.

    Parameters
    ----------
    pixels : array (n, ...)
        Of dtype uint8; it may be memory-mapped.
    dtype : dtype, optional
        Precision of the numbers.

    Returns
    -------
    Rows
        ``pixels / 255``.

    Raises
    ------
    TypeError
        When the pixels are not an array of uint8, or the dtype is not a floating one.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> rows = fn.data.from_bytes(np.array([[0, 255], [51, 102]], np.uint8))
    >>> rows.take(np.array([1]))
    array([[0.2, 0.4]], dtype=float32)
    """
    if isinstance(pixels, np.memmap):
        pixels = np.asarray(pixels)
    if not is_plain(pixels) or pixels.dtype != np.uint8 or pixels.ndim == 0:
        raise TypeError(f"pixels is {describe(pixels)}, expected an array (n, ...) of uint8")
    return FromBytes(pixels, floating(dtype))


def floating(dtype: DTypeLike) -> np.dtype[np.floating]:
    """Return the dtype that rows are to have, or raise a TypeError."""
    kind = checked_dtype(dtype)
    if kind.char not in "fdg":
        raise TypeError(f"dtype is {kind}, expected a floating one, not half precision: np.float32 or np.float64")
    return kind


@frozen(eq=False, repr=False)
class Joined(Rows):
    """Several arrays or rows, one after the other."""

    parts: tuple[Array | Rows, ...]
    starts: IntArray

    @property
    def shape(self) -> Shape:
        """The shape of the array that they would make."""
        return (sum([len(one) for one in self.parts]), *self.parts[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The dtype of all of them."""
        return self.parts[0].dtype

    def read(self, rows: IntArray) -> Array:
        """Return rows, each from the part that has it."""
        made = cast(Array, np.empty((len(rows), *self.shape[1:]), self.dtype))
        part = np.searchsorted(self.starts, rows, "right") - 1
        for number in np.unique(part):
            here = np.flatnonzero(part == number)
            own = rows[here] - self.starts[number]
            source = self.parts[number]
            made[here] = source.read(own) if isinstance(source, Rows) else source[own]
        return made

    def __repr__(self) -> str:
        return f"{self.dtype}{list(self.shape)} in {len(self.parts)} parts"


def joined(parts: Sequence[Array | Rows]) -> Rows:
    """Take several arrays as one without copying them: those of several files, most often, each memory-mapped.

    Parameters
    ----------
    parts : sequence of array (n_i, ...) or Rows
        Alike but for their numbers of rows.

    Returns
    -------
    Rows
        All rows of the first, then those of the second, and so on.

    Raises
    ------
    TypeError, ValueError
        When there is none, or they differ in dtype or shape, with the number of the part.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> rows = fn.data.joined([np.zeros((2, 3)), np.ones((4, 3))])
    >>> rows.shape, rows.take(np.array([5, 0]))[:, 0]
    ((6, 3), array([1., 0.]))
    """
    if not isinstance(parts, (list, tuple)) or not parts:
        raise TypeError(f"parts is {shown(parts)}, expected arrays or rows in a list, at least one")
    kept: list[Array | Rows] = []
    for number, one in enumerate(parts):
        part = np.asarray(one) if isinstance(one, np.memmap) else one
        if not isinstance(part, Rows) and (not is_plain(part) or part.ndim == 0 or part.dtype.kind not in "fiu"):
            raise TypeError(f"parts[{number}] is {describe(one)}, expected an array (n, ...) of numbers, or rows")
        if kept and (part.shape[1:] != kept[0].shape[1:] or part.dtype != kept[0].dtype):
            raise ValueError(
                f"parts[{number}] is {part.dtype}{list(part.shape)} and parts[0] {kept[0].dtype}{list(kept[0].shape)}: expected"
                " the same but for the number of rows"
            )
        kept.append(part)
    return Joined(tuple(kept), np.cumsum([0, *[len(one) for one in kept[:-1]]]))
