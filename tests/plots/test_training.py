"""Pictures: files of the kind that their names say, without a window and without pyplot."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn

HISTORY = fn.History(
    tuple(fn.Row(i, (("loss", 1 / i), ("f1", 1 - 1 / i), ("val_loss", 2 / i), ("val_f1", 0.5))) for i in range(1, 5))
)
MATRIX = np.array([[5, 0, 1], [2, 7, 0], [0, 0, 9]])


@pytest.mark.parametrize(("ending", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89PNG")])
def test_the_ending_says_the_kind(tmp_path: Path, ending: str, begin: bytes) -> None:
    fn.plots.curves(HISTORY, tmp_path / f"c.{ending}")
    fn.plots.confusion(MATRIX, tmp_path / f"m.{ending}")
    for name in ("c", "m"):
        assert (tmp_path / f"{name}.{ending}").read_bytes().startswith(begin)


def test_pictures_say_what_they_show(tmp_path: Path) -> None:
    fn.plots.curves(HISTORY, tmp_path / "c.svg")
    text = (tmp_path / "c.svg").read_text()
    for word in (">epoch<", ">loss<", ">f1<", ">training<", ">validation<"):
        assert word in text
    fn.plots.confusion(MATRIX, tmp_path / "m.svg", classes=["cat", "dog", "horse"])
    text = (tmp_path / "m.svg").read_text()
    for word in (">cat<", ">dog<", ">horse<", ">predicted<", ">true<", ">5<", ">7<", ">9<"):
        assert word in text
    assert ">0<" not in text


def test_equal_data_give_equal_files(tmp_path: Path) -> None:
    for ending in ("svg", "png"):
        for name in ("a", "b"):
            fn.plots.curves(HISTORY, tmp_path / f"{name}.{ending}")
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_pyplot_is_not_touched(tmp_path: Path) -> None:
    before = "matplotlib.pyplot" in sys.modules
    fn.plots.curves(HISTORY, tmp_path / "c.svg")
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'funcnn\[train\]'"):
        fn.plots.curves(HISTORY, tmp_path / "c.svg")


@pytest.mark.parametrize(
    ("matrix", "options", "message"),
    [
        (np.zeros((2, 3)), {}, r"is square, got float64\[2, 3\]"),
        (np.zeros(3), {}, "is square"),
        (np.zeros((0, 0)), {}, "is square"),
        (np.zeros((2, 2)), {"classes": ["a"]}, "1 names for 2 classes"),
    ],
)
def test_wrong_matrices(tmp_path: Path, matrix: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fn.plots.confusion(matrix, tmp_path / "m.svg", **options)


def test_wrong_names_and_empty_histories(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no name of a picture"):
        fn.plots.curves(HISTORY, tmp_path / "c.txt")
    with pytest.raises(ValueError, match="the history is empty"):
        fn.plots.curves(fn.History(), tmp_path / "c.svg")
