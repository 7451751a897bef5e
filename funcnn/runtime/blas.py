"""One thread for each matrix product, while several products are computed at the same time.

NumPy's matrix products run on threads of their own.  Where the library's threads compute side by side these would only be in
each other's way, so the number is set to one until the last of them is done.  How to do so is a matter of the library that NumPy
was linked with; OpenBLAS, which NumPy's wheels bring, and MKL are known.  With another one nothing is set: there an environment
variable of that library can say the same from outside.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

_NAMES = (  # (how many threads, set them)
    ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"),
    ("scipy_openblas_get_num_threads", "scipy_openblas_set_num_threads"),
    ("openblas_get_num_threads64_", "openblas_set_num_threads64_"),
    ("openblas_get_num_threads", "openblas_set_num_threads"),
    ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads"),
)


@lru_cache(maxsize=1)
def controls() -> tuple[Callable[[], int], Callable[[int], object]] | None:
    """Return the functions that tell and set the number of threads of NumPy's matrix products, or None."""
    try:
        import ctypes

        library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]  # finds what that is linked with
    except (AttributeError, ImportError, OSError):
        return None
    for get, put in _NAMES:
        if hasattr(library, get) and hasattr(library, put):
            return getattr(library, get), getattr(library, put)
    return None


class _Users:
    """Who is inside of :func:`one_thread`, and the number of threads that was there before the first came."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # the end of a user may come while the same thread lets another one in
        self.inside: set[int] = set()
        self.before = 1


_USERS = _Users()  # the setting is one of the whole process, and so is this


class _User:
    """One stay inside.  It ends when it is left, and at the latest with this object: also where leaving was interrupted."""

    def enter(self, get: Callable[[], int], put: Callable[[int], object]) -> None:
        self.put = put
        with _USERS.lock:
            if not _USERS.inside:
                _USERS.before = get()
            _USERS.inside.add(id(self))
            if _USERS.before != 1:
                put(1)

    def leave(self) -> None:
        with _USERS.lock:
            if id(self) in _USERS.inside:
                if len(_USERS.inside) == 1 and _USERS.before != 1:
                    self.put(_USERS.before)
                _USERS.inside.discard(id(self))

    def __del__(self) -> None:
        if id(self) in _USERS.inside:
            self.leave()


def _begin_anew() -> None:
    """Forget, in a forked process, the users that the other process has: their threads are not here."""
    found, inside = controls(), _USERS.inside
    _USERS.lock, _USERS.inside = threading.RLock(), set()
    if inside and found is not None and _USERS.before != 1:
        found[1](_USERS.before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def in_use() -> bool:
    """Tell whether the library's threads compute side by side already: then there is no processor left for more of them."""
    return bool(_USERS.inside)


@contextmanager
def one_thread() -> Iterator[None]:
    """Within this context a matrix product uses the thread that asks for it and no other."""
    found = controls()
    if found is None:
        yield
        return
    user = _User()
    try:
        user.enter(*found)
        yield
    finally:
        user.leave()
