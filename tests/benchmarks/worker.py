"""One peer of one workload in a process of its own: commands come on standard input, a JSON line each, answers likewise."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.workload import Job


def resident(field: str) -> float:
    """Return the current (``VmRSS``) or the highest (``VmHWM``) resident set in MiB; NaN where /proc is not."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


BARE = resident("VmRSS")  # before NumPy


def main() -> None:
    """Serve until ``quit``."""
    workload_name, peer, path = sys.argv[1:]
    answer = os.fdopen(os.dup(1), "w")  # what libraries print must not mix with the answers
    os.dup2(2, 1)

    import numpy as np

    from tests.benchmarks.workload import find

    workload = find(workload_name)
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    started = time.perf_counter()
    job = workload.peers[peer](arrays)
    job.reset()
    job.step(*job.batches[0])
    ready = time.perf_counter() - started
    if hasattr(job, "choose"):
        job.choose()  # which of its ways is the fastest

    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "compare":
            job.reset()
            count = command["steps"]
            value = getattr(job, "compare", job.step)  # a job whose step gives no number says what is compared
            values = [np.asarray(value(*job.batches[i % len(job.batches)])).ravel().tolist() for i in range(count)]
            result = {"values": values, "ready": ready}
        elif command["do"] == "burst":
            result = {"seconds": burst(job, command["seconds"])}
        elif command["do"] == "memory":
            result = {"steady": resident("VmRSS") - BARE, "peak": resident("VmHWM") - BARE}
        else:
            break
        answer.write(json.dumps(result) + "\n")
        answer.flush()


def burst(job: Job, seconds: float) -> list[float]:
    """Return the time of one step, measured over chunks that fill about the time given, each from the initial parameters."""
    count = len(job.batches)

    def chunk(steps: int) -> float:
        job.reset()
        step, batches = job.step, job.batches
        order = [batches[i % count] for i in range(steps)]
        begin = time.perf_counter()
        for batch in order:
            step(*batch)
        return (time.perf_counter() - begin) / steps

    guess = chunk(1)  # also warms the caches up
    if guess < seconds:
        guess = chunk(2)
    steps = max(1, min(1000, int(seconds / 8 / guess)))
    guess = chunk(steps) if steps > 1 else guess
    return [chunk(steps) for _ in range(max(1, round(seconds / (steps * guess))))]


if __name__ == "__main__":
    main()
