"""The conventions of public names and signatures: docs/conventions.md states them in words."""

import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import funcnn as fn

ROOT = Path(__file__).parents[2]

FORMER = {
    "epsilon": "eps", "epsilon1": "eps1", "epsilon2": "eps2", "lr": "learning_rate", "pull": "alpha",
    "memory": "history_size", "clipping": "clip_threshold", "relative": "scale_parameter", "trust": "trust_coefficient",
    "smallest": "min_...", "largest": "max_...", "goal": "mode", "block": "context_length", "code": "latent_size",
    "embedded": "embedding_size", "maximum": "max_length", "level": "threshold", "width": "threshold",
    "initializer": "..._init", "evaluation": "mode", "seq_len": "length", "num_classes": "classes", "rng": "key",
}  # fmt: skip
"""Words that no public argument is called by, and the word for it."""

TYPES = {
    "eps": {"float"}, "batch_size": {"int", "int | None"}, "key": {"Key", "Key | None"}, "dropout": {"float"}, "masked": {"bool"},
    "weight_decay": {"float"}, "beta1": {"float"}, "beta2": {"float"}, "warmup_steps": {"int"}, "features": {"int", "int | None"},
    "heads": {"int"}, "vocabulary": {"int"}, "learning_rate": {"Rate", "float"}, "where": {"Where"}, "causal": {"bool"},
    "negative_slope": {"float"}, "max_length": {"int"}, "threshold": {"float"},
    "drop_last": {"bool"}, "max_norm": {"float"}, "patience": {"int"}, "seed": {"int"},
}  # fmt: skip
"""A word has one meaning: the types that an argument of a name has wherever it occurs."""

MEANT = {"fn.data.Dataset.features", "fn.PrivacySpent.epsilon"}
"""Arguments of another type, or another meaning, than their word has elsewhere."""


def surface() -> Iterator[tuple[str, Any]]:
    """Yield every public function and class, and the public methods of classes, as users write them."""
    todo: list[tuple[str, Any]] = [("fn", fn)]
    while todo:
        where, module = todo.pop()
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if isinstance(value, ModuleType):
                todo.append((f"{where}.{name}", value))
                continue
            yield f"{where}.{name}", value
            if inspect.isclass(value):
                own = [one for one in dir(value) if not one.startswith("_") and inspect.isfunction(getattr(value, one))]
                yield from ((f"{where}.{name}.{one}", getattr(value, one)) for one in own)


def parameters(value: Any) -> dict[str, inspect.Parameter]:
    """Return the parameters of a public value; none for what is not called, such as the alias of a type."""
    if not callable(value):
        return {}
    try:
        found = inspect.signature(value).parameters
    except (TypeError, ValueError):  # an alias, or an exception of Python's own
        return {}
    return {name: one for name, one in found.items() if name not in ("self", "args", "kwargs")}


SURFACE = dict(surface())
SIGNATURES = {where: parameters(value) for where, value in SURFACE.items()}


def faults(where: str, given: dict[str, inspect.Parameter]) -> list[str]:
    """Return what of a signature is against the conventions."""
    found = []
    for name, one in given.items():
        kind = one.annotation if isinstance(one.annotation, str) else getattr(one.annotation, "__name__", str(one.annotation))
        if name in FORMER and f"{where}.{name}" not in MEANT:
            found.append(f"{where}: {name} is called {FORMER[name]}")
        if name.endswith("_"):
            found.append(f"{where}: {name} ends with an underscore, which is for functions that write in place")
        if spelled(name):
            found.append(f"{where}: {name} ends with -ise")
        if name == "size" and "batch" in where:
            found.append(f"{where}: the rows of a batch are batch_size")
        if name.startswith("num_") or (name.startswith("n_") and name != "n_bad"):
            found.append(f"{where}: {name}: a bare noun in the plural is a number")
        if kind not in TYPES.get(name, {kind}) and f"{where}.{name}" not in MEANT:
            found.append(f"{where}: {name} is {kind}, elsewhere {' or '.join(sorted(TYPES[name]))}")
    return found


