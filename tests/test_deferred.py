"""Public names are imported at their first use, and are what the import statements say."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import funcnn as fn
from funcnn.deferred import read_homes


def statements() -> dict[str, str]:
    """Return the module that each name is imported from, by the syntax of ``funcnn/__init__.py``."""
    module = ast.parse(Path(str(fn.__file__)).read_text())
    found = {}
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("funcnn") and node.module != "funcnn.deferred":
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
    unused = ("check", "data", "train", "program")
    loaded = f"[name for name in {unused} if 'funcnn.' + name in sys.modules]"
    assert run(f"import sys, funcnn as fn; {used}; print({loaded})") == "[]"


def test_star_import() -> None:
    assert run("from funcnn import *; print(dense.__name__, tree.__name__)") == "dense funcnn.tree"
