"""The checker let loose on gradients that others wrote: ``python -m tests.benchmarks.public_gradients``.

It needs the packages, in environments of its own: ``pip install scipy scikit-learn statsmodels autograd thinc GPy numpy-ml``, and
``torch``, which may stand in another one.  What is not installed is said, and not counted.  A gradient that fails is confirmed by
other means before it is called a bug: it is off plain central differences, taken without anything of the checker, by more than
1e-4 at each of five steps, or is NaN where they are numbers.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import time
import warnings
from collections import Counter

import numpy as np

from tests.benchmarks.public_gradients.autograd_functions import autograd_cases
from tests.benchmarks.public_gradients.case import Case
from tests.benchmarks.public_gradients.gpy_kernels import gpy_cases
from tests.benchmarks.public_gradients.numpy_ml_layers import numpy_ml_cases
from tests.benchmarks.public_gradients.scipy_functions import scipy_cases
from tests.benchmarks.public_gradients.sklearn_models import sklearn_cases
from tests.benchmarks.public_gradients.statsmodels_models import statsmodels_cases
from tests.benchmarks.public_gradients.thinc_ops import thinc_cases
from tests.benchmarks.public_gradients.torch_formulas import torch_cases

PACKAGES = {
    "scipy": scipy_cases,
    "scikit-learn": sklearn_cases,
    "statsmodels": statsmodels_cases,
    "autograd": autograd_cases,
    "thinc": thinc_cases,
    "GPy": gpy_cases,
    "numpy-ml": numpy_ml_cases,
    "torch": torch_cases,
}
STEPS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
OFF = 1e-4
"""By how much of its largest entry a Jacobian is off plain differences where it is called a bug."""


def off_plain_differences(case: Case) -> float:
    """Return by how much a Jacobian is off plain central differences, relative to its largest entry: the least of five steps."""
    f, x = case.function, case.point
    claimed = np.atleast_1d(np.asarray(case.jacobian(x.copy()), float)).reshape(-1, x.size)
    off = []
    for step in STEPS:
        columns = [
            (np.asarray(f(x + step * e), float).ravel() - np.asarray(f(x - step * e), float).ravel()) / (2 * step)
            for e in np.eye(x.size)
        ]
        slopes = np.stack(columns, axis=-1)
        size = max(np.max(np.abs(slopes)), np.max(np.abs(claimed)), 1e-300)
        off.append(float(np.max(np.abs(slopes - claimed)) / size))
    return float("inf") if np.isnan(off).all() else float(np.nanmin(off))


def run(package: str) -> str:
    """Check one package and return its row of the table."""
    verdicts: Counter[str] = Counter()
    bugs, times = 0, []
    for case in PACKAGES[package](np.random.default_rng(0)):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            started = time.perf_counter()
            try:
                report = case.check()
            except Exception as error:
                if isinstance(error, NotImplementedError) or "is not implemented" in str(error):
                    continue  # the package says that it has no gradient here
                verdicts["raised"] += 1
                print(f"  {package} {case.name}: {type(error).__name__}: {str(error)[:100]}")
                continue
            times.append(time.perf_counter() - started)
            verdicts["pass" if report.ok else report.verdict] += 1
            if not report.ok:
                off = off_plain_differences(case)
                bad = report.verdict == "fail" and not off < OFF
                bugs += bad
                said = "; ".join(one.text for one in report.findings)[:120]
                mark = " (confirmed)" if bad else ""
                print(f"  {package} {case.name}: {report.verdict}, off plain differences by {off:.2g}{mark}: {said}")
    version = importlib.metadata.version(package).partition("+")[0]
    counts = [verdicts.total(), *(verdicts[one] for one in ("pass", "fail", "inconclusive", "raised")), bugs]
    return f"| {package} {version} | {' | '.join(map(str, counts))} | {np.median(times):.2f} s |"


def main() -> None:
    """Check the packages that are installed, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.public_gradients")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=f"of {', '.join(PACKAGES)} (default: all)")
    chosen = parser.parse_args().packages or list(PACKAGES)
    if unknown := [one for one in chosen if one not in PACKAGES]:
        parser.error(f"there are no gradients of {', '.join(unknown)}, only of {', '.join(PACKAGES)}")
    rows = []
    for package in chosen:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            print(f"  {package}: not installed")
            continue
        rows.append(run(package))
    print("| package | gradients | pass | fail | inconclusive | raised | confirmed | median time |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
