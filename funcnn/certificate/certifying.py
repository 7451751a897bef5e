"""Issue the certificate: every public name, every case, every situation."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context

import numpy as np

from funcnn.certificate.edges import DRAWN, EDGES
from funcnn.certificate.names import layer_factories, loss_factories, penalty_factories
from funcnn.certificate.record import Certificate, Entry, ProductRow, Row
from funcnn.certificate.subjects import Situation, Subject, names, source, subjects
from funcnn.certificate.undecided import REASONS, reason
from funcnn.check import Report

_QUICK = ("drawn", "zeros")
_EXTREME = ("saturated", "1e+8")
_UNDECIDED = "undecided: "
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def certify(
    chosen: Iterable[str] | None = None,
    *,
    quick: bool = False,
    workers: int = 1,
    report: Callable[[Entry], None] | None = None,
) -> Certificate:
    """Check every gradient of the library, at every corner of its domain.

    Parameters
    ----------
    chosen : iterable of str, optional
        Public names; all by default.
    quick : bool, optional
        Only training, the inputs as they are drawn, in float64 and float32, and those at 0, in float64, without large cases
        and controls: what every change can afford.
    workers : int, optional
        Processes.  With more than one, a program must be importable, as always with :mod:`multiprocessing`.
    report : callable, optional
        Is called with each entry as soon as it is there.

    Returns
    -------
    Certificate

    Raises
    ------
    ValueError
        For a name that has no cases.

    Examples
    --------
    >>> from funcnn.certificate import certify
    >>> made = certify(["relu"], quick=True)
    >>> made.ok, made.entries[0].conventions
    (True, ('left derivative',))
    """
    started = time.perf_counter()
    known = names()
    wanted = known if chosen is None else tuple(chosen)
    for name in wanted:
        if name not in known:
            raise ValueError(f"there are no cases of {name!r}, only of {', '.join(sorted(known))}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    entries = []
    for entry in _each(partial(certify_name, quick=quick), wanted, workers):
        entries.append(entry)
        if report is not None:
            report(entry)
    missing = tuple(sorted(set(public()) - set(known))) if chosen is None else ()
    checked = tuple(entry for entry in entries if entry.rows or not quick)  # the quick form leaves large cases out
    unneeded = () if quick else stale(entries)  # of a part of the rows none need be explained
    return Certificate(checked, missing, unneeded, environment(), time.perf_counter() - started)


def stale(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return the reasons that no row of these entries needed, among those that are about one of them."""
    rows = [row for entry in entries for row in entry.rows]
    found = []
    for one in REASONS:
        about = [row for row in rows if one.covers(row.name, one.edge)]
        needed = any(row.note.endswith(one.why) and one.covers(row.name, row.edge, row.leaf or "*") for row in about)
        if about and not needed:
            found.append(f"{one.name} {one.leaf} {one.edge}")
    return tuple(found)


def public() -> list[str]:
    """Return the names of everything public that has a gradient of its own."""
    return [*layer_factories(), *loss_factories(), *penalty_factories()]


def certify_name(name: str, *, quick: bool = False) -> Entry:
    """Certify one public name."""
    kind, cases = subjects(name)
    chosen = [case for case in cases if not (quick and case.large)]
    rows = [row for case in chosen for at in _situations(case, quick) for row in _rows(name, case, at)]
    controls = [] if quick else [(case.case, path, spoiled.ok) for case in cases for path, spoiled in case.controls()]
    missed = tuple(f"{case}: {path}" for case, path, passed in controls if passed)
    products = tuple([row for case in chosen for row in _products(case, quick)])
    return Entry(name, kind, source(name), tuple(rows), len(controls), missed, products)


def _products(case: Subject, quick: bool) -> Iterator[ProductRow]:
    """Yield the rows of the products of one case, in every mode that it is checked in."""
    for mode in case.modes[:1] if quick else case.modes:
        try:
            for made in case.products(mode):
                yield ProductRow(case.case, mode, made.name, made.error, made.bar, made.note)
        except Exception as error:
            yield ProductRow(case.case, mode, "", np.inf, 0, f"{type(error).__name__}: {error}", raised=True)


