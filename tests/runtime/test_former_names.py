"""Former names: they work, say the new one, and are no public names."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.data import scaling
from funcnn.data.former import FORMER

MODULES: tuple[Any, ...] = (fn.data, scaling)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.__name__))
@pytest.mark.parametrize("before", FORMER)
def test_a_former_name_gives_what_it_is_called_now_and_says_so(module: Any, before: str) -> None:
    now = FORMER[before]
    with pytest.warns(DeprecationWarning, match=f"{module.__name__}.{before} is called {now} now") as said:
        value = getattr(module, before)
    assert value is getattr(module, now)
    assert said[0].filename == __file__
    assert before not in dir(fn.data)


def test_any_other_name_is_an_attribute_error() -> None:
    for module in MODULES:
        with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'standardise'"):
            module.standardise  # noqa: B018  # what is tried


def test_a_pickle_of_a_former_name_is_read() -> None:
    fitted = fn.data.fit_standardize(np.arange(6.0).reshape(3, 2))
    before = pickle.dumps(fitted, 0).replace(b"Standardize", b"Standardise")
    with pytest.warns(DeprecationWarning, match="Standardise is called Standardize now"):
        again = pickle.loads(before)
    assert fn.tree.same(again, fitted)


def test_a_file_of_a_former_name_is_read(tmp_path: Path) -> None:
    fitted = fn.data.fit_standardize(np.arange(6.0).reshape(3, 2))
    path = tmp_path / "fitted.npz"
    fn.save(path, {"scale": fitted})
    whole = path.read_bytes()
    assert whole.count(b"Standardize") == 1
    path.write_bytes(renamed(whole))
    assert fn.tree.same(fn.load(path, like={"scale": fitted}), {"scale": fitted})
    with pytest.raises(fn.FileError, match=r"is Standardise with \.mean, \.rest, \.scale, expected MinMax"):
        fn.load(path, like={"scale": fn.data.fit_min_max(np.arange(6.0).reshape(3, 2))})


def renamed(whole: bytes) -> bytes:
    """Return an archive whose description has the former name: its bytes, and its checksum in both places."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(made, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info).replace(b"Standardize", b"Standardise"))
    return made.getvalue()
