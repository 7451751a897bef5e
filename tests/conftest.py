"""Settings of the test session."""

import gc
import os

import pytest

# Small products gain nothing from a second BLAS thread, which spins in the way of the tests beside it.  Workers inherit this.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the type checkers: they take minutes in one process, and other tests run beside them meanwhile."""
    items.sort(key=lambda item: item.path.name != "test_types.py")


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over the tests that were collected: they are millions of objects, and all stay."""
    gc.freeze()
