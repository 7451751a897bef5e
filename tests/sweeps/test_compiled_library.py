"""What ``compiled`` takes for granted of the library's functions, looked up in their source."""

import ast
import importlib
import pathlib
import pkgutil
from types import FunctionType

import pytest

import funcnn as fn
from funcnn.compile.source import read

PACKAGE = pathlib.Path(fn.__file__).parent
ELSEWHERE = {"__main__", "check", "certificate", "cli", "compile", "data", "models", "files", "optim", "runtime", "train"} | {
    "deploy",
    "estimators",  # which needs scikit-learn
    "plots",
}
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages([str(PACKAGE)], "funcnn.")
    if found.name.split(".")[1] not in ELSEWHERE and found.name != "funcnn.sharding.mpi"  # which begins and ends processes
)


@pytest.mark.parametrize("name", MODULES)
def test_functions_that_can_be_written_out_change_no_attribute_and_no_name_of_a_module(name: str) -> None:
    """So shapes, and what a global name stands for, are the same when the written function runs."""
    module = importlib.import_module(name)
    for function in vars(module).values():
        own = isinstance(function, FunctionType) and function.__module__ == name
        definition = read(function) if own else None
        for statement in definition.body if definition else ():
            for node in ast.walk(statement):
                assert not isinstance(node, (ast.Global, ast.Nonlocal)), f"{name}.{function.__name__} assigns a global name"
                # The parts of a complex array are numbers in it: its shape and its precision stay.
                stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr not in ("real", "imag")
                assert not stored, f"{name}.{function.__name__} assigns an attribute: {ast.unparse(node)}"


def test_there_are_functions_to_look_at() -> None:
    relu = importlib.import_module("funcnn.layers.activations.rectifiers")
    assert any(read(function) for function in vars(relu).values())
