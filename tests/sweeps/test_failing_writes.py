"""Every writer against a failure at every step: the old file is whole or the new one is, never neither, and nothing is left."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import funcnn as fn

PACKAGE = Path(fn.__file__).parent
SHORT = ("save", "History.to_csv", "results of a run", "predictions")
"""Writers that are quick; ``python -m tests.sweeps.write_faults`` walks all."""

ALLOWED = {
    ("files/atomic_write.py", "os.open"), ("files/atomic_write.py", "os.fdopen"),  # the one writer
    ("cli/terminal.py", "os.open"),  # where nobody reads any more
    ("files/save.py", "open"), ("files/save.py", "writestr"), ("files/save.py", "write_array"),  # into its file
    ("cli/sample.py", "save"), ("plots/figure.py", "savefig"),  # into memory, or its file
    ("deploy/script/prediction.py", "savez"),  # into memory
    ("deploy/script/inputs/files.py", "open"),  # of a script, which has nothing but NumPy
}  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="attempts are forked")
def test_a_writer_that_fails_leaves_the_old_file_or_the_new_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sweeps.write_faults", *SHORT], capture_output=True, text=True, check=False,
        cwd=PACKAGE.parent, env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_writes_files_but_the_one_writer() -> None:
    """Of what opens files for writing, by its usual names, all stands in one module."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        where = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            name = called.split(".")[-1]
            modes = [one.value for one in [*node.args, *(key.value for key in node.keywords)] if isinstance(one, ast.Constant)]
            opens = (
                name == "open"
                and called != "os.open"
                and any(isinstance(mode, str) and set(mode) & set("wax+") for mode in modes)
            )
            writes = name in ("savefig", "savez", "savetxt", "tofile", "dump", "write_array", "writestr", "memmap", "fdopen")
            direct = name in ("write_text", "write_bytes") and "." in called
            if opens or (writes and not (name == "memmap" and "r" in modes)) or direct or called in ("os.open", "np.save"):
                found.add((where, called if called.startswith("os.") else name))
    assert found == ALLOWED
