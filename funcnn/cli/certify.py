"""The command ``python -m funcnn certify``: issue the certificate of the library."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from funcnn.certificate.certifying import certify
from funcnn.certificate.page import page
from funcnn.certificate.record import Certificate, Entry
from funcnn.cli.failure import RequestError
from funcnn.files.atomic_write import write_atomically

_DESCRIPTION = """\
Check every gradient of the library: each layer, loss and penalty, each leaf, in float32 and float64, in training and
evaluation, at kinks, ties, far out in the tails, 1e8 times too large and too small, in empty batches and strided memory.
Every leaf's gradient is also spoiled by one part in a thousand, and the check must fail.

The exit status is 0 when everything is certified, 1 when something is not, 2 for a wrong request.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    arguments : sequence of str
        What follows ``python -m funcnn certify``.
    """
    options = _parser().parse_args(list(arguments))
    try:
        made = certify(options.names or None, quick=options.quick, workers=options.workers, report=_show)
    except ValueError as error:
        raise RequestError(str(error)) from None
    print()
    for line in _conclusion(made):
        print(line)
    if options.json:
        _write(options.json, json.dumps(made.to_dict()) + "\n")
    if options.page:
        _write(options.page, page(made))
    return 0 if made.ok else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m funcnn certify", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="public names such as dense or huber (default: all)")
    parser.add_argument("--quick", action="store_true", help="only plain inputs and inputs of zeros: for every change")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: one for each core)"
    )
    parser.add_argument("--json", metavar="FILE", help="write every row, as JSON")
    parser.add_argument("--page", metavar="FILE", help="write the page of the documentation, as Markdown")
    return parser


def _show(entry: Entry) -> None:
    """Print the line of one name, and what is wrong with it."""
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(entry.verdicts.items(), key=lambda item: -item[1]))
    state = "ok" if entry.ok else "WRONG" if entry.rows else "later"  # large cases are left to the full certificate
    print(f"{state:<5} {entry.name:<24} {verdicts}; {entry.controls} controls", flush=True)
    for missed in entry.missed:
        print(f"      a gradient wrong by 0.1 % was passed: {missed}")
    for product in entry.products:
        if not product.ok:
            found = product.note or f"error {product.error:.1e}, expected at most {product.bar:.0e}"
            print(f"      {product.case}: {product.product} {product.mode}: {found}")
    for row in entry.rows:
        if not row.ok:
            print(f"      {row.case}: {row.leaf} {row.dtype} batch {row.batch} {row.edge} {row.mode}: {row.verdict} {row.note}")


def _conclusion(made: Certificate) -> list[str]:
    lines = [f"no case of: {', '.join(made.missing)}"] if made.missing else []
    lines += [f"a reason that nothing needs any more: {one}" for one in made.stale]
    wrong = sum(not row.ok for row in made.rows)
    what = f"{len(made.entries)} names, {len(made.rows)} rows, {sum(entry.controls for entry in made.entries)} controls"
    return [*lines, f"{'certified' if made.ok else 'NOT CERTIFIED'}: {what}, {wrong} wrong or undecided, {made.seconds:.0f} s"]


def _write(path: str, text: str) -> None:
    """Write a file whole or not at all."""
    try:
        write_atomically(Path(path), lambda file: file.write(text.encode()))
    except OSError as error:
        print(f"python -m funcnn: error: {path}: {error.strerror}", file=sys.stderr)
        raise
