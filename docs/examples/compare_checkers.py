"""The decision rules of other gradient checkers, side by side with fn.check, on the corpus of the tests.

    python docs/examples/compare_checkers.py

Restated are the rules alone: steps, directions, tolerances and norms, as each tool's source has them.  Every rule is given the
same function, gradient and point in the precision of its arguments, on fresh copies; a gradient that raises or has the wrong
structure or shape counts as caught, for a framework's own engine would refuse it.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

import funcnn as fn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.check.corpus.entry import Tricky, Wrong
from tests.check.corpus_held_out import HELD_OUT
from tests.check.corpus_tricky import TRICKY
from tests.check.corpus_wrong import WRONG

Vector = np.ndarray


class RefusedError(Exception):
    """The gradient has another structure or shape than the arguments."""


@attrs.frozen
class Case:
    """A function of one vector, its gradient, and a point."""

    f: Callable[..., object]
    vjp: Callable[..., object]
    args: tuple[object, ...]

    @property
    def floating(self) -> list[Vector]:
        return [leaf for leaf in fn.tree.leaves(self.args) if leaf.dtype.kind == "f"]

    @property
    def x(self) -> Vector:
        return np.concatenate([leaf.ravel().astype(float) for leaf in self.floating])

    def at(self, x: Vector) -> tuple[object, ...]:
        ends = np.cumsum([leaf.size for leaf in self.floating])
        parts = iter(np.split(x, ends[:-1]))

        def take(leaf: Vector) -> Vector:
            return next(parts).reshape(leaf.shape).astype(leaf.dtype) if leaf.dtype.kind == "f" else leaf.copy()

        return fn.tree.map(take, self.args)

    def y(self, x: Vector) -> Vector:
        return flat_output(self.f(*self.at(x)))

    def pull(self, x: Vector, v: Vector) -> Vector:
        """Return the gradient of <v, y> at x."""
        output = self.f(*self.at(x))
        result = self.vjp(*self.at(x), shaped_like(output, v))
        if not isinstance(result, tuple) or len(result) != len(self.args):
            raise RefusedError("not one cotangent for each argument")
        parts = []
        for arg, got in zip(self.args, result, strict=True):
            ours = [leaf for leaf in fn.tree.leaves(arg) if leaf.dtype.kind == "f"]
            theirs = fn.tree.leaves(np.asarray(got) if isinstance(got, np.generic) else got) if ours else ()
            if [leaf.shape for leaf in ours] != [leaf.shape for leaf in theirs]:
                raise RefusedError("another shape")
            parts += [leaf.ravel().astype(float) for leaf in theirs]
        return np.concatenate(parts)

    def jacobian(self, step: float | Vector, order: int = 2) -> Vector:
        """Return the numeric Jacobian (outputs, entries) by differences of order 1 or 2."""
        columns = []
        for index, h in enumerate(np.broadcast_to(step, self.x.shape)):
            unit = np.zeros(self.x.size)
            unit[index] = h
            ahead = self.y(self.x + unit)
            columns.append((ahead - self.y(self.x)) / h if order == 1 else (ahead - self.y(self.x - unit)) / (2 * h))
        return np.stack(columns, axis=1)

    def analytic(self) -> Vector:
        """Return the Jacobian by unit cotangents."""
        return np.stack([self.pull(self.x, unit) for unit in np.eye(self.y(self.x).size)])


def flat_output(output: object) -> Vector:
    leaves = fn.tree.leaves(np.asarray(output) if np.isscalar(output) else output)
    return np.concatenate([leaf.ravel().astype(float) for leaf in leaves if leaf.dtype.kind == "f"])


def shaped_like(output: object, v: Vector) -> object:
    if np.isscalar(output):
        return v.reshape(()).astype(np.asarray(output).dtype)
    start = 0

    def take(leaf: Any) -> Any:  # None where there is no gradient
        nonlocal start
        if leaf.dtype.kind != "f":
            return None
        start += leaf.size
        return v[start - leaf.size : start].reshape(leaf.shape).astype(leaf.dtype)

    return fn.tree.map(take, output)


# The rules: each returns whether the gradient passes.


def torch_slow(case: Case, generator: np.random.Generator) -> bool:
    """torch.autograd.gradcheck: full Jacobian, step 1e-6, |a - n| <= 1e-5 + 1e-3 |n| in each entry, twice the same."""
    first, second = case.analytic(), case.analytic()
    return np.array_equal(first, second) and np.allclose(first, case.jacobian(1e-6), rtol=1e-3, atol=1e-5)


def torch_fast(case: Case, generator: np.random.Generator) -> bool:
    """torch.autograd.gradcheck(fast_mode=True): v'Ju for one positive u and v; the absolute tolerance grows with both."""
    u, v = generator.random(case.x.size), generator.random(case.y(case.x).size)
    u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
    numeric = v @ (case.y(case.x + 1e-6 * u) - case.y(case.x - 1e-6 * u)) / 2e-6
    return bool(np.allclose(case.pull(case.x, v) @ u, numeric, rtol=1e-3, atol=1e-5 * u.sum() * v.sum()))


