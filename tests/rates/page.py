"""The error rates as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from funcnn.certificate.page import folded, table
from tests.rates.families.choice import FAMILIES
from tests.rates.score import ALARMS, UNDECIDED, Rate, Score
from tests.rates.second.measure import Result, rates

_HEAD = """\
# Error rates

A [checker](gradients.md) that judges must not err. How often it does is measured, on random functions of which the gradient is
known exactly: each is put together from rules whose reverse is written by hand beside its formula, and the tests hold a sample
of them against differences in a hundred and twenty digits. Each function is checked twice.

- With its **right** gradient. A verdict of *fail* is a false alarm; one of *inconclusive* says nothing.
- With a **spoiled** one, in one argument: scaled, off in one entry, smoothly everywhere, by fixed noise, by noise that changes
  with the last digits of the arguments; with another sign, or in one entry, zero, transposed, without one of its terms, or made
  of forward differences. Three in four of the mistakes that come in any size are 1.2, 2, 5, 30, a thousand or a million times
  what the report on the right gradient says that it *would see*. A spoiled gradient that passes although its error, relative to
  the largest entry, is above what the report on it says that it would see, and let pass as rounding besides, was **missed**.

Verdicts are counted on the whole report: a finding of any kind makes a *fail*. Intervals are those of Clopper and Pearson, at
95 %. Everything follows from the seed and the number of a function; verdicts do not hang on how fast the machine is. The page is
written by

```
python -m tests.rates --functions {functions} --textbook {textbook} --seed {seed} --workers 2 --page docs/error-rates.md
```

and `python -m tests.rates --seed {seed} --only 17` shows one function, its arguments and its report.

What a seed has shown is mended, and it is no sample any more that the checker has not seen. Seed 23, below, is one: nothing
of it was looked at before it was scored, by a checker that seeds 0, 7, 11 and 17 had taught. It was scored once, and the
figures are those of that run, without the spoiled gradient of function 2666, forward differences of 9,701 entries, which
take many minutes. The false alarm that it shows, a sum that is zero by cancellation and was said to hang on the order in
memory, has been mended since, by a rule for all such sums; that changes no figure here. Two samples that had not been seen
either, of the checker as it was before:

| seed | right gradients called wrong | without a verdict | spoiled gradients missed |
|---|---|---|---|
| 11 | 2 of 1,000 (0.024 % to 0.72 %) | 4 | 2 |
| 17 | 0 of 1,996 (0 % to 0.18 %) | 9 | 0 of 1,700 (0 % to 0.22 %) |

A rate of at most 0.1 % is what the counts below say; where the upper end of an interval is above that, so may the true rate be.
And the functions are those of two generators: of code in the wild the [benchmark on public packages](beyond/foreign-gradients.md)
says more.
"""
_MEANING = {
    "smooth": "smooth functions of entries, matrices between them",
    "kinked": "relu, abs, clip, maxima, sorts, pooling, also within 1e-9 of a kink",
    "periodic": "sines and cosines of up to 20 octaves, alone, behind a matrix, in a relu",
    "losses": "robust losses, plain and stable forms, residuals of 1e-12 to 1e6",
    "norms": "layer, batch, RMS and unit norms, large offsets, tiny variances",
    "rows": "softmax, log-sum-exp, cross-entropy, attention, small and large logits",
    "products": "products, quotients, matrix products, distances, convolutions, sums",
    "composed": "all of them, three to six deep, with branches that meet again",
    "single": "single precision inside, or arguments in it",
    "ties": "points exactly at kinks, each convention for them",
    "dead": "dead and saturated units, some or all",
    "scales": "arguments, entries and outputs of sizes from 1e-10 to 1e10",
    "leaves": "many arguments: tables, gates, residual branches, biases",
    "large": "an argument of thousands of entries, seen along random directions",
}


def page(made: Score, textbook: Sequence[Result]) -> str:
    """Return the error rates as Markdown."""
    parts = [_HEAD.format(functions=len(made.trials), textbook=len(textbook), seed=made.seed), _whole(made)]
    parts += ["## Functions of textbooks\n", _textbook(textbook)]
    parts += ["## By family\n", _families(made), "## By kind of mistake\n", _kinds(made)]
    if any(trial.false_alarm or trial.missed or trial.accused for trial in made.trials):
        parts += ["## The errors\n", _errors(made)]
    undecided = [trial for trial in made.trials if trial.right.verdict == "inconclusive"]
    if undecided:
        rows = ((trial.number, trial.family, " ".join(trial.tags)) for trial in undecided)
        shown = table(("function", "family", "what it is"), rows)
        parts += ["## Without a verdict\n", folded(f"{len(undecided)} right gradients", shown)]
    return "\n".join(parts)


def _textbook(results: Sequence[Result]) -> str:
    """Return the rates on the second generator's functions."""
    names = ("right gradients called wrong", "right gradients without a verdict", "spoiled gradients missed")
    counted = zip(names, rates(results), strict=True)
    rows = [(name, f"{one.count} of {one.total:,}", percent(one.share), _interval(one)) for name, one in counted]
    found = [
        (one.number, one.name, one.tag, "false alarm" if one.false_alarm else "missed" if one.missed else "no verdict")
        for one in results
        if one.false_alarm or one.missed or one.right == "inconclusive"
    ]
    lossy = sum(one.right == "fail" and one.lossy for one in results)
    text = f"{lossy} more were flagged for digits that they do lose.\n" if lossy else ""
    shown = [folded(f"{len(found)} of them", table(("function", "name", "units", "what became of it"), found))] if found else []
    return "\n".join([_TEXTBOOK, table(("", "count", "rate", "95 %"), rows), text, *shown])


