"""The command: see the package's docstring."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks import growth
from tests.benchmarks.measure import THREADS, Row, import_times, measure
from tests.benchmarks.report import growth_tables, machine, put, table
from tests.benchmarks.workload import find, names


def main() -> None:
    """Measure, and print the table."""
    started = time.perf_counter()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="funcnn beside torch and JAX, interleaved.")
    parser.add_argument("workloads", nargs="*", metavar="workload", help=f"any of {', '.join(names())} (all of them)")
    parser.add_argument("--growth", action="store_true", help="measure the second table instead: how cost grows with size")
    parser.add_argument("--all", action="store_true", help="measure both tables")
    parser.add_argument(
        "--peers",
        default="funcnn,torch,torch.compile,jax,scikit-learn,numpy by hand",
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
