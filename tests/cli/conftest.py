"""What every test of the command line runs in."""

from collections.abc import Iterator
from typing import IO

import pytest

from funcnn.plots import figure

SAVE = figure.save


def write_empty(made: object, file: IO[bytes], ending: str) -> None:
    """Write a picture that shows nothing in the place of a figure."""
    file.write(b"<svg/>" if ending == ".svg" else b"")


@pytest.fixture(scope="package", autouse=True)
def undrawn() -> Iterator[None]:
    """Leave out Matplotlib's drawing, which takes longer than all else that a short run does; figures are made all the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure, "save", write_empty)
        yield


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the pictures of a test drawn."""
    monkeypatch.setattr(figure, "save", SAVE)
