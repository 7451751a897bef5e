"""How fast matrix products are here, and how close training comes to that: ``python -m tests.benchmarks --peak`` shows it.

The machine's peak is measured in two ways: multiplications and additions of registers alone, in a loop made by LLVM (which comes
with Numba), and the fastest product of large square matrices by NumPy.  Of each network the products are known (the output of
a layer, and the gradients of its weights and of its input, which the first layer is spared).  They are timed within a step of
training, where the profiler's hook sees each call of ``ndarray.dot`` begin and end; alone, one after the other, on arrays that
lie ready; and the whole step is timed without the hook.  All three are repeated in turn
for some seconds, and all figures are the best.
"""

from __future__ import annotations

import ctypes
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tests.benchmarks.measure import THREADS
from tests.benchmarks.workload import find

SIZES = (1024, 2048, 4096)
NETWORKS = ("wide-mlp", "width=1024", "width=4096", "batch=4096", "parameters=100000000")
WARM = {"wide-mlp": 3, "width=4096": 3, "parameters=100000000": 3}
"""Steps before the clock: else a hundred or so, until all is warm."""


@dataclass(frozen=True)
class Machine:
    """The largest rates in floating-point operations per second, by threads; NaN where they cannot be measured."""

    registers: dict[int, float]
    products: dict[str, float]
    """By ``"size threads"``."""


@dataclass(frozen=True)
class Share:
    """One network: the operations of its products, and the times in seconds that hold them."""

    workload: str
    operations: float
    within: float
    alone: float
    step: float


def rate(operations: float, call: Callable[[], object], seconds: float) -> float:
    """Return the largest rate of a function that is called again and again for some time."""
    best, end = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
    return operations / best


# --------------------------------------------------------------------------------------------------------------- the machine


def machine() -> Machine:
    """Return the peak rates."""
    from funcnn.runtime.blas import controls

    threads = range(1, THREADS + 1)
    registers = {count: max(register_rate(width, count) for width in (8, 16)) for count in threads}
    found, products = controls(), {}
    for size in SIZES:
        a, b, c = (np.ones((size, size), np.float32) for _ in range(3))
        for count in threads if found else [THREADS]:
            if found:
                found[1](count)
            products[f"{size} {count}"] = rate(2.0 * size**3, lambda: np.dot(a, b, out=c), 0.6)  # noqa: B023  # called at once
    return Machine(registers, products)


CHAINS = 12
"""Independent chains of operations: as many as hide the time that one of them takes."""


