"""Public names are imported at their first use, and are what the import statements say."""

import ast
import importlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import funcnn as fn
from funcnn.runtime.lazy_imports import read_homes


def statements() -> dict[str, str]:
    """Return the module that each name is imported from, by the syntax of ``funcnn/__init__.py``."""
    module = ast.parse(Path(str(fn.__file__)).read_text())
    found = {}
    for node in ast.walk(module):
        if (
            isinstance(node, ast.ImportFrom)
            and str(node.module).startswith("funcnn")
            and node.module != "funcnn.runtime.lazy_imports"
        ):
            found.update({alias.asname or alias.name: str(node.module) for alias in node.names})
    return found


def test_every_public_name_is_imported_from_somewhere() -> None:
    assert set(fn.__all__) == set(statements()) == set(read_homes("funcnn"))
    assert len(fn.__all__) == len(set(fn.__all__))


@pytest.mark.parametrize("name", fn.__all__)
def test_every_name_is_what_its_statement_says(name: str) -> None:
    home = statements()[name]
    namespace: dict[str, object] = {}
    exec(f"from {home} import {name}", namespace)
    assert getattr(fn, name) is namespace[name]
    assert name in vars(fn)  # looked up once
    assert name in dir(fn)


def test_names_are_found_under_a_loader_that_gives_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_homes("funcnn")  # pytest's own loader, under which an editable installation is imported, is such a one
    monkeypatch.setattr(fn, "__loader__", object())
    assert read_homes("funcnn") == expected


def test_names_are_found_in_an_archive(tmp_path: Path) -> None:
    source = Path(str(fn.__file__)).parent
    with zipfile.ZipFile(tmp_path / "funcnn.zip", "w") as archive:
        for path in source.rglob("*.py"):
            archive.write(path, Path("funcnn") / path.relative_to(source))
    first = f"import sys; sys.path.insert(0, {str(tmp_path / 'funcnn.zip')!r})"
    where, name = run(f"{first}; import funcnn as fn; print(fn.__file__, fn.dense(2).name)").split()
    assert "funcnn.zip" in where
    assert name == "dense(2)"


def test_modules_are_found_and_others_are_not() -> None:
    package: Any = fn
    assert package.losses is importlib.import_module("funcnn.losses")
    with pytest.raises(AttributeError, match="module 'funcnn' has no attribute 'densely'"):
        package.densely  # noqa: B018


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_only_what_is_used_is_imported() -> None:
    assert run("import sys, funcnn; print('attrs' in sys.modules, 'numpy' in sys.modules)") == "False False"
    used = "fn.loss_and_grad(fn.dense(2) >> fn.relu(), fn.mean_squared_error()), fn.adam()"
    unused = ("check", "compile", "data", "deploy", "derivatives", "models", "plots", "sharding", "train")
    loaded = f"[name for name in {unused} if 'funcnn.' + name in sys.modules]"
    assert run(f"import sys, funcnn as fn; {used}; print({loaded})") == "[]"


def test_star_import() -> None:
    assert run("from funcnn import *; print(dense.__name__, tree.__name__)") == "dense funcnn.tree"


def test_what_is_trained_on_arrays_imports_no_tables_images_processes_or_layers_that_it_does_not_have() -> None:
    unused = ["data.tables.fitting", "data.images.files", "data.augmentation.warping", "sharding.data_parallel", "sharding.mpi"]
    loaded = f"[name for name in {unused} if 'funcnn.' + name in sys.modules]"
    assert run(f"import sys, funcnn as fn; fn.data.batches, fn.data.split, fn.fit; print({loaded})") == "[]"
    assert run("import sys, funcnn as fn; fn.fit, fn.summary, fn.tree.table; print('html' in sys.modules)") == "False"