def spelled(name: str) -> bool:
    """Tell whether a name has the ending -ise (or -isation, ...) where the library has -ize."""
    endings = re.findall(r"[a-z]+(?:is(?:e|ed|es|er|ers|ing|ation))(?=_|$)", name.lower())
    other = (
        "noise",
        "pointwise",
        "elementwise",
        "otherwise",
        "piecewise",
        "stepwise",
        "depthwise",
        "pairwise",
        "promise",
        "precise",
        "raise",
        "supervised",
    )
    return any(not one.endswith(other) for one in endings)


def test_the_walk_sees_the_whole_surface() -> None:
    assert {f"fn.{name}" for name in fn.__all__ if not isinstance(getattr(fn, name), ModuleType)} <= set(SURFACE)
    assert {"fn.data.batches", "fn.schedules.cosine", "fn.check.check_layer", "fn.tree.map", "fn.Optimizer.update"} <= set(
        SURFACE
    )
    assert sum(map(bool, SIGNATURES.values())) > 250


def test_signatures_keep_to_the_conventions() -> None:
    assert [fault for where, given in SIGNATURES.items() for fault in faults(where, given)] == []


def test_exceptions_are_exceptions() -> None:
    for name in MEANT:
        where, argument = name.rsplit(".", 1)
        one = SIGNATURES[where][argument]
        assert str(one.annotation) not in TYPES.get(argument, ()), f"{name} is none: it can be left out of MEANT"


def test_public_names_keep_to_the_conventions() -> None:
    last = [where.rsplit(".", 1)[1] for where in SURFACE]
    assert [name for name in last if spelled(name) or (name.endswith("_") and not name.startswith("__"))] == []
    assert all(
        re.fullmatch(r"[a-z]\w*", name) for name, value in zip(last, SURFACE.values(), strict=True) if inspect.isfunction(value)
    )


def before(epsilon: float, tree_: object, standardise: bool, num_heads: int, eps: str, batch_size: int) -> None: ...


def sized(size: int) -> None: ...


def test_what_is_against_the_conventions_is_seen() -> None:
    found = faults("fn.before", parameters(before))
    assert [fault.split()[1].rstrip(":") for fault in found] == ["epsilon", "tree_", "standardise", "num_heads", "eps"]
    assert faults("fn.data.batches", parameters(sized))
    assert all(map(spelled, ("normalise", "Standardise", "fit_standardise", "normalised", "orthogonalisation_steps")))
    assert not any(map(spelled, ("noise", "gaussian_noise", "pairwise", "elementwise", "normalize")))


def test_the_version_stands_in_one_place_and_is_that_of_the_changelog() -> None:
    """Between two versions it is the next one, as .dev0, and the changelog's first section says so."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"] == {"path": "funcnn/__init__.py"}
    written = re.findall(r'^__version__ = "(.*)"$', (ROOT / "funcnn/__init__.py").read_text(), re.MULTILINE)
    assert written == [fn.__version__]
    heading = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    released = fn.__version__.removesuffix(".dev0")
    assert re.fullmatch(r"\d+\.\d+\.\d+", released)
    assert heading == (released if released == fn.__version__ else f"[Unreleased]: {released}")


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *[f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md")]]
)
def test_prose_is_spelled_with_ize(name: str) -> None:
    stems = (
        "normali|standardi|initiali|penali|orthogonali|generali|regulari|randomi|minimi|vectori|optimi|centrali|summari|recogni"
    )
    text = (ROOT / name).read_text()
    if name == "CHANGELOG.md":
        text = re.sub(r"`[^`]*`", "", text)  # former names
    assert re.findall(rf"\b(?:{stems})s(?:e|ed|es|er|ers|ing|ation)\b", text, re.IGNORECASE) == []
