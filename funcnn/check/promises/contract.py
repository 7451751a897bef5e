"""The contract of a pure gradient, in the precision that was given: what it does to its arguments, what it shares and remembers.

The order of the calls matters: the first of all is at another point, so that whatever is remembered from a first call is wrong at
the point that is checked.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.check.case.calls import Calls, other_point, roughly_equal, tagged, worst_index
from funcnn.check.case.cotangents import Cotangents
from funcnn.check.case.problem import Problem, as_tree, output_leaves
from funcnn.check.case.sharing import overwritten, shared, shared_at_one
from funcnn.check.promises.layout import layouts
from funcnn.check.promises.mutation import changed_leaves, written
from funcnn.check.records import Diagnosis, Finding
from funcnn.typing import Array


@frozen(eq=False)
class Contract:
    """What the calls in working precision gave."""

    findings: tuple[Finding, ...]
    gradient: Cotangents
    writes: bool  # whether something writes into the arguments
    random: bool  # whether the function does not give the same twice
    elsewhere: tuple[object, ...]  # the arguments at which everything was called first
    pullbacks: int
    evaluations: int


def check_contract(problem: Problem, calls: Calls, seed: int) -> Contract:
    """Check the contract."""
    elsewhere = other_point(problem, np.random.default_rng([seed, 7]))
    _quietly(lambda: calls.at(elsewhere))
    findings: list[Finding] = []
    random = _function_varies(calls, findings)
    if any(one.kind in ("shape", "structure") for one in findings):
        nothing = Cotangents((None,) * len(problem.active()), ())
        return Contract(tuple(findings), nothing, False, True, elsewhere, calls.pullbacks, calls.evaluations)
    given, dy = calls.copies(), calls.cotangent()
    first = calls.pull(given, dy)
    kept = tuple(None if leaf is None else leaf.copy() for leaf in first.leaves)
    findings += first.findings
    findings += _not_finite(problem, first)
    findings += written(calls, given, dy)
    findings += shared(problem, first, given, dy)
    second = calls.here()
    if problem.noisy:
        writes = any(one.diagnosis.tag == "mutates_input" for one in findings)
        gradient = Cotangents(kept, first.findings)
        return Contract(tuple(findings), gradient, writes, False, elsewhere, calls.pullbacks, calls.evaluations)
    noisy = calls.differing(kept, second, "determinism", "nondeterministic", "differs from one call to the next")
    if noisy and _adds_up(calls, kept, second):
        text = "changes from call to call, always in the same way: something is added up, and never set back"
        noisy = calls.differing(kept, second, "state", "stale_state", text)
    findings += noisy
    _quietly(lambda: calls.at(elsewhere))
    findings += overwritten(problem, first, kept)
    if not noisy:
        text = "changes when the function was called at another point in between: something is remembered"
        findings += calls.differing(kept, calls.here(), "state", "stale_state", text)
    if problem.again is not None:
        later = calls.pull_again(problem.again)
        text = "changes when it is asked for twice: it writes into the residuals"
        findings += calls.differing(kept, later, "mutation", "mutates_input", text)
    findings += shared_at_one(calls, {one.path for one in findings if one.kind == "aliasing"})
    if not noisy and not random:
        findings += layouts(calls, kept)
    writes = any(one.diagnosis.tag == "mutates_input" for one in findings)
    gradient = Cotangents(kept, first.findings)
    return Contract(tuple(findings), gradient, writes, random, elsewhere, calls.pullbacks, calls.evaluations)


def _quietly(call: Callable[[], object]) -> None:
    """Call at another point, where the function may not be defined."""
    try:
        call()
    except Exception:
        return


def _function_varies(calls: Calls, findings: list[Finding]) -> bool:
    """Check that the function leaves its arguments alone and gives the same result again; return whether it does not."""
    given = calls.copies()
    before = output_leaves(calls.output)
    output = calls.function(given)
    again = output_leaves(output)
    findings += changed_leaves(calls.problem, given, "the function")
    form, forms = _form(calls.output), [_form(output)]
    if form != [""]:  # a tree: what alternates with two forms shows one of them in every other call only
        forms.append(_form(calls.function(calls.copies())))
    changed = next((one for one in forms if one != form), None)
    if changed is not None:
        text = f"the function gives an output with the leaves {_listed(form)}, then one with {_listed(changed)}"
        findings.append(tagged("structure", "", text, "structure"))
        return True
    if [leaf.shape for leaf in before] != [leaf.shape for leaf in again]:
        shapes = [" and ".join(str(leaf.shape) for leaf in some) for some in (before, again)]
        text = f"the function gives an output of shape {shapes[0]}, then of shape {shapes[1]}"
        findings.append(tagged("shape", "", text, "shape"))
        return True
    for one, other in zip(before, again, strict=True):
        if not calls.problem.noisy and not roughly_equal(one, other):
            index = worst_index(one, other)
            text = f"the function's output differs from one call to the next: {one[index]:.6g}, then {other[index]:.6g}"
            findings.append(tagged("determinism", "", text, "nondeterministic"))
            return True
    return False


def _form(output: object) -> list[str]:
    """Return the paths of the leaves of an output: [""] for an array or a number."""
    return [path for path, _ in tree.walk(as_tree(output), "")]


def _listed(form: list[str]) -> str:
    return ", ".join(path or "of one array" for path in form) or "of an empty tree"


def _adds_up(calls: Calls, first: tuple[Array | None, ...], second: Cotangents) -> bool:
    """Tell whether each call adds the same to what is left of calls elsewhere.

    Then the gradient is accumulated or averaged, not random.
    """
    rows = [_raveled(leaves) for leaves in (first, second.leaves, calls.here().leaves, calls.here().leaves)]
    if rows[0].size < 2 or any(row.shape != rows[0].shape or not np.isfinite(row).all() for row in rows):
        return False
    steps = np.diff(np.stack(rows), axis=0)
    return _parallel(steps) and not _parallel(np.stack([steps[0], rows[0]]))


def _raveled(leaves: tuple[Array | None, ...]) -> Array:
    return np.concatenate([np.zeros(0), *(leaf.reshape(-1) for leaf in leaves if leaf is not None)])


def _parallel(rows: Array) -> bool:
    """Tell whether vectors are multiples of the first."""
    norm = np.sqrt((rows[0] * rows[0]).sum())
    way = rows[0] / norm if norm > 0 else rows[0]
    rest = rows - np.outer(rows @ way, way)
    return bool(norm > 0 and np.abs(rest).max() <= 1e-5 * np.abs(rows).max())


def _not_finite(problem: Problem, gradient: Cotangents) -> list[Finding]:
    found = []
    for leaf, got in zip(problem.active(), gradient.leaves, strict=True):
        if got is None or np.isfinite(got).all():
            continue
        bad = ~np.isfinite(got)
        index = tuple(int(axis) for axis in np.argwhere(bad)[0])
        count = int(bad.sum())
        text = f"the gradient is {got[index]} at {count} of {got.size} entries"
        why = Diagnosis("nonfinite", text, 1.0)
        found.append(Finding("nonfinite", leaf.path, text, index, float(got[index]), n_bad=count, n=got.size, diagnosis=why))
    return found
