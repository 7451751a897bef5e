"""The peers in processes of their own, and the rounds in which the clock runs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.workload import YARDSTICKS, Workload

THREADS = 2
ENVIRONMENT = {  # what forces a library to kernels that are not its own choice for this processor is taken out
    **{key: value for key, value in os.environ.items() if not key.startswith(("OPENBLAS_", "MKL_", "DNNL_", "ATEN_"))},
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), str(THREADS)),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=true",
    "JAX_PLATFORMS": "cpu",
}
PAUSE = 0.05  # seconds for the thread pools of the last peer to fall asleep
DISTURBED = 0.05  # of a processor: what other processes may take of it during a burst
IMPORTS = {  # a program that prints the seconds that an import takes
    "numpy": "import numpy",
    "funcnn": "import funcnn",
    "funcnn, with a network, a loss and an optimizer": "import funcnn as fn; fn.loss_and_grad(fn.dense(2) >> fn.relu(), "
    "fn.softmax_cross_entropy()); fn.adam(); fn.Train(fn.Key(0))",
    "torch": "import torch",
    "jax": "import jax, jax.numpy",
}


@dataclass(frozen=True)
class Row:
    """One peer of one workload: times in seconds, memory in MiB."""

    workload: str
    peer: str
    median: float
    low: float
    high: float
    best: float
    ratio: float
    steady: float
    peak: float
    first: float
    difference: float


class Worker:
    """A peer's process, seen from here."""

    def __init__(self, workload: str, peer: str, path: str) -> None:
        self.name = f"{workload} {peer}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.worker", workload, peer, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the worker {self.name} ended: its message stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def burst(self, seconds: float, patience: int) -> tuple[list[float], bool]:
        """Return the times of one burst, and whether it had the processor to itself; if not, after trying again so many times."""
        for attempt in range(patience + 1):
            time.sleep(PAUSE * 2 ** min(attempt, 5))
            before = work_elsewhere(self.process.pid)
            times: list[float] = self.ask(do="burst", seconds=seconds)["seconds"]
            alone = work_elsewhere(self.process.pid) - before <= max(0.03, DISTURBED * seconds)
            if alone:
                break
        return times, alone

    def end(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def work_elsewhere(pid: int) -> float:
    """Return how many seconds of processor time all processes but one have used so far; 0 where /proc is not."""
    try:
        own = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return work() - sum(map(int, own)) / os.sysconf("SC_CLK_TCK")


def work() -> float:
    """Return how many seconds of processor time all processes have used so far; 0 where /proc is not."""
    try:
        ticks = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return 0.0
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")  # less idle time


def measure(workload: Workload, peers: list[str], rounds: int, seconds: float, patience: int) -> tuple[list[Row], int]:
    """Run one workload, and return a row for each peer, and how many bursts were disturbed."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "arrays.npz")
        np.savez(path, **workload.make())  # type: ignore[arg-type]  # arrays by name
        workers: dict[str, Worker] = {}
        try:
            values, ready = {}, {}
            for peer in peers:
                workers[peer] = Worker(workload.name, peer, path)
                answer = workers[peer].ask(do="compare", steps=workload.compared)
                values[peer], ready[peer] = answer["values"], answer["ready"]
            differences = {peer: difference(values[peer], values[peers[0]]) for peer in peers}
            for peer, apart in differences.items():
                if not apart <= workload.tolerance:
                    raise SystemExit(
                        f"{workload.name}: {peer} and {peers[0]} differ by {apart:.1e} over {workload.compared} steps"
                        f" (allowed {workload.tolerance:.0e}): {values[peer][:4]}... and {values[peers[0]][:4]}..."
                    )
            times: dict[str, list[float]] = {peer: [] for peer in peers}
            bests: dict[str, list[float]] = {peer: [] for peer in peers}
            disturbed = 0
            for turn in range(rounds):
                for index in range(len(peers)):
                    peer = peers[(turn + index) % len(peers)]
                    chunks, alone = workers[peer].burst(seconds, patience)
                    disturbed += not alone
                    times[peer].append(statistics.median(chunks))
                    bests[peer].append(min(chunks))
                    show(f"{workload.name}: round {turn + 1} of {rounds}")
            memory = {peer: workers[peer].ask(do="memory") for peer in peers}
        finally:
            show("")
            for worker in workers.values():
                worker.end()
    others = [peer for peer in peers[1:] if peer not in YARDSTICKS]
    best_peer = min(others, key=lambda peer: statistics.median(times[peer]), default=peers[0])
    rows = [
        Row(
            workload.name,
            peer,
            statistics.median(times[peer]),
            float(np.quantile(times[peer], 0.25)),
            float(np.quantile(times[peer], 0.75)),
            min(bests[peer]),
            statistics.median(mine / theirs for mine, theirs in zip(times[peer], times[best_peer], strict=True)),
            memory[peer]["steady"],
            memory[peer]["peak"],
            ready[peer],
            differences[peer],
        )
        for peer in peers
    ]
    return rows, disturbed


def difference(ours: list[list[float]], theirs: list[list[float]]) -> float:
    """Return the largest difference, relative to the largest value of its step."""
    return max(
        float(np.max(np.abs(np.subtract(a, b))) / max(np.max(np.abs(b)), 1e-30)) for a, b in zip(ours, theirs, strict=True)
    )


def import_times(rounds: int) -> dict[str, float]:
    """Return the median time of each import in a fresh interpreter; all but NumPy's are counted beyond that one."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for turn in range(rounds):
        for name, statement in IMPORTS.items():
            show(f"imports: round {turn + 1} of {rounds}")
            before = "" if name == "numpy" else "import numpy; "
            program = f"import time; {before}start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
            times[name].append(float(subprocess.check_output([sys.executable, "-c", program], env=ENVIRONMENT)))
    show("")
    return {name: statistics.median(taken) for name, taken in times.items()}


def in_process(module: str, *arguments: str) -> tuple[Any, str]:
    """Return what a module of this package prints as JSON in a process of its own, and a remark if others computed meanwhile."""
    show(module)
    begin, before, own = time.perf_counter(), work(), os.times()
    output = subprocess.check_output([sys.executable, "-m", f"tests.benchmarks.{module}", *arguments], env=ENVIRONMENT, text=True)
    ended = os.times()
    used = sum(ended[:4]) - sum(own[:4])  # by this process and its children
    others = max(0.0, work() - before - used) / (time.perf_counter() - begin)
    show("")
    remark = f"The machine was not quiet: other processes took {others:.2f} of a processor meanwhile.\n\n"
    return json.loads(output), remark if others > DISTURBED else ""


def show(text: str) -> None:
    """Write over the line of progress, where there is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
