"""Where scikit-learn is missing or too old, the import says what to do, and nothing else of the package needs it."""

import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the modules of the estimators be imported anew, and forgotten afterwards."""
    for name in [name for name in sys.modules if name.startswith("funcnn.estimators")]:
        monkeypatch.delitem(sys.modules, name)


def test_a_missing_library_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(ImportError, match=r"pip install 'funcnn\[estimators\]'"):
        import_module("funcnn.estimators")


def test_a_library_that_is_too_old_is_named_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)
    for name in ("", ".base", ".utils", ".utils.multiclass", ".utils.validation", ".utils.metaestimators"):
        monkeypatch.setitem(sys.modules, f"sklearn{name}", ModuleType(f"sklearn{name}"))
    with pytest.raises(ImportError, match=r"scikit-learn 1\.6 or later"):
        import_module("funcnn.estimators")


def test_the_core_does_not_import_it() -> None:
    program = "import sys, funcnn as fn; fn.fit, fn.check, fn.data; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
