r"""The derivative of a function along a direction by a complex step, where the function is analytic.

For an analytic f, a real direction v and a tiny h
$$ f'(x) v = \frac{1}{h} \operatorname{Im} f(x + i h v) + O(h^2) $$
(Squire & Trapp 1998, doi:10.1137/S003614459631241X).  Nothing is subtracted, so no digit is lost: the function's own rounding is
all that is left, in float64 as in any precision.  Whether a function is analytic is not assumed: one that refuses complex
numbers, warns that it drops imaginary parts or goes another way at the complex point says so by itself; one that loses or turns
the imaginary part in silence (abs, conj, real, a write into a real array) is found out by differences
(:mod:`funcnn.check.witness.dot`).
"""

from __future__ import annotations

import warnings

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.check.case.calls import with_note
from funcnn.check.case.problem import Leaf, Problem, as_tree, cast_args, output_leaves
from funcnn.derivatives.complex_step import COMPLEX, step_size
from funcnn.typing import Array

_DOUBLE = np.dtype(np.float64)
_ANOTHER = 1e-6  # relative to the outputs and slopes: where real parts differ by more, it is another function


class NotAnalyticError(Exception):
    """Raised where a complex step says nothing about a function, with the reason."""


@frozen(eq=False)
class Stepped:
    """The function at real and at complex points, in float64."""

    problem: Problem
    y: Array  # its real outputs at the point, as a vector

    @classmethod
    def at(cls, problem: Problem) -> Stepped:
        """Return the function at its point; whatever it raises in float64 is raised."""
        with with_note("raised by the function in float64"):
            return cls(problem, _ravel(problem.function(*cast_args(problem, _double))))

    def along(self, directions: list[Array | None], perturb: np.random.Generator | None = None) -> Array:
        """Return the derivative of the outputs along a direction of each active leaf (None: it does not move).

        With a generator, the point is another by last digits.

        Raises
        ------
        NotAnalyticError
            When the function says that it is not analytic, with the reason.
        """
        h = step_size(self.problem.args, directions)
        steps = iter(directions)

        def move(leaf: Leaf) -> Array:
            if not leaf.active:
                return _double(leaf)
            moved = np.empty(leaf.array.shape, COMPLEX["d"])
            moved.real = _double(leaf) if perturb is None else _perturbed(leaf, perturb)
            step = next(steps)
            moved.imag = 0 if step is None else h * step.reshape(leaf.array.shape)
            return moved

        args = cast_args(self.problem, move)
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            try:
                found = _ravel(self.problem.function(*args))
            except np.exceptions.ComplexWarning as error:
                raise NotAnalyticError("it casts complex numbers to real ones, which drops the imaginary part") from error
            except Exception as error:
                raise NotAnalyticError(f"it does not take complex numbers ({type(error).__name__}: {_short(error)})") from error
        if found.shape != self.y.shape:
            raise NotAnalyticError("it gives outputs of another shape at a complex point")
        if found.dtype.kind != "c":
            raise NotAnalyticError(
                "it gives real outputs at a complex point: the imaginary part is lost (abs, real, a real array)"
            )
        tangent: Array = found.imag / h
        if not np.isfinite(tangent).all():
            raise NotAnalyticError("its complex step is not finite")
        size = np.max(np.abs(self.y), initial=0) + np.max(np.abs(tangent), initial=0)
        if not np.max(np.abs(found.real - self.y), initial=0) <= _ANOTHER * size:
            raise NotAnalyticError(
                "it is another function at a complex point: it gives other real parts (an order, a comparison)"
            )
        return tangent


def _double(leaf: Leaf) -> Array:
    return leaf.array.astype(_DOUBLE) if leaf.array.dtype.kind == "f" else np.array(leaf.array)


def _perturbed(leaf: Leaf, generator: np.random.Generator) -> Array:
    """Return a leaf with other last digits."""
    values = _double(leaf)
    return np.asarray(values * (1 + 2.0**-52 * generator.choice((-1, 1), values.shape)))


def _ravel(output: object) -> Array:
    """Return the real and complex outputs as one vector, as the floating ones of a real call are."""
    leaves = output_leaves(complex_numbers(output))
    parts = [leaf.reshape(-1) for leaf in leaves if leaf.dtype.kind in "fc"]
    return np.concatenate(parts) if parts else np.zeros(0)


def complex_numbers(output: object) -> object:
    """Return an output with a bare complex number as an array."""
    return np.asarray(output) if isinstance(output, complex) else as_tree(output)


def _short(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else ""
    return text if len(text) <= 100 else text[:97] + "..."


def gradient_in_double(problem: Problem) -> bool:
    """Tell whether the arguments are in float64 already, so that the gradient at hand is the one to hold the step against."""
    return all(leaf.array.dtype == _DOUBLE for leaf in problem.active()) and bool(tree.leaves(problem.args))
