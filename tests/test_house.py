"""The house: every file in its room, imports in one direction, no circles."""

import ast
from functools import cache
from pathlib import Path

import pytest

import funcnn
import funcnn.check
import funcnn.layers

ROOT = Path(funcnn.__file__).parent

FLOORS = (
    ("typing",),
    ("errors",),
    ("key",),
    ("tree", "masked"),
    ("runtime",),
    ("files",),
    ("kernels",),
    ("layer", "initializers"),
    ("losses",),
    ("grad",),
    ("layers",),
    ("combinators",),
    ("sharding",),
    ("optim",),
    ("compile",),
    ("derivatives",),
    ("curvature",),
    ("models", "data"),
    ("train",),
    ("plots",),
    ("check",),
    ("certificate",),
    ("deploy", "estimators"),
    ("cli",),
    ("__main__",),
)
"""The rooms of the package from the ground up: a file imports from its own room and from lower floors."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def name_of(path: Path) -> str:
    parts = ("funcnn", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"}


@cache
def syntax(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text())


@cache
def imports(name: str) -> frozenset[str]:
    """Return the files of the package that a file imports from, anywhere in it."""
    found = set()
    for node in ast.walk(syntax(name)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "funcnn":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in FILES else node.module)
    return frozenset(found - {name})


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else "funcnn"


def test_every_room_has_its_floor() -> None:
    assert {room(name) for name in FILES} == set(FLOOR)


def test_nothing_is_imported_from_above() -> None:
    upwards = [
        f"{name} imports {other}"
        for name in FILES
        for other in imports(name)
        if other != "funcnn" and room(other) != room(name) and FLOOR[room(other)] >= FLOOR[room(name)]
    ]
    assert upwards == []


def circle(start: str) -> list[str]:
    """Return files that import one another in a circle through one of them, or nothing."""
    before: dict[str, str] = {}
    todo = [start]
    while todo:
        name = todo.pop()
        for other in imports(name):
            if other == start:
                path = [name]
                while path[-1] != start:
                    path.append(before[path[-1]])
                return path[::-1]
            if other in FILES and other not in before:
                before[other] = name
                todo.append(other)
    return []


def test_no_files_import_one_another_in_a_circle() -> None:
    assert [found for name in FILES if (found := circle(name))] == []


def folders() -> list[Path]:
    return [ROOT, *sorted({path.parent for path in FILES.values()} - {ROOT})]


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_folders_can_be_overseen(folder: Path) -> None:
    files = list(folder.glob("*.py"))
    rooms = [path for path in folder.iterdir() if (path / "__init__.py").exists()]
    assert len(files) <= 25
    assert folder != ROOT or len(files) + len(rooms) <= 30


def test_the_index_of_layers_names_every_public_layer_and_its_file() -> None:
    index = {}
    file = ""
    for line in str(funcnn.layers.__doc__).splitlines():
        if line.startswith("    "):
            first, *names = line.split()
            file, names = (first, names) if first.endswith(".py") else (file, [first, *names])
            index.update({name.rstrip(","): f"funcnn/layers/{file}" for name in names})
    public = {name: getattr(funcnn, name) for name in funcnn.__all__}
    layers = {
        name: str(one.__module__).replace(".", "/") + ".py"
        for name, one in public.items()
        if str(getattr(one, "__module__", "")).startswith("funcnn.layers.")
    }
    assert index == layers


def test_files_are_short() -> None:
    assert [name for name, path in FILES.items() if len(path.read_text().splitlines()) > 500] == []


MANY_OPTIONS = {
    "attention": "the options of one layer, each with a default",
    "attention_without_bias": "the options of one layer, each with a default",
    "check_hvp": "what is checked, and how far",
    "check_layer": "what is checked, and how far",
    "check_model": "what is checked, and how far",
    "conv_transpose1d": "the options of one layer, each with a default",
    "conv_transpose2d": "the options of one layer, each with a default",
    "conv_transpose3d": "the options of one layer, each with a default",
    "cross_attention": "the options of one layer, each with a default",
    "cross_attention_without_bias": "the options of one layer, each with a default",
    "decoder_block": "those of its attention and of its dense part",
    "decoder_block_without_bias": "those of its attention and of its linear part",
    "dormand_prince": "tolerances and bounds of the length of a step, each with a default",
    "encoder_block": "those of its attention and of its dense part",
    "encoder_block_without_bias": "those of its attention and of its linear part",
    "find_learning_rate": "what is trained, on what, and the rates to try",
    "fit": "the words of a whole training",
    "generate": "how characters are drawn, beside the network",
    "permutation_importance": "what is scored, and how it is shuffled",
    "peephole_lstm": "the options of one layer, each with a default",
}
"""The public functions of more than eight parameters, and why: beyond eight all are options that are given by name."""


def parameters(one: ast.FunctionDef) -> tuple[int, int]:
    """Return how many parameters may be given by place, and how many by name alone."""
    by_place = [arg.arg for arg in (*one.args.posonlyargs, *one.args.args) if arg.arg not in ("self", "cls")]
    return len(by_place) + (one.args.vararg is not None), len(one.args.kwonlyargs) + (one.args.kwarg is not None)


def test_no_function_has_more_than_eight_parameters() -> None:
    """Overloads of a chain are left out: there is one for each number of layers."""
    found = set()
    for name in FILES:
        for one in ast.walk(syntax(name)):
            if isinstance(one, ast.FunctionDef) and sum(parameters(one)) > 8:
                if one.name == "serial" and any(isinstance(by, ast.Name) and by.id == "overload" for by in one.decorator_list):
                    continue
                by_place, _ = parameters(one)
                if room(name) == "estimators" and one.name == "__init__":
                    continue  # scikit-learn reads the parameters of an estimator from this signature, one by one
                assert one.name in MANY_OPTIONS, (
                    f"{name}.{one.name} has {sum(parameters(one))} parameters: a frozen record for some"
                )
                assert by_place <= 8, f"{name}.{one.name} takes {by_place} parameters by place"
                found.add(one.name)
    assert found == set(MANY_OPTIONS)
    assert found <= set(funcnn.__all__) | set(funcnn.check.__all__)
