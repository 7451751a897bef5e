"""The command: see the package's docstring."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from tests.coverage import nodes, onnx_samples, operators, report, torch_samples
from tests.coverage.compare import Row

SUITES = {"functionals": torch_samples.functionals, "modules": torch_samples.modules, "nodes": onnx_samples.nodes}


def main() -> int:
    """Run the samples, print the tables, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.coverage", description="torch's and ONNX's test inputs, here.")
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"any of {', '.join(SUITES)} (all of them)")
    parser.add_argument("--page", type=Path, help="also put the tables where they belong in this page")
    options = parser.parse_args()
    unknown = set(options.suites) - set(SUITES)
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}: there are {', '.join(SUITES)}")
    torch.set_num_threads(1)  # arrays are small
    rows: list[Row] = []
    for suite in options.suites or SUITES:
        found = [row for row in SUITES[suite]() if row.samples]
        rows += found
        text = report.table(found)
        print(f"## {suite}\n\n{text}\n")
        if options.page:
            report.put(options.page, suite, text)
    unequal = [line for row in rows for line in row.unequal]
    print("\n".join(unequal), file=sys.stderr)
    return 1 if unequal else 0


if __name__ == "__main__":
    assert operators.__all__  # they register themselves
    assert nodes.__all__
    sys.exit(main())
