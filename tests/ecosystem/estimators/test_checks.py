"""scikit-learn's own checks pass, every one; and the examples of the docstrings run."""

import doctest
import importlib
import json
import os
import subprocess
import sys

import pytest

import funcnn.estimators

NAMES = sorted(funcnn.estimators.__all__)


@pytest.fixture(scope="module")
def checks() -> dict[str, list[list[str]]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.ecosystem.estimators.all_checks"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"SCIPY_ARRAY_API": "1"},  # without it scikit-learn leaves one of its checks out
    )
    found: dict[str, list[list[str]]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_check_of_scikit_learn_passes(name: str, checks: dict[str, list[list[str]]]) -> None:
    assert len(checks[name]) > 45
    assert [check for check in checks[name] if check[1] != "passed"] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_the_docstring_runs(name: str) -> None:
    module = importlib.import_module(getattr(funcnn.estimators, name).__module__)
    done = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert done.attempted > 2
    assert done.failed == 0
