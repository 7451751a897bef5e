"""The processor's widest matrix kernels, where NumPy's BLAS passes them by.

NumPy's wheels carry OpenBLAS, which picks its kernels when it is loaded, by the name of the processor.  A processor that it does
not know gets kernels that run everywhere of its kind: on AMD's Zen 5 those of AVX2, which take twice the time of those for
AVX-512.  Both are in the library.  Setting the environment variable ``OPENBLAS_CORETYPE=SkylakeX`` before Python starts chooses
the latter; this module does the same from inside.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from pathlib import Path

import numpy as np

_NEEDED = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}  # by the kernels
_NARROW = {"Haswell", "Zen"}  # what OpenBLAS falls back to


@lru_cache(maxsize=1)
def use_avx512() -> bool:
    """Have NumPy's matrix products use AVX-512, where the processor has it and OpenBLAS has not noticed.

    ::

        import funcnn as fn

        fn.use_avx512()

    The setting is one of the whole process: call it first, before any other thread computes.  Products then round differently in
    their last digits.  Importing the library never does it.  With another BLAS than OpenBLAS, on another system than Linux, on
    a processor without AVX-512 and where ``OPENBLAS_CORETYPE`` is set, it does nothing.

    Returns
    -------
    bool
        Whether OpenBLAS was told to use other kernels.
    """
    try:
        if "OPENBLAS_CORETYPE" in os.environ or not processor_flags() >= _NEEDED:
            return False
        switched = [switch(path) for path in loaded_libraries()]
        return any(switched)
    except (AttributeError, OSError):  # another system, or another build of the library
        return False


def processor_flags() -> set[str]:
    """Return what the processor can do, in the words of Linux."""
    with Path("/proc/cpuinfo").open() as lines:
        return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def loaded_libraries() -> list[str]:
    """Return the OpenBLAS libraries that this process has loaded."""
    np.ones((2, 2)).dot(np.ones((2, 2)))  # at least NumPy's, now
    with Path("/proc/self/maps").open() as lines:
        paths = {line.split(maxsplit=5)[-1].strip() for line in lines if "openblas" in line}
    return sorted(path for path in paths if path.startswith("/"))


def switch(path: str) -> bool:
    """Have one OpenBLAS choose its kernels again, those for AVX-512; tell whether it did."""
    library = ctypes.CDLL(path)
    library.gotoblas_corename.restype = ctypes.c_char_p
    if library.gotoblas_corename().decode() not in _NARROW or not hasattr(library, "gotoblas_SKYLAKEX"):
        return False
    choose_none, choose = library.gotoblas_dynamic_quit, library.gotoblas_dynamic_init  # what loading and unloading it call
    os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
    try:
        choose_none()
        choose()
    finally:
        del os.environ["OPENBLAS_CORETYPE"]
    return bool(library.gotoblas_corename().decode() == "SkylakeX")