def jax_rev(case: Case, generator: np.random.Generator) -> bool:
    """jax.test_util.check_grads(modes="rev"): one direction, step 1e-4, tolerance 1e-5 times the number of entries."""
    u, v = generator.standard_normal(case.x.size), generator.standard_normal(case.y(case.x).size)
    numeric = v @ (case.y(case.x + 0.5e-4 * u) - case.y(case.x - 0.5e-4 * u)) / 1e-4
    return bool(np.allclose(case.pull(case.x, v) @ u, numeric, rtol=1e-5, atol=1e-5))


def autograd(case: Case, generator: np.random.Generator) -> bool:
    """HIPS autograd check_grads: one direction, step 1e-6, absolute or relative 1e-6."""
    u, v = generator.standard_normal(case.x.size), generator.standard_normal(case.y(case.x).size)
    numeric = v @ (case.y(case.x + 0.5e-6 * u) - case.y(case.x - 0.5e-6 * u)) / 1e-6
    ours = case.pull(case.x, v) @ u
    return bool(abs(ours - numeric) < 1e-6 or abs(ours - numeric) < 1e-6 * abs(ours + numeric) / 2)


def scipy_check_grad(case: Case, generator: np.random.Generator) -> bool:
    """scipy.optimize.check_grad: forward differences, step 1.49e-8, the 2-norm of the difference; 1e-5 is usual."""
    v = generator.standard_normal(case.y(case.x).size)
    return bool(np.linalg.norm(case.pull(case.x, v) - v @ case.jacobian(1.49e-8, order=1)) <= 1e-5)


def tensorflow(case: Case, generator: np.random.Generator) -> bool:
    """tf.test.compute_gradient: full Jacobian, step 1e-3, largest difference below 1e-3."""
    return bool(np.abs(case.analytic() - case.jacobian(1e-3)).max() < 1e-3)


def chainer(case: Case, generator: np.random.Generator) -> bool:
    """chainer.gradient_check: one unit direction, step 1e-3, |a - n| <= 1e-5 + 1e-4 |n|."""
    u, v = generator.standard_normal(case.x.size), generator.standard_normal(case.y(case.x).size)
    u /= np.linalg.norm(u)
    numeric = v @ (case.y(case.x + 1e-3 * u) - case.y(case.x - 1e-3 * u)) / 2e-3
    return bool(np.allclose(case.pull(case.x, v) @ u, numeric, rtol=1e-4, atol=1e-5))


def chain_rules(case: Case, generator: np.random.Generator) -> bool:
    """ChainRulesTestUtils.test_rrule: five points (here of step 1e-3), norm-wise 1e-9."""
    v, h, columns = generator.integers(-900, 900, case.y(case.x).size) / 100, 1e-3, []
    for unit in np.eye(case.x.size):
        far, near = (case.y(case.x + k * h * unit) - case.y(case.x - k * h * unit) for k in (2, 1))
        columns.append(v @ (8 * near - far) / (12 * h))
    ours, numeric = case.pull(case.x, v), np.array(columns)
    return bool(np.linalg.norm(ours - numeric) <= max(1e-9, 1e-9 * float(max(np.linalg.norm(ours), np.linalg.norm(numeric)))))


def ceres(case: Case, generator: np.random.Generator) -> bool:
    """ceres::GradientChecker: Ridders' method from 1e-2 |x|, relative 1e-8 in each entry (absolute where one is zero)."""
    ours, columns = case.analytic(), []
    for index, unit in enumerate(np.eye(case.x.size)):
        columns.append(ridders(case, unit, max(1e-2 * abs(case.x[index]), 1e-6)))
    numeric = np.stack(columns, axis=1)
    size = np.maximum(np.abs(ours), np.abs(numeric))
    size[(ours == 0) | (numeric == 0)] = 1
    return bool((np.abs(ours - numeric) <= 1e-8 * size).all())