def register_rate(width: int, threads: int) -> float:
    """Return the rate of fused multiply-adds of vectors of so many numbers on so many threads; NaN without LLVM."""
    try:
        from llvmlite import binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        features = llvm.get_host_cpu_features()
    except (ImportError, RuntimeError):
        return float("nan")
    if not features.get("fma") or (width == 16 and not features.get("avx512f")):
        return 0.0
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features.flatten() + (",-prefer-256-bit" if width == 16 else ""), opt=2
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(register_loop(width)), target)
    engine.finalize_object()
    burn = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float)(engine.get_function_address("burn"))
    count = 5_000_000

    def run() -> None:
        workers = [threading.Thread(target=burn, args=(count, 0.5)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return rate(2.0 * width * CHAINS * count * threads, run, 0.25)


def register_loop(width: int) -> str:
    """Return LLVM's code of a function that computes a = a s + s so many times, in several chains."""
    kind = f"<{width} x float>"
    chains = range(CHAINS)
    lines = [
        f"declare {kind} @llvm.fma.v{width}f32({kind}, {kind}, {kind})",
        "define float @burn(i64 %count, float %seed) {",
        "entry:",
        f"  %one = insertelement {kind} undef, float %seed, i32 0",
        f"  %s = shufflevector {kind} %one, {kind} undef, <{width} x i32> zeroinitializer",
        "  br label %loop",
        "loop:",
        "  %i = phi i64 [0, %entry], [%next, %loop]",
        *[f"  %a{k} = phi {kind} [%s, %entry], [%b{k}, %loop]" for k in chains],
        *[f"  %b{k} = call {kind} @llvm.fma.v{width}f32({kind} %a{k}, {kind} %s, {kind} %s)" for k in chains],
        "  %next = add i64 %i, 1",
        "  %more = icmp ult i64 %next, %count",
        "  br i1 %more, label %loop, label %done",
        "done:",
        f"  %sum0 = fadd {kind} %b0, %b0",
        *[f"  %sum{k} = fadd {kind} %sum{k - 1}, %b{k}" for k in chains[1:]],
        f"  %result = extractelement {kind} %sum{CHAINS - 1}, i32 0",
        "  ret float %result",
        "}",
    ]
    return "\n".join(lines)


# -------------------------------------------------------------------------------------------------------------- the networks


class Watch:
    """A profiler's hook that notes when products of matrices begin and end, on every thread that starts after it was made."""

    def __init__(self) -> None:
        self.active = False
        self.times: list[tuple[float, float]] = []
        self.begun: dict[int, float] = {}
        threading.setprofile(self)

    def __call__(self, frame: Any, event: str, called: Any) -> None:
        if not self.active or event[0] != "c" or getattr(called, "__name__", "") != "dot":
            return
        if getattr(called.__self__, "ndim", 0) != 2:  # a sum of rows, as the product with ones
            return
        if event == "c_call":
            self.begun[threading.get_ident()] = time.perf_counter()
        else:
            self.times.append((self.begun[threading.get_ident()], time.perf_counter()))

    def during(self, call: Callable[[], object]) -> float:
        """Return for how long at least one thread computed a product during a call."""
        self.times, self.active = [], True
        sys.setprofile(self)
        try:
            call()
        finally:
            sys.setprofile(None)
            self.active = False
        covered, until = 0.0, 0.0
        for begin, end in sorted(self.times):
            covered += max(0.0, end - max(begin, until))
            until = max(until, end)
        return covered


def share(name: str, watch: Watch, seconds: float) -> Share:
    """Measure one network."""
    workload = find(name)
    job: Any = workload.peers["funcnn"](workload.make())
    spec: Any = workload.peers["funcnn"].args[0]  # type: ignore[attr-defined]  # a partial
    job.reset()
    batches, turn = job.batches, 0

    def step() -> None:
        nonlocal turn
        turn += 1
        job.step(*batches[turn % len(batches)])

    for _ in range(WARM.get(name, 120)):
        step()
    operations, products = products_of(spec.widths, spec.batch)

    def alone() -> None:
        for a, b, c in products:
            a.dot(b, c)

    best = [float("inf")] * 3
    turns, end = 0, time.perf_counter() + seconds
    while turns < 4 or time.perf_counter() < end:
        turns += 1
        times = watch.during(step), seconds_of(alone), seconds_of(step)
        best = [min(pair) for pair in zip(best, times, strict=True)]
    return Share(name, operations, *best)


def seconds_of(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def products_of(widths: tuple[int, ...], batch: int) -> tuple[float, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Return the operations of a step's products, and operands and results of these shapes and layouts."""
    products = []
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        x, weight, dy = (np.ones(shape, np.float32) for shape in ((batch, inputs), (inputs, outputs), (batch, outputs)))
        products += [(x, weight, dy), (x.T, dy, np.zeros_like(weight))]
        if index:
            products.append((dy, weight.T, np.zeros_like(x)))
    return sum(2.0 * a.shape[0] * a.shape[1] * b.shape[1] for a, b, _ in products), products


def main() -> None:
    """Print the rates as JSON: those of the machine, and the times of the networks that are named."""
    watch = Watch()
    _, seconds, *chosen = sys.argv
    print(json.dumps([asdict(machine()), [asdict(share(name, watch, float(seconds))) for name in chosen or NETWORKS]]))


if __name__ == "__main__":
    main()
