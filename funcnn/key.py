"""Random keys: immutable values from which generators are made.

A key is a pair (entropy, path).  ``key.child(i)`` appends ``i`` to the path, and ``key.generator()`` is NumPy's own generator on
``SeedSequence(entropy, spawn_key=path)``, the documented way to independent streams.  (``SeedSequence.spawn`` counts its
calls: two calls give different children.  A key gives the same child every time.)
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.errors import check_count, shown


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
        When the entropy is not an integer, or negative; when the path is no tuple of such integers.

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
        # Plain ints alone are stored: two equal keys hash and print alike whatever kind of integer made them.
        if type(self.entropy) is not int or self.entropy < 0:
            object.__setattr__(self, "entropy", check_count(self.entropy, "a key's seed (entropy)", least=0))
        if type(self.path) is not tuple or not all(type(step) is int and step >= 0 for step in self.path):
            object.__setattr__(self, "path", _checked_path(self.path))

    def child(self, index: int) -> Key:
        """Return the child of this key with the given number (an integer of at least 0)."""
        if type(index) is not int or index < 0:
            index = check_count(index, "a child's number (index)", least=0)
        return Key(self.entropy, (*self.path, index))

    def split(self, count: int) -> tuple[Key, ...]:
        """Return the first ``count`` children, at most a million: further ones are made by :meth:`child`."""
        count = check_count(count, "the number of keys (count)", least=0, most=10**6)
        return tuple([self.child(index) for index in range(count)])

    def generator(self, skip: int = 0) -> np.random.Generator:
        """Return a fresh generator: every call starts the same stream again.

        With ``skip`` it starts past as many uniform numbers of type float32.
        """
        bits = np.random.PCG64(np.random.SeedSequence(self.entropy, spawn_key=self.path))
        generator = np.random.Generator(bits)
        if type(skip) is not int or skip < 0:
            skip = check_count(skip, "skip", least=0)
        if skip:
            bits.advance(skip // 2)  # of 64 bits, which make two such numbers
            if skip % 2:
                generator.random(dtype=np.float32)
        return generator


def _checked_path(path: object) -> tuple[int, ...]:
    """Return the children that led to a key as plain ints, or raise."""
    if not isinstance(path, tuple):
        raise TypeError(f"a key's path is {shown(path)}, expected a tuple of integers: the children taken so far")
    return tuple([check_count(step, "a child's number in a key's path", least=0) for step in path])


def check_key(key: object, what: str = "key") -> Key:
    """Return a key, or raise a TypeError that says how one is made."""
    if not isinstance(key, Key):
        raise TypeError(f"{what} is {shown(key)}, expected a key: fn.Key(0)")
    return key