def ridders(case: Case, unit: Vector, h: float) -> Vector:
    best, error = np.zeros(0), np.inf
    row: list[Vector] = []
    for _ in range(10):
        column = [(case.y(case.x + h * unit) - case.y(case.x - h * unit)) / (2 * h)]
        for order, previous in enumerate(row):
            column.append(column[-1] + (column[-1] - previous) / (4.0 ** (order + 1) - 1))
            worst = float(max(np.linalg.norm(column[-1] - column[-2]), np.linalg.norm(column[-1] - previous)))
            if worst <= error:
                best, error = column[-1], worst
        if row and np.linalg.norm(column[-1] - row[-1]) >= 2 * error:
            break
        row, h = column, h / 2
    return best if best.size else row[-1]


def taylor(case: Case, generator: np.random.Generator) -> bool:
    """pyadjoint.taylor_test: the remainder falls with rate 2 (above 1.9) along one direction."""
    u, v = generator.standard_normal(case.x.size), generator.standard_normal(case.y(case.x).size)
    start, slope = v @ case.y(case.x), case.pull(case.x, v) @ u
    rest = [abs(v @ case.y(case.x + h * u) - start - h * slope) for h in 0.01 / 2.0 ** np.arange(4)]
    with np.errstate(all="ignore"):
        rates = np.log2(np.array(rest[:-1]) / np.array(rest[1:]))
    return bool(rates.min() > 1.9)


def funcnn(case: Case, generator: np.random.Generator) -> bool:
    """fn.check.check_vjp: error bars, one-sided derivatives, contract."""
    return fn.check.check_vjp(case.f, case.vjp, *case.args).ok


RULES = {
    "torch slow": torch_slow,
    "torch fast": torch_fast,
    "JAX rev": jax_rev,
    "HIPS autograd": autograd,
    "scipy check_grad": scipy_check_grad,
    "TF compute_gradient": tensorflow,
    "Chainer": chainer,
    "ChainRules": chain_rules,
    "Ceres": ceres,
    "Taylor rate (pyadjoint)": taylor,
    "funcnn": funcnn,
}


def passes(rule: Callable[[Case, np.random.Generator], bool], case: Case) -> bool:
    """Return the verdict of a rule; whatever raises is caught."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return rule(case, np.random.default_rng(0))
    except Exception:
        return False


def count(rule: Callable[[Case, np.random.Generator], bool], cases: Iterable[Case]) -> int:
    return sum(passes(rule, case) for case in cases)


def in_dtype(one: Wrong) -> tuple[object, ...]:
    """Return the arguments in the precision in which the mistake is one."""
    return one.args if "float64" in one.dtypes else fn.tree.astype(one.args, np.float32)


def scoreboard(mistakes: Sequence[Wrong], tricky: Sequence[Tricky]) -> list[tuple[str, int, int, int, float]]:
    """Return, for each rule, the mistakes caught, the false alarms on tricky cases and on right twins, and the seconds."""
    rows = []
    right = twins(mistakes)
    for name, rule in RULES.items():
        started = time.perf_counter()
        caught = len(mistakes) - count(rule, (Case(*one.functions(), in_dtype(one)) for one in mistakes))
        flagged = len(tricky) - count(rule, (Case(one.f, one.vjp, one.args) for one in tricky))
        alarms = len(right) - count(rule, right)
        rows.append((name, caught, flagged, alarms, time.perf_counter() - started))
    return rows


def twins(mistakes: Sequence[Wrong]) -> list[Case]:
    """Return the right gradients of the functions that have wrong ones."""
    found = {(one.f, one.right): one.args for one in mistakes if one.right is not None}
    return [Case(f, right, args) for (f, right), args in found.items()]


def main() -> None:
    """Print the table."""
    mistakes = (*WRONG, *HELD_OUT)
    print(f"{'rule':24} {'caught of':>12} {'false alarms of':>16} {'alarms on':>14} {'seconds':>8}")
    print(f"{'':24} {len(mistakes):>6} wrong {len(TRICKY):>9} tricky {len(twins(mistakes)):>7} twins")
    for name, caught, flagged, alarms, seconds in scoreboard(mistakes, TRICKY):
        print(f"{name:24} {caught:>12} {flagged:>16} {alarms:>14} {seconds:>8.1f}")


if __name__ == "__main__":
    main()
