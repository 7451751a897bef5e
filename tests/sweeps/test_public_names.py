"""What a module shows: public names, each with a docstring, and nothing that it imports for its own use."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import funcnn as fn

MODULES = ["funcnn", *[getattr(fn, name).__name__ for name in fn.__all__ if isinstance(getattr(fn, name), ModuleType)]]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_shows_its_public_names_only(name: str) -> None:
    module: Any = importlib.import_module(name)
    shown = [one for one in dir(module) if not one.startswith("_")]
    assert shown == sorted(module.__all__)
    for one in shown:
        value = getattr(module, one)
        if inspect.isfunction(value) or inspect.isclass(value):
            assert value.__module__.startswith("funcnn"), one
            assert value.__doc__, one


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_defines_is_public(name: str) -> None:
    module: Any = importlib.import_module(name)
    defined = {
        one
        for one, value in vars(module).items()
        if not one.startswith("_")
        and getattr(value, "__module__", None) == name
        and (inspect.isfunction(value) or inspect.isclass(value))
    }
    assert defined <= set(module.__all__)


def test_the_version_is_known_at_no_cost() -> None:
    program = "import sys, funcnn; print(funcnn.__version__, 'importlib.metadata' in sys.modules, 'numpy' in sys.modules)"
    version, *loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert version == fn.__version__
    assert loaded == ["False", "False"]


def test_names_in_messages_and_pages_exist() -> None:
    """An advice that names a function which is not there helps nobody."""
    root = Path(fn.__file__).parents[1]
    texts = [*root.glob("funcnn/**/*.py"), *root.glob("docs/**/*.md"), root / "README.md"]
    named = {name for path in texts for name in re.findall(r"\bfn\.((?:[a-z]\w*\.)?[A-Za-z]\w*)", path.read_text())}
    missing = []
    for name in sorted(named):
        first, *second = name.split(".")
        one: Any = getattr(fn, first, None)
        if one is None or (second and isinstance(one, ModuleType) and not hasattr(one, second[0])):
            missing.append(name)
    assert missing == []
