"""Random keys: immutable values from which generators are made.

A key is a pair (entropy, path).  ``key.child(i)`` appends ``i`` to the path, and ``key.generator()`` is NumPy's own generator on
``SeedSequence(entropy, spawn_key=path)``, the documented way to independent streams.  (``SeedSequence.spawn`` counts its
calls: two calls give different children.  A key gives the same child every time.)
"""

from __future__ import annotations

import numpy as np
from attrs import frozen


@frozen
class Key:
    """A seed and the path of children that led here.

    Parameters
    ----------
    entropy : int
        The seed: any non-negative integer, however large.
    path : tuple of int, optional
        The children taken so far; the root key has none.

    Raises
    ------
    TypeError, ValueError
        When the entropy is not an integer, or negative.

    Examples
    --------
    >>> import funcnn as fn
    >>> key = fn.Key(7)
    >>> key.child(0) == key.child(0), key.child(0) == key.child(1)
    (True, False)
    >>> key.split(2)
    (Key(entropy=7, path=(0,)), Key(entropy=7, path=(1,)))
    >>> key.generator().integers(100) == key.generator().integers(100)
    np.True_
    """

    entropy: int
    path: tuple[int, ...] = ()

    def __attrs_post_init__(self) -> None:
        if isinstance(self.entropy, bool) or not isinstance(self.entropy, (int, np.integer)):
            raise TypeError(f"a key's seed is an integer, got {self.entropy!r}")
        if self.entropy < 0:
            raise ValueError(f"a key's seed is at least 0, got {self.entropy}")

    def child(self, index: int) -> Key:
        """Return the child of this key with the given number (at least 0)."""
        if index < 0:
            raise ValueError(f"a child's number is at least 0, got {index}")
        return Key(self.entropy, (*self.path, index))

    def split(self, count: int) -> tuple[Key, ...]:
        """Return the first ``count`` children."""
        return tuple(self.child(index) for index in range(count))

    def generator(self, skip: int = 0) -> np.random.Generator:
        """Return a fresh generator: every call starts the same stream again.

        With ``skip`` it starts past as many uniform numbers of type float32.
        """
        bits = np.random.PCG64(np.random.SeedSequence(self.entropy, spawn_key=self.path))
        generator = np.random.Generator(bits)
        if skip:
            bits.advance(skip // 2)  # of 64 bits, which make two such numbers
            if skip % 2:
                generator.random(dtype=np.float32)
        return generator
