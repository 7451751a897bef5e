"""A limit to the memory that a mutant can ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_ROOM = 1 << 30
"""Bytes beyond what is in use."""


@contextmanager
def little_memory() -> Iterator[None]:
    """Let the process have little more memory than now, where the platform can: a mutant that asks for a huge array fails."""
    try:
        import resource
        from pathlib import Path

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):  # elsewhere it takes its time
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + _ROOM
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
