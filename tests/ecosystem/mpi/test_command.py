"""``mpiexec -n 2 python -m funcnn``: one run, written by one process, that can be interrupted."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.ecosystem.mpi.test_mpi import ENVIRONMENT, MPIEXEC, run

IS_MPICH = "HYDRA" in subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True, check=True).stdout
TASK = ("-m", "funcnn", "--data", "xor", "--certify", "quick")


def parameters(folder: Path) -> list[np.ndarray]:
    with np.load(folder / "params.npz") as file:
        return [file[name] for name in sorted(file.files) if np.asarray(file[name]).dtype.kind == "f"]


def test_two_processes_make_the_run_of_one(tmp_path: Path) -> None:
    done = [
        run(*TASK, "--epochs", "3", "--output", name, ranks=ranks, folder=tmp_path) for name, ranks in (("one", 1), ("two", 2))
    ]
    assert [one.returncode for one in done] == [0, 0]
    assert done[1].stdout.count("Written") == 1
    assert "in 2 processes" in done[1].stdout
    assert len(parameters(tmp_path / "two")) == 4
    for one, two in zip(parameters(tmp_path / "one"), parameters(tmp_path / "two"), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-12)


def test_ctrl_c_ends_both_after_the_same_step_from_which_the_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    task = (*TASK, "--epochs", "800", "--output")
    with subprocess.Popen(
        [MPIEXEC, "-n", "2", sys.executable, *task, "made"],
        cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip().startswith("epoch"):
                break
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=240)
    assert (tmp_path / "made" / "checkpoint.npz").is_file()
    if IS_MPICH:  # Open MPI's launcher ends its processes soon after, with nothing more to read
        assert process.returncode == 130
        assert "interrupted after" in rest
        results = json.loads((tmp_path / "made" / "results.json").read_text())
        assert results["stopped"] == "interrupted"
        assert results["epochs"] < 800
    done = [run("-m", "funcnn", "--resume", "made", folder=tmp_path), run(*task, "whole", folder=tmp_path)]
    assert [one.returncode for one in done] == [0, 0]
    assert (tmp_path / "made" / "params.npz").read_bytes() == (tmp_path / "whole" / "params.npz").read_bytes()


def test_what_cannot_be_done_in_several_processes(tmp_path: Path) -> None:
    wrong = run("-m", "funcnn", "predict", "made", folder=tmp_path)
    assert wrong.returncode == 2
    assert "error: predict runs in one process: start it without mpiexec" in wrong.stderr
    small = run(*TASK, "--batch-size", "1", "--output", "made", folder=tmp_path)
    assert small.returncode == 2
    assert "batch_size is 1 and there are 2 processes" in small.stderr