def environment() -> dict[str, str]:
    """Return what the figures depend on."""
    eps = float(np.finfo(np.longdouble).eps)
    return {
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "reference": f"long double, eps {eps:.1e}" if eps < np.finfo(np.float64).eps else "float64",
    }


def _situations(case: Subject, quick: bool) -> Iterator[Situation]:
    """Yield the situations of a case: every edge at its own batch size, and batches of none and of one."""
    own, few = case.batch(None), quick or case.large
    sizes = () if few else tuple(size for size in (1, 0) if case.batch(size) != own)
    for mode in case.modes[:1] if quick else case.modes:
        for dtype in ("float64", "float32"):
            for edge in EDGES:
                if not few or edge is DRAWN or (edge.name in _QUICK and dtype == "float64"):
                    yield Situation(dtype, own, edge, mode)
            for size in sizes:
                yield Situation(dtype, size, DRAWN, mode)


def _rows(name: str, case: Subject, at: Situation) -> list[Row]:
    """Return the rows of one check: one for each leaf, and one for each finding that is about no leaf."""
    row = partial(Row, name, case.case, dtype=at.dtype, batch=at.batch, edge=at.edge.name, mode=at.mode)
    try:
        with np.errstate(all="ignore"):  # edges are extreme on purpose
            made = case.check(at)
    except ValueError as error:  # the library refuses inputs outside the domain, as a mean of nothing; not what a case draws
        verdict = "fail" if at.edge is DRAWN and at.batch > 1 else "refused"
        return [row("", shape=(), verdict=verdict, note=str(error))]
    if any(finding.kind == "nonfinite" and not finding.path for finding in made.findings):  # of the value itself
        if at.edge.name in _EXTREME:
            return [row("", shape=(), verdict="overflow", note="the value is beyond the largest number of its format")]
        if why := reason(name, "", at.edge.name, "nonfinite"):
            return [row("", shape=(), verdict="undecided", note=_UNDECIDED + why)]
    notes = _notes(made)
    for leaf, note in notes.items():
        if why := reason(name, leaf, at.edge.name, note.split(":")[0]):
            notes[leaf] = _UNDECIDED + why
    rows = [
        row(
            leaf.path,
            shape=leaf.shape,
            verdict=_verdict(leaf.verdict, leaf.shape, notes.get(leaf.path, "")),
            worst_ratio=leaf.worst_ratio,
            worst_bar=leaf.worst_bar,
            power=leaf.power,
            kinks=leaf.kinks,
            convention=leaf.convention,
            evaluations=made.evaluations,
            note=notes.pop(leaf.path, ""),
        )
        for leaf in made.leaves
    ]
    return rows + [row(path, shape=(), verdict="fail", evaluations=made.evaluations, note=note) for path, note in notes.items()]


def _notes(made: Report) -> dict[str, str]:
    """Return what was found, by leaf.  That nothing could be compared in empty leaves is no finding: their rows say so."""
    empty = {leaf.path for leaf in made.leaves if 0 in leaf.shape}
    whole = all(0 in leaf.shape for leaf in made.leaves)
    return {
        finding.path: f"{finding.kind}: {finding.diagnosis.text or finding.text}"
        for finding in made.findings
        if not (finding.kind == "inconclusive" and (finding.path in empty or whole))
    }


def _verdict(verdict: str, shape: tuple[int, ...], note: str) -> str:
    if note.startswith(_UNDECIDED):
        return "undecided"
    if note:
        return "inconclusive" if note.startswith("inconclusive") else "fail"
    return "empty" if 0 in shape else verdict


def _each(function: Callable[[str], Entry], wanted: Iterable[str], workers: int) -> Iterator[Entry]:
    """Call a function for each name, in several processes where that was asked for."""
    if workers == 1:
        yield from map(function, wanted)
        return
    with _one_thread_each(), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(function, wanted)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let the processes that are started meanwhile compute with one thread: together they use the cores anyway."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
