"""The choice of matrix kernels: it is made or it is not, and products stay right."""

import os
import subprocess
import sys

import pytest

from funcnn import blas

PROGRAM = """
import numpy as np, funcnn as fn
generator = np.random.default_rng(0)
shapes = [(3, 5, 7), (40, 64, 10), (130, 200, 300)]
pairs = [(generator.normal(size=(m, k)).astype(t), generator.normal(size=(k, n)).astype(t)) for m, k, n in shapes for t in "fdFD"]
changed = fn.use_avx512()
assert fn.use_avx512() == changed
for a, b in pairs:
    expected = np.einsum("ij,jk->ik", a, b)
    tolerance = 100 * np.finfo(a.dtype).eps
    assert np.allclose(a.dot(b), expected, rtol=0, atol=tolerance * a.shape[1])
    assert np.allclose(a.T.copy().T.dot(b), expected, rtol=0, atol=tolerance * a.shape[1])
    assert np.allclose(np.ones(len(a), a.dtype).dot(a), a.sum(0), rtol=0, atol=tolerance * a.shape[1])
system = np.eye(50) + 0.1 * generator.normal(size=(50, 50))
assert np.allclose(system @ np.linalg.inv(system), np.eye(50), atol=1e-12)
print(changed)
"""


def run(**environment: str) -> str:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_products_are_right_with_other_kernels() -> None:
    environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_CORETYPE"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("True", "False")


def test_a_choice_of_the_user_stands() -> None:
    assert run(OPENBLAS_CORETYPE="Haswell") == "False"


def test_nothing_is_done_without_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    monkeypatch.setattr(blas, "processor_flags", lambda: {"avx2", "avx512f"})
    monkeypatch.setattr(blas, "switch", lambda path: pytest.fail("switched"))
    assert blas.use_avx512.__wrapped__() is False


def test_nothing_is_done_where_there_is_no_such_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)

    def absent() -> set[str]:
        raise FileNotFoundError("/proc/cpuinfo")

    monkeypatch.setattr(blas, "processor_flags", absent)
    assert blas.use_avx512.__wrapped__() is False
    monkeypatch.setattr(blas, "processor_flags", lambda: set(blas._NEEDED))
    monkeypatch.setattr(blas, "loaded_libraries", list)
    assert blas.use_avx512.__wrapped__() is False
