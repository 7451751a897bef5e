"""The types are part of the product: both checkers accept and reject what they must."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHECKED = ("funcnn", "tests", "docs/examples", "tests/types/accepted.py", "tests/types/rejected.py")


def mypy() -> set[tuple[str, int]]:
    """Run mypy and return (file, line) of every error."""
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--no-pretty", *CHECKED]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not output.stderr, output.stderr
    return {(Path(m[1]).name, int(m[2])) for m in re.finditer(r"^(\S+?):(\d+): error:", output.stdout, re.MULTILINE)}


def pyright() -> set[tuple[str, int]]:
    """Run pyright and return (file, line) of every error.

    Over what a user sees: the package, the examples and the two programs.  The tests are read by mypy alone, since inferring
    their arithmetic takes pyright as long as all tests take to run.
    """
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "--project", "tests/types"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    report = json.loads(output.stdout[output.stdout.index("{") :])
    assert report["summary"]["filesAnalyzed"] > len(CHECKED), output.stdout
    return {
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1)
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    }


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_types_of_the_package_the_tests_and_the_programs(checker: Callable[[], set[tuple[str, int]]]) -> None:
    lines = (ROOT / "tests" / "types" / "rejected.py").read_text().splitlines()
    marks = ("# rejected:", f"# rejected by {checker.__name__}")
    marked = {("rejected.py", number) for number, line in enumerate(lines, 1) if any(mark in line for mark in marks)}
    found = checker()
    assert found == marked, f"wrongly rejected: {sorted(found - marked)}; wrongly accepted: {sorted(marked - found)}"
