"""What was measured, as text."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks import growth
from tests.benchmarks.measure import THREADS, Row


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


def fit_table(costs: list[dict[str, Any]]) -> str:
    """Return what fit costs as a Markdown table."""
    lines = [
        "| workload | steps an epoch | fit, ms a step | loop | ready | fit / loop | fit / ready | once, ms |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for cost in costs:
        times = " | ".join(digits(cost[key]) for key in ("fit", "shuffled", "ready"))
        ratios = f"**{cost['to_shuffled']:.3f}** | {cost['to_ready']:.3f}"
        lines.append(f"| {cost['workload']} | {cost['steps']} | {times} | {ratios} | {1e3 * cost['once']:.1f} |")
    return "\n".join(lines)


def peak_tables(peak: dict[str, Any], shares: list[dict[str, Any]]) -> str:
    """Return the rates of the machine and of the networks as two Markdown tables."""
    rates = {int(threads): rate for threads, rate in peak["registers"].items()}
    products: dict[int, dict[int, float]] = {}
    for key, rate in peak["products"].items():
        size, threads = map(int, key.split())
        products.setdefault(size, {})[threads] = rate
    heads = ["GFLOP/s", *[f"{threads} thread{'s' * (threads > 1)}" for threads in rates]]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "--:|" * len(rates)]
    for name, row in [("registers", rates), *[(f"product of {size} x {size}", found) for size, found in products.items()]]:
        lines.append(f"| {name} | " + " | ".join(giga(row[threads]) if threads in row else "" for threads in rates) + " |")
    most, best = max(rates.values()), max(peak["products"].values())
    lines += [
        "",
        "| network | GFLOP a step | ms in products | their GFLOP/s | of the fastest product | of registers"
        " | alone, GFLOP/s | ms a step | GFLOP/s of the whole step | of the fastest product |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in shares:
        within, alone, step = (one["operations"] / one[key] for key in ("within", "alone", "step"))
        lines.append(
            f"| {one['workload']} | {one['operations'] / 1e9:.3g} | {digits(one['within'])} | {giga(within)}"
            f" | **{within / best:.0%}** | {within / most:.0%} | {giga(alone)} | {digits(one['step'])} | {giga(step)}"
            f" | {step / best:.0%} |"
        )
    return "\n".join(lines)


def giga(rate: float) -> str:
    """Return a rate in billions a second."""
    return f"{rate / 1e9:.0f}"


def machine(peers: list[str]) -> str:
    """Return what the figures were measured on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        vectors = " with AVX-512" if any("avx512f" in line for line in lines) else ""
    except (OSError, StopIteration):
        processor, vectors = platform.processor() or platform.machine(), ""
    packages = [name for name in ("numpy", "torch", "jax", "scikit-learn") if name in (*peers, "numpy")]
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{THREADS} threads of an {processor}{vectors}, {platform.system()}, Python {platform.python_version()}, {versions}."


def put(path: Path, mark: str, text: str | None) -> None:
    """Put a text between the marks of a Markdown file, ``<!-- mark -->`` and ``<!-- end of mark -->``; None: look for them."""
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    before, started, rest = path.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not started or not ended:
        raise SystemExit(f"{path} has no place for it: {begin} ... {end}")
    if text is not None:
        path.write_text(f"{before}{begin}\n{text}\n{end}{after}")
