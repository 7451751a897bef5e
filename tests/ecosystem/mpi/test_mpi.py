"""Training in two processes that mpiexec starts: the result of one, the same bits at each run, and no process left waiting."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import funcnn as fn
from funcnn.files.save import load

ROOT = Path(__file__).parents[3]
SCRIPT = str(Path(__file__).with_name("script.py"))
MPIEXEC = str(Path(sys.executable).with_name("mpiexec"))
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
"""What its launcher wants in a container; MPICH's reads none of it."""
ENVIRONMENT = {**os.environ, **OPEN_MPI, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


def run(*words: str, ranks: int = 2, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program in so many processes; it is ended, and the test fails, when one waits for ever."""
    command = [MPIEXEC, "-n", str(ranks), sys.executable, *words]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=240, check=False)


def trained(folder: Path, case: str, *more: str, ranks: int = 2) -> list[dict]:
    """Train a case; return what each rank has, after having seen that all have the same."""
    folder.mkdir(exist_ok=True)
    done = run(SCRIPT, str(folder), case, *more, ranks=ranks)
    assert done.returncode == 0, done.stderr
    said = [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(ranks)]
    assert {one["bits"] for one in said} == {said[0]["bits"]}
    assert [one["rows"] for one in said] == [said[0]["rows"]] * ranks
    assert said[0]["size"] == ranks
    return said


def parameters(folder: Path) -> list[np.ndarray]:
    model = fn.dense(8) >> fn.batch_norm() >> fn.relu() >> fn.dropout(0.3) >> fn.dense(3)
    start = model.init(fn.Key(0), (6,))
    return list(fn.tree.leaves(load(folder / "params.npz", like=(start.params, start.state))))


@pytest.mark.parametrize("case", ["plain", "metrics", "ignored", "weights"])
def test_two_processes_give_the_result_of_one(case: str, tmp_path: Path) -> None:
    """Batches of 7 rows of 22, so that all part unevenly and the last is of one row; batch statistics, dropout, weights."""
    alone, both = trained(tmp_path / "one", case, ranks=1), trained(tmp_path / "two", case)
    for one, two in zip(parameters(tmp_path / "one"), parameters(tmp_path / "two"), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-9)
    for one, two in zip(alone[0]["rows"], both[0]["rows"], strict=True):
        assert two == pytest.approx(one, rel=1e-9, abs=1e-12)


def test_a_run_repeats_to_the_last_bit(tmp_path: Path) -> None:
    assert trained(tmp_path / "first", "plain") == trained(tmp_path / "second", "plain")


def test_a_run_that_goes_on_has_the_bits_of_one_that_was_not_interrupted(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", "plain")
    trained(tmp_path / "parts", "resumed")
    assert trained(tmp_path / "parts", "resumed", str(tmp_path / "parts" / "checkpoint.npz")) == whole


def test_a_run_goes_on_with_another_number_of_processes(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", "plain")
    trained(tmp_path / "parts", "resumed")
    assert (tmp_path / "parts" / "checkpoint.npz").is_file()
    resumed = trained(tmp_path / "parts", "resumed", str(tmp_path / "parts" / "checkpoint.npz"), ranks=1)
    assert len(resumed[0]["rows"]) == 3
    assert resumed[0]["rows"][-1] == pytest.approx(whole[0]["rows"][-1], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (
            "other data",
            "the processes are not given the same: x is float64[22, 6] on rank 0, and another that looks alike on rank 1",
        ),
        ("other code", "model is dense(8) >> batch_norm"),
        ("raises", "ValueError: row 7 of rank 1 is not readable"),
        ("bad callback", "OSError: the disk is full"),
    ],
)
def test_what_goes_wrong_on_one_rank_ends_all(case: str, message: str, tmp_path: Path) -> None:
    done = run(SCRIPT, str(tmp_path), case)
    assert done.returncode != 0
    assert message in done.stderr
    assert " failed: all are ended" in done.stderr
    assert not list(tmp_path.glob("rank*.json"))


def test_a_process_that_is_killed_ends_all(tmp_path: Path) -> None:
    done = run(SCRIPT, str(tmp_path), "killed")
    assert (tmp_path / "reached").exists()
    assert done.returncode != 0
    assert not list(tmp_path.glob("rank*.json"))
