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
from tests.benchmarks.measure import THREADS, Row, import_times, in_process, measure
from tests.benchmarks.report import fit_table, growth_tables, machine, peak_tables, put, table
from tests.benchmarks.workload import find, names

SECTIONS = ("growth", "fit", "peak")
"""What can be measured besides the table of workloads."""


def main() -> None:
    """Measure, and print the tables."""
    started = time.perf_counter()
    options = arguments()
    sections = set(SECTIONS) if options.all else {section for section in SECTIONS if getattr(options, section)}
    chosen = options.workloads or ([] if sections and not options.all else names())
    points = growth.names() if "growth" in sections and (options.all or not options.workloads) else []
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    if options.docs:
        for mark in ("table", *SECTIONS):
            put(options.docs, mark, None)  # before the clock runs
    peers = options.peers.split(",")
    rows: list[Row] = []
    goals = {}
    bursts = crowded = 0
    for name in [*chosen, *points]:
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
    imports = import_times(options.imports) if first and options.imports else {}
    inside, texts = {}, {}
    if "fit" in sections:
        inside["fit"], remark = in_process("fitting", str(min(7, options.rounds)), str(options.seconds))
        texts["fit"] = remark + fit_table(inside["fit"])
    if "peak" in sections:
        inside["peak"], remark = in_process("peak", "3")
        texts["peak"] = remark + peak_tables(*inside["peak"])

    description = machine(peers) if rows else ""
    if crowded:
        description += f" The machine was not quiet: during {crowded} of {bursts} bursts other processes computed too."
    if first:
        lines = [description, "", table(first, goals)]
        if imports:
            beyond = [f"{name} {1e3 * seconds:.0f}" for name, seconds in imports.items() if name != "numpy"]
            lines += ["", f"Import, ms: numpy {1e3 * imports['numpy']:.0f}; beyond that, {'; '.join(beyond)}."]
        lines += ["", f"The run took {(time.perf_counter() - started) / 60:.1f} minutes."]
        texts["table"] = "\n".join(lines)
    if second:
        texts["growth"] = growth_tables(second) if first else f"{description}\n\n{growth_tables(second)}"
    whole = "\n\n".join(texts[mark] for mark in ("table", *SECTIONS) if mark in texts)
    print(whole)
    if options.docs:
        for mark, text in texts.items():
            put(options.docs, mark, text)
    if options.markdown:
        options.markdown.write_text(f"{whole}\n")
    if options.json:
        figures = {"rows": [asdict(row) for row in rows], "imports": imports, **inside}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="funcnn beside its peers, interleaved.")
    parser.add_argument("workloads", nargs="*", metavar="workload", help=f"any of {', '.join(names())} (all of them)")
    parser.add_argument("--growth", action="store_true", help="measure instead how cost grows with size")
    parser.add_argument("--fit", action="store_true", help="measure instead what fit costs beside the loop written out")
    parser.add_argument("--peak", action="store_true", help="measure instead how close products come to the machine's peak")
    parser.add_argument("--all", action="store_true", help="measure everything")
    parser.add_argument(
        "--peers",
        default="funcnn,torch,torch.compile,jax,scikit-learn,numpy by hand,funcnn without Numba",
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
    unknown = set(options.workloads) - set(names()) - set(growth.names())
    if unknown:
        parser.error(f"no workload {', '.join(sorted(unknown))}: there are {', '.join(names())}")
    return options


if __name__ == "__main__":
    main()
