"""The memory allocator's setting that a functional style wants.

Immutable values mean new arrays all the time.  By default the C library of Linux gives the memory of every large array back to
the system when the array is freed, and the next one of the same size is paid for again, page by page: on large networks that is
half of the time of a step.  Told to keep freed memory, it hands the same pages to the next array.

Threads get pools of memory of their own, which neither share what they keep nor keep all of it.  With a single pool the parts of
a batch (:func:`funcnn.shard`) hand pages to each other: a network in two parts takes the memory of the whole one.
"""

import os
from functools import lru_cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
_NEVER = 2**31 - 1


@lru_cache(maxsize=1)
def keep_memory() -> bool:
    """Have the process keep memory that arrays gave back, for the arrays that follow.

    The setting is one of the whole process and lasts; the memory that the process holds no longer falls below its highest mark.
    :func:`fit` and the command line call it; importing the library does not.  On systems other than Linux with glibc it does
    nothing.  The environment variables ``MALLOC_TRIM_THRESHOLD_``, ``MALLOC_MMAP_THRESHOLD_`` and ``MALLOC_ARENA_MAX`` do the
    same from outside.

    Returns
    -------
    bool
        Whether the setting was made.

    Examples
    --------
    >>> import funcnn as fn
    >>> done = fn.keep_memory()
    """
    try:
        if not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"):
            return False
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_MMAP_THRESHOLD, _NEVER) and mallopt(_TRIM_THRESHOLD, _NEVER) and mallopt(_ARENA_MAX, 1))
    except (AttributeError, ImportError, OSError, TypeError, ValueError):  # another C library, or none to be found
        return False
