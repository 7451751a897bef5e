"""The command: see the package's docstring."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import growth
from tests.benchmarks.workload import Workload, find, names

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
            raise SystemExit(f"the worker {' '.join(map(str, self.process.args[-3:-1]))} ended: its message stands above")  # type: ignore[index]
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
        machine = [int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        own = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return (sum(machine) - machine[3] - machine[4] - sum(map(int, own))) / os.sysconf("SC_CLK_TCK")  # less idle time


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
    best_peer = min(peers[1:], key=lambda peer: statistics.median(times[peer]), default=peers[0])
    rows = [
        Row(
            workload.name,
            peer,
            statistics.median(times[peer]),
            *np.quantile(times[peer], (0.25, 0.75)).tolist(),
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


def show(text: str) -> None:
    """Write over the line of progress, where there is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def table(rows: list[Row], goals: dict[str, float]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| workload | peer | median ms | quartiles | best | ratio to best peer | goal | MiB: steady | peak | first step s |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        goal = f"{goals[row.workload]:.2f}" if row.peer == "funcnn" else ""
        ratio = f"**{row.ratio:.2f}**" if row.peer == "funcnn" else f"{row.ratio:.2f}"
        lines.append(
            f"| {row.workload} | {row.peer} | {digits(row.median)} | {digits(row.low)}-{digits(row.high)} | {digits(row.best)} "
            f"| {ratio} | {goal} | {row.steady:.0f} | {row.peak:.0f} | {row.first:.2f} |"
        )
    return "\n".join(lines)


def digits(seconds: float) -> str:
    """Return milliseconds with three significant digits."""
    value = seconds * 1e3
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def growth_tables(rows: list[Row]) -> str:
    """Return the second table: for each axis the median times, and the ratio of the first peer to the best of the others."""
    parts = []
    for axis, (what, values) in growth.AXES.items():
        own = [row for row in rows if row.workload.split("=")[0] == axis]
        if not own:
            continue
        peers = list(dict.fromkeys(row.peer for row in own))
        heads = [axis, *[f"{peer} ms" for peer in peers], "ratio to best peer", *[f"{peer} MiB" for peer in peers]]
        lines = [f"**{axis}**: {what}", "", "| " + " | ".join(heads) + " |", "|" + "--:|" * len(heads)]
        for value in values:
            found = {row.peer: row for row in own if row.workload == f"{axis}={value}"}
            if found:
                times = [digits(found[peer].median) for peer in peers]
                memory = [f"{found[peer].peak:.0f}" for peer in peers]
                lines.append("| " + " | ".join([f"{value:,}", *times, f"**{found[peers[0]].ratio:.2f}**", *memory]) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def machine(peers: list[str]) -> str:
    """Return what the figures were measured on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        vectors = " with AVX-512" if any("avx512f" in line for line in lines) else ""
    except (OSError, StopIteration):
        processor, vectors = platform.processor() or platform.machine(), ""
    packages = [name for name in ("numpy", "torch", "jax") if name in (*peers, "numpy")]
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{THREADS} threads of an {processor}{vectors}, {platform.system()}, Python {platform.python_version()}, {versions}."


def put(path: Path, mark: str, text: str) -> None:
    """Put a text between the marks of a Markdown file: ``<!-- mark -->`` and ``<!-- end of mark -->``."""
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    whole = path.read_text()
    before, _, rest = whole.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{path} has no place for it: {begin} ... {end}")
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main() -> None:
    """Measure, and print the table."""
    started = time.perf_counter()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="funcnn beside torch and JAX, interleaved.")
    parser.add_argument("workloads", nargs="*", metavar="workload", help=f"any of {', '.join(names())} (all of them)")
    parser.add_argument("--growth", action="store_true", help="measure the second table instead: how cost grows with size")
    parser.add_argument("--all", action="store_true", help="measure both tables")
    parser.add_argument(
        "--peers",
        default="funcnn,torch,torch.compile,jax",
        help="comma-separated; the first is compared with the rest (%(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=11, help="bursts of each peer (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.25, help="length of a burst (%(default)s)")
    parser.add_argument(
        "--patience", type=int, default=0, help="how often a burst is repeated while others compute (%(default)s)"
    )
    parser.add_argument("--imports", type=int, default=7, help="imports of each library, 0 for none (%(default)s)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="also write the text to this file")
    parser.add_argument("--docs", type=Path, help="also put the tables where they belong in this page")
    options = parser.parse_args()
    if options.growth:
        chosen = options.workloads or growth.names()
    else:
        chosen = [*(options.workloads or names()), *(growth.names() if options.all else [])]
    unknown = set(options.workloads) - set(names()) - set(growth.names())
    if unknown:
        parser.error(f"no workload {', '.join(sorted(unknown))}: there are {', '.join(names())}")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    peers = options.peers.split(",")
    rows: list[Row] = []
    goals = {}
    bursts = crowded = 0
    for name in chosen:
        workload = find(name)
        goals[name] = workload.goal
        own = [peer for peer in peers if peer in workload.peers]
        point = "=" in name
        rounds, seconds = (min(3, options.rounds), min(0.15, options.seconds)) if point else (options.rounds, options.seconds)
        measured, disturbed = measure(workload, own, rounds, seconds, options.patience)
        rows += measured
        bursts, crowded = bursts + rounds * len(own), crowded + disturbed
        apart = max(row.difference for row in measured)
        noise = f"; {disturbed} of {rounds * len(own)} bursts disturbed" if disturbed else ""
        print(f"{name}: {workload.what}; {workload.compared} steps agree to {apart:.0e}{noise}", file=sys.stderr)
    first, second = [row for row in rows if "=" not in row.workload], [row for row in rows if "=" in row.workload]
    description = machine(peers)
    if crowded:
        description += f" The machine was not quiet: during {crowded} of {bursts} bursts other processes computed too."
    lines = [description, *(["", table(first, goals)] if first else [])]
    imports = import_times(options.imports) if options.imports else {}
    if imports:
        beyond = [f"{name} {1e3 * seconds:.0f}" for name, seconds in imports.items() if name != "numpy"]
        lines += ["", f"Import, ms: numpy {1e3 * imports['numpy']:.0f}; beyond that, {'; '.join(beyond)}."]
    lines += ["", f"The run took {(time.perf_counter() - started) / 60:.1f} minutes."]
    text = "\n".join(lines)
    tables = growth_tables(second)
    print(text + ("\n\n" + tables if tables else ""))
    if options.docs:
        if first:
            put(options.docs, "table", text)
        if second:
            put(options.docs, "growth", tables if first else f"{description}\n\n{tables}")
    if options.markdown:
        options.markdown.write_text(f"{text}\n\n{tables}".strip() + "\n")
    if options.json:
        options.json.write_text(json.dumps({"rows": [asdict(row) for row in rows], "imports": imports}, indent=1) + "\n")


if __name__ == "__main__":
    main()
