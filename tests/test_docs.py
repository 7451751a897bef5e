"""The documentation is whole: every public name is in the reference, what the README shows runs."""

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import funcnn as fn

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
DIRECTIVE = re.compile(r"^::: (\S+)$", re.MULTILINE)


def documented() -> dict[str, str]:
    """Return every name that a module of the reference defines, with the page."""
    found = {}
    for page in (DOCS / "reference").glob("*.md"):
        for name in DIRECTIVE.findall(page.read_text()):
            module = importlib.import_module(name)
            found[name.split(".")[-1]] = page.name
            for node in ast.parse(Path(str(module.__file__)).read_text()).body:
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                    found[node.name] = page.name
                elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    found.update({one.id: page.name for one in targets if isinstance(one, ast.Name)})
    return found


@pytest.mark.parametrize("package", ["funcnn", "funcnn.data", "funcnn.check"])
def test_every_public_name_is_in_the_reference(package: str) -> None:
    module: Any = importlib.import_module(package)
    names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
    known = documented()
    known |= {"metrics": "train.md", "plots": "train.md", "schedules": "optim.md", "initializers": "core.md"}
    assert [name for name in names if name not in known and not isinstance(getattr(module, name), type(re))] == []


@pytest.mark.parametrize("package", ["layers", "combinators", "losses", "optim", "train", "data", "check"])
def test_every_module_is_in_the_reference(package: str) -> None:
    shown = {name for page in (DOCS / "reference").glob("*.md") for name in DIRECTIVE.findall(page.read_text())}
    modules = {f"funcnn.{package}.{path.stem}" for path in (ROOT / "funcnn" / package).glob("*.py") if path.stem[0] != "_"}
    assert sorted(modules - shown) == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text().split("nav:")[1]
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert {page for page in pages if page not in navigation} == set()


def test_every_public_function_and_class_has_a_docstring() -> None:
    assert [name for name in fn.__all__ if not (getattr(fn, name).__doc__ or "").strip()] == []


def scripts(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def test_the_script_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (script,) = scripts(ROOT / "README.md")
    assert len(script.splitlines()) <= 25
    exec(compile(script, "README.md", "exec"), {"__name__": "__main__"})
    accuracy = float(capsys.readouterr().out.split()[-1])
    assert accuracy >= 0.97


def test_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(scripts(DOCS / "tour.md")), "tour.md", "exec"), {})
    assert (tmp_path / "digits.npz").exists()