_TEXTBOOK = """\
A second generator shares nothing with the first: mixtures of normal distributions, Gaussian kernels, polynomials, tables that are
interpolated, an oscillator through its steps, robust regressions, power spectra, likelihoods by elimination, distances on a
sphere, projections, drawdowns, Rosenbrock's valley and soft alignments, each with the gradient that one derives with pencil and
paper; at points near and far, in single precision, and in units from $10^{-7}$ to $10^7$. It was written after the checker had
been mended by the errors of the first. Its first run, 390 functions, found the tip of a cone taken for stairs, where a wrong
sign passed; that is mended, and these figures are of after. Three of its mistakes in four are 1.5 to a hundred thousand times
what would be seen, one is a sign.
"""


def percent(share: float) -> str:
    """Return a share in per cent, with two digits where it is small."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _interval(rate: Rate) -> str:
    return f"{percent(rate.low)} to {percent(rate.high)}"


def _whole(made: Score) -> str:
    alarms, undecided, missed = made.rates()
    bounds = (f"at most {percent(ALARMS)}", f"at most {percent(UNDECIDED)}", "none")
    rows = (
        (name, f"{rate.count} of {rate.total:,}", percent(rate.share), _interval(rate), bound)
        for name, rate, bound in zip(
            ("right gradients called wrong", "right gradients without a verdict", "spoiled gradients missed"),
            (alarms, undecided, missed),
            bounds,
            strict=True,
        )
    )
    lines = [table(("", "count", "rate", "95 %", "bound"), rows)]
    below = sum(trial.fate == "below" for trial in made.trials)
    if below:
        lines.append(f"{below:,} more spoiled gradients passed with an error that the report does not claim to see.\n")
    rounds = sum(trial.rounds for trial in made.trials)
    if rounds:
        text = "gradients with a right formula were flagged for digits that they do lose in floating point, as exact arithmetic"
        lines.append(f"{rounds:,} {text} confirms; they count neither as right nor as wrong.\n")
    accused = sum(trial.accused for trial in made.trials)
    lines.append(f"Where one argument was spoiled, another, right one was called wrong in {accused:,} reports.\n")
    return "\n".join(lines)


def _cell(rate: Rate) -> str:
    return f"{rate.count} ({percent(rate.high)})"


def _families(made: Score) -> str:
    rows = []
    for family in FAMILIES:
        alarms, undecided, missed = made.rates(family)
        if alarms.total:
            row = (family, _MEANING[family], alarms.total, _cell(alarms), _cell(undecided), missed.total, _cell(missed))
            rows.append(row)
    head = ("family", "what it is", "right", "false alarms", "inconclusive", "spoiled", "missed")
    return "In parentheses the upper ends of the intervals.\n\n" + table(head, rows)


def _kinds(made: Score) -> str:
    rows = ((kind, *row.values()) for kind, row in made.of_kinds().items())
    return table(("mistake", "caught", "inconclusive", "missed", "passed, below what is claimed"), rows)


def _errors(made: Score) -> str:
    def rows() -> Iterable[tuple[object, ...]]:
        for trial in made.trials:
            said = (trial.number, trial.family, " ".join(trial.tags))
            if trial.false_alarm:
                yield *said, f"false alarm: {', '.join(sorted(set(trial.right.kinds)))}"
            if trial.missed:
                yield *said, f"missed: {trial.kind}, error {trial.error:.1e} above {trial.claim:.1e}"
            if trial.accused:
                yield *said, f"{trial.kind}: another argument was called wrong"

    return table(("function", "family", "what it is", "error"), rows())
