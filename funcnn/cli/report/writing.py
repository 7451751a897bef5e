"""The report of a run: its network, its certified gradient, how it learned, and what it has learned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import funcnn as fn
from funcnn.cli import folder, network
from funcnn.cli.certifying import Standing
from funcnn.cli.folder import Run
from funcnn.cli.learning import said
from funcnn.cli.problem import Problem
from funcnn.cli.report.judging import judged
from funcnn.cli.report.of_tables import columns, folds
from funcnn.cli.report.page import Section, drawing, folded, page, picture, table, text, written
from funcnn.cli.settings import to_json
from funcnn.cli.tasks.task import Outcome
from funcnn.cli.terminal import plain
from funcnn.files.atomic_write import write_text
from funcnn.plots.diagram import diagram_of

_ABOUT = {
    "confusion.svg": "True classes in rows, predicted ones in columns",
    "curves.svg": "Figures of training and of validation",
    "images.svg": "Images and what the network makes of them",
    "residuals.svg": "Predicted and true numbers",
    "samples.svg": "Images that the network drew",
    "plane.svg": "What the network says of every point",
}
_STANDING: Mapping[Standing, tuple[str, str]] = {
    "certified": ("The gradient of this very network and loss was certified against finite differences.", "good"),
    "inconclusive": ("Nothing speaks against the gradient, but not all of it could be judged.", "doubtful"),
    "not checked": ("The gradient was not checked.", "doubtful"),
    "wrong": ("The gradient is wrong.", "bad"),
}
_LONGEST = 4000  # characters of a sample


def write_report(out: Path, run: Run, problem: Problem, standing: Standing, outcome: Outcome, drawn: list[str]) -> None:
    """Write ``report.html`` into the folder of a run, from what was measured and from the pictures that are there."""
    settings = run.settings
    results = {name: value for name, value in outcome.results.items() if not isinstance(value, (list, dict))}
    figures = [(name.replace("_", " "), shown(value)) for name, value in results.items()]
    sections = [
        Section("Results", (table([("figure", "value"), *figures]),)),
        folds(out),
        _learning(out, drawn),
        *judged(run, problem, outcome.prediction),
        *[Section(_titled(name), (_file(out, name),)) for name in drawn if name not in ("curves.svg", "residuals.svg")],
        columns(problem),
        _network(run, problem),
        _gradient(out, standing),
        _settings(run),
    ]
    if (out / folder.SAMPLE).is_file():
        sample = (out / folder.SAMPLE).read_text(encoding="utf-8")[:_LONGEST]
        sections.insert(3, Section("Sample", (written(plain(sample)),)))
    words, kind = _STANDING[standing]
    lead = [text(f"{problem.title}. {problem.parts}.", "soft"), text(words, kind)]
    write_text(out / folder.REPORT, page(f"{settings.model}: {out.name}", lead, [one for one in sections if one.parts]))


def shown(value: object) -> str:
    """Return a figure in short."""
    return said(value) if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)


def _titled(name: str) -> str:
    return Path(name).stem.replace("_", " ").capitalize()


def _file(out: Path, name: str) -> str:
    return picture((out / name).read_text(encoding="utf-8"), _ABOUT.get(name, _titled(name)))


def _learning(out: Path, drawn: list[str]) -> Section:
    """Return the section on training: its curves, and the first and last lines of its figures."""
    lines = (out / folder.HISTORY).read_text(encoding="utf-8").splitlines()
    if len(lines) < 2:
        return Section("Training", ())
    head, *rows = [line.split(",") for line in lines]
    some = rows if len(rows) <= 6 else [*rows[:2], ["…"] * len(head), *rows[-3:]]
    figures = table([head, *[[_short(cell) for cell in row] for row in some]], range(len(head)))
    return Section("Training", (*([_file(out, "curves.svg")] if "curves.svg" in drawn else []), figures))


def _short(cell: str) -> str:
    try:
        return f"{float(cell):.5g}"
    except ValueError:
        return cell


def _network(run: Run, problem: Problem) -> Section:
    shape = network.in_shape(run.settings, problem.facts)
    about = fn.summary(run.model, shape, dtype=run.settings.dtype)
    rows: list[tuple[object, ...]] = [("path", "layer", "output", "parameters")]
    rows += [
        (row.path, "\u2003" * (row.depth - 1) + row.name, row.out_shape, f"{row.params:,}" if row.params else "")
        for row in about.rows
    ]
    picture = drawing(diagram_of(about, shape), f"{about.params:,} parameters in {run.settings.dtype}")
    return Section("Network", (picture, table(rows, (3,))))


def _gradient(out: Path, standing: Standing) -> Section:
    words, kind = _STANDING[standing]
    whole = (out / folder.GRADIENT).read_text(encoding="utf-8") if (out / folder.GRADIENT).is_file() else ""
    return Section("Gradient", (text(words, kind), *([folded("The whole certificate", plain(whole))] if whole else [])))


def _settings(run: Run) -> Section:
    return Section("Settings", (folded("What was asked for", plain(to_json(run.settings))),))
