"""The course of a check: contract, comparison entry by entry, report."""

from __future__ import annotations

import time
import warnings

import numpy as np

from funcnn import tree
from funcnn.check.differences import Contraction, richardson
from funcnn.check.entries import entry_scales, entry_slopes
from funcnn.check.evidence import Evidence, LeafEvidence
from funcnn.check.problem import Problem, as_tree, output_leaves, read_cotangents
from funcnn.check.report import UNKNOWN, Diagnosis, Finding, LeafReport, Report
from funcnn.check.sampler import Sampler, sampler
from funcnn.typing import Array

CONFIDENCE = 10.0
"""A difference of up to so many error bars passes."""
_STEPS = {"fine": (2.0**-16, 2.0**-12), "middle": (2.0**-9, 2.0**-7, 2.0**-5), "coarse": (2.0**-5, 2.0**-4, 2.0**-3)}


def verify(problem: Problem, *, cotangent: object | None, seed: int, reference: str = "auto") -> Report:
    """Check the gradient of a problem and return the report."""
    started = time.perf_counter()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _verify(problem, cotangent, seed, reference, started)


def draw_cotangent(output: object, seed: int) -> object:
    """Return a random cotangent: both signs, no entry small, None for integers."""
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(1,))))

    def draw(leaf: Array) -> Array:
        signs = generator.integers(0, 2, leaf.shape) * 2 - 1
        return np.asarray(signs * generator.uniform(0.5, 1.5, leaf.shape)).astype(leaf.dtype if leaf.dtype.kind == "f" else float)

    return tree.map(draw, as_tree(output))


def _verify(problem: Problem, cotangent: object | None, seed: int, reference: str, started: float) -> Report:
    given = Sampler(problem, None)
    dy = draw_cotangent(given.output, seed) if cotangent is None else as_tree(cotangent)
    sample = sampler(problem, reference)
    wide_dy = tree.map(lambda leaf: leaf.astype(sample.result), dy)
    read = read_cotangents(problem, problem.pullback(*given.args, dy), strict_dtype=True)
    wide = read_cotangents(problem, problem.pullback(*sample.args, wide_dy), strict_dtype=False)
    findings = list(read.findings)
    v = np.concatenate([leaf.reshape(-1) for leaf in output_leaves(wide_dy)])
    contraction = Contraction(v, np.abs(v), sample.y, sample.eps, np.zeros(len(v), sample.y.dtype))
    steps = _STEPS["fine" if sample.eps < 1e-17 else "middle" if sample.eps < 1e-12 else "coarse"]
    leaves, evidence = [], []
    for position, leaf in enumerate(problem.active()):
        analytic = wide.leaves[position]
        if analytic is None:
            leaves.append(LeafReport(leaf.path, leaf.array.shape, str(leaf.array.dtype), "fail", method="not compared"))
            continue
        values = sample.origin[position]
        numeric, bars = np.zeros(values.shape, values.dtype), np.zeros(values.shape, values.dtype)
        kinks = np.zeros(values.shape, bool)
        flat = analytic.reshape(-1).astype(values.dtype)
        indices = np.arange(values.size)
        before = sample.count
        for chunk in entry_slopes(sample, contraction, position, indices, entry_scales(values), steps):
            value, spread = richardson(chunk.slopes.central, steps)
            numeric[chunk.indices], bars[chunk.indices] = value, spread + chunk.slopes.roundoff[:, 0]
            low = np.minimum(chunk.slopes.forward[:, 0], chunk.slopes.backward[:, 0]) - spread - chunk.slopes.roundoff[:, 0]
            high = np.maximum(chunk.slopes.forward[:, 0], chunk.slopes.backward[:, 0]) + spread + chunk.slopes.roundoff[:, 0]
            kinks[chunk.indices] = (low <= flat[chunk.indices]) & (flat[chunk.indices] <= high)
        off = np.abs(flat - numeric)
        scale = np.max(np.abs(numeric), initial=0)
        wrong = ~((off <= CONFIDENCE * bars + 16 * sample.eps * scale) | kinks)
        if values.size:
            ratio = off / np.maximum(bars, sample.eps * scale + np.finfo(values.dtype).tiny)
            worst = float(np.max(np.where(wrong, ratio, 0)))
        shape = leaf.array.shape
        evidence.append(
            LeafEvidence(
                leaf.path,
                values.reshape(shape),
                flat.reshape(shape),
                numeric.reshape(shape),
                bars.reshape(shape),
                wrong.reshape(shape),
                (kinks & ~wrong).reshape(shape),
            )
        )
        leaves.append(
            LeafReport(
                leaf.path,
                shape,
                str(leaf.array.dtype),
                "fail" if wrong.any() else "pass",
                worst_ratio=worst if values.size else 0.0,
                method="every entry",
                evaluations=sample.count - before,
            )
        )
    for position, found in enumerate(evidence):
        if found.wrong.any():
            findings.append(_finding(position, tuple(evidence), problem, sample, wide_dy, seed))
    return Report(
        problem.name, tuple(leaves), tuple(findings), sample.count + given.count, 2, seed, time.perf_counter() - started
    )


def _finding(
    position: int, leaves: tuple[LeafEvidence, ...], problem: Problem, sample: Sampler, dy: object, seed: int
) -> Finding:
    found = leaves[position]
    assert found.analytic is not None
    off = np.where(found.wrong, np.abs(found.analytic - found.numeric), -1)
    worst = np.unravel_index(int(np.argmax(off)), off.shape)
    evidence = Evidence(
        position, leaves, problem.function, problem.pullback, sample.args, problem.differentiated, dy, sample.output, seed
    )
    said = explain(evidence)
    return Finding(
        "value",
        found.path,
        "",
        tuple(int(axis) for axis in worst),
        float(found.analytic[worst]),
        float(found.numeric[worst]),
        float(found.bar[worst]),
        int(found.wrong.sum()),
        found.wrong.size,
        said[0] if said else UNKNOWN,
        said[1:],
    )


def explain(evidence: Evidence) -> tuple[Diagnosis, ...]:
    """Return the explanations of a wrong leaf, best first."""
    from funcnn.check.diagnose import diagnose

    return diagnose(evidence)
