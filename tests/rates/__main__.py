"""The command ``python -m tests.rates``: measure how often the checker errs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import attrs

from tests.rates.families.choice import FAMILIES
from tests.rates.page import page
from tests.rates.score import Score, score
from tests.rates.second.measure import measured, rates
from tests.rates.trial import explain

_DESCRIPTION = """\
Check random functions with right gradients and with spoiled ones, and count false alarms, verdicts that are inconclusive and
mistakes that passed although they are larger than what the report claims to see.
The exit status is 0 when the rates are within their bounds, else 1.
"""


def main() -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.rates", description=_DESCRIPTION)
    parser.add_argument("--functions", type=int, default=1000, metavar="N", help="how many functions (default: 1000)")
    parser.add_argument("--textbook", type=int, default=0, metavar="N", help="how many of the second generator (default: 0)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.add_argument("--first", type=int, default=0, metavar="I", help="the number of the first function (default: 0)")
    parser.add_argument("--workers", type=int, default=1, metavar="W", help="processes (default: 1)")
    parser.add_argument("--family", choices=sorted(FAMILIES), help="functions of one family alone")
    parser.add_argument("--only", type=int, metavar="I", help="show one function, its reports and the trial")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every trial, as JSON")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page of the documentation, as Markdown")
    options = parser.parse_args()
    if options.only is not None:
        print(explain(options.only, options.seed, options.family))
        return 0
    started = time.perf_counter()
    numbers = range(options.first, options.first + options.functions)
    made = score(numbers, options.seed, options.family, options.workers)
    textbook = measured(range(options.textbook), options.seed, options.workers)
    lines = [as_text(made), *(f"textbook, {one.name}: {one.count} of {one.total}" for one in rates(textbook) if textbook)]
    lines += [f"textbook: {one}" for one in textbook if one.false_alarm or one.missed]
    print("\n".join([*lines, f"{time.perf_counter() - started:.0f} s"]))
    if options.json:
        options.json.write_text(json.dumps([attrs.asdict(trial) for trial in made.trials]) + "\n")
    if options.page:
        options.page.write_text(page(made, textbook))
    return 0 if made.ok else 1


def as_text(made: Score) -> str:
    """Return the counts, and a line for each error with the number of its function."""
    lines = [f"{one.name}: {one.count} of {one.total} (95 %: {one.low:.2g} to {one.high:.2g})" for one in made.rates()]
    for trial in made.trials:
        said = f"{trial.number} {trial.family} {' '.join(trial.tags)}"
        if trial.false_alarm:
            lines.append(f"false alarm: {said}: {', '.join(trial.right.kinds)}: {trial.right.text}")
        if trial.rounds:
            lines.append(f"lost digits, {trial.lossy:.1g} roundings: {said}: {trial.right.text}")
        if trial.right.verdict == "inconclusive":
            lines.append(f"inconclusive: {said}: {trial.right.text}")
        if trial.missed:
            lines.append(f"missed: {said}: {trial.kind}, error {trial.error:.2g} above {trial.claim:.2g}")
        if trial.accused:
            lines.append(f"accused: {said}: {trial.kind}, error {trial.error:.2g}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
