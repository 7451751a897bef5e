"""The public surface of the package: every name as users write it, and the file that defines it.

Read from the sources alone: what a package imports into its ``__init__`` and lists in ``__all__`` is public, and so is what a
module defines that is itself a public name (``fn.tree``, ``fn.metrics``).
"""

import ast
import functools
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "funcnn"
ALIAS = "fn"
BESIDE = ("funcnn.typing", "funcnn.estimators")  # modules whose names are written in full


@dataclass(frozen=True)
class Name:
    """A public name: as it is written, and where it is defined."""

    written: str
    module: str
    own: str

    @property
    def path(self) -> str:
        """The full path of its definition."""
        return f"{self.module}.{self.own}"


def source_of(module: str) -> Path:
    """Return the file of a module."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def parsed(module: str) -> ast.Module:
    """Return the syntax tree of a module's source."""
    return ast.parse(source_of(module).read_text())


def listed(tree: ast.Module) -> list[str] | None:
    """Return ``__all__``, or None where there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == "__all__" for one in node.targets):
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def defined(tree: ast.Module) -> list[str]:
    """Return the names that a module defines, in order."""
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.append(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [one.id for one in targets if isinstance(one, ast.Name) and not is_type_variable(node.value)]
    return list(dict.fromkeys(found))


def is_type_variable(value: ast.expr | None) -> bool:
    """Whether a name stands for any type: a word of the module's own signatures."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "TypeVar"


def imported(tree: ast.Module) -> dict[str, str]:
    """Return the module from which each name is imported."""
    return {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def names_of(module: str, written: str) -> list[Name]:
    """Return the public names of a module, and those of the modules among them."""
    tree = parsed(module)
    homes, own = imported(tree), defined(tree)
    public = listed(tree)
    found: list[Name] = []
    for name in public if public is not None else [one for one in own if not one.startswith("_")]:
        if name.startswith("__"):
            continue
        home = homes.get(name)
        if home is None or name in own:
            found.append(Name(f"{written}.{name}", module, name))
        elif source_of(f"{home}.{name}").exists():  # a module
            found += names_of(f"{home}.{name}", f"{written}.{name}")
        else:
            found.append(Name(f"{written}.{name}", home, name))
    return found


@functools.cache
def public_names() -> tuple[Name, ...]:
    """Return every public name."""
    return (*names_of(PACKAGE, ALIAS), *(name for module in BESIDE for name in names_of(module, module)))


def modules() -> list[str]:
    """Return every module of the package."""
    paths = sorted((ROOT / PACKAGE).rglob("*.py"))
    parts = (path.relative_to(ROOT).with_suffix("").parts for path in paths)
    return [".".join(one[:-1] if one[-1] == "__init__" else one) for one in parts]
