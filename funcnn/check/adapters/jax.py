"""Functions of JAX: ``jax.custom_vjp``, and whatever else takes and gives its arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Unpack, cast

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.check import requests
from funcnn.check.adapters.forms import to_tree
from funcnn.check.adapters.frameworks import Handed, load, paired
from funcnn.check.adapters.pose import judge, spelled_options
from funcnn.check.adapters.terms import Options
from funcnn.check.case.cotangents import arrays
from funcnn.check.case.problem import Question
from funcnn.check.functions import argument_names, called, name_of
from funcnn.check.report import Report
from funcnn.typing import Array


@frozen(eq=False)
class JaxArrays:
    """JAX's arrays, and NumPy's, which JAX takes as well."""

    jax: ModuleType

    def array(self, node: object, path: str) -> Array | None:
        """Return an array of JAX as one of NumPy, or None for what is none; keys of random numbers are settings."""
        if isinstance(node, self.jax.core.Tracer):
            raise TypeError(
                f"{path} is traced: a check calls the function with numbers, so it runs outside of jit, grad and vmap"
            )
        if isinstance(node, self.jax.Array):
            given: Any = node
            if self.jax.dtypes.issubdtype(given.dtype, self.jax.dtypes.prng_key):
                return None
            places = {device.platform for device in given.devices()}
            if places != {"cpu"}:
                raise ValueError(f"{path} is on {', '.join(sorted(places))}, expected the CPU: jax.device_put({path}, cpu)")
            array: Array = np.asarray(given)
        elif isinstance(node, np.ndarray):
            array = node
        else:
            alone: Any = node  # one of NumPy's numbers
            return np.asarray(alone) if isinstance(node, np.generic) else None
        if array.dtype.kind == "V" or array.dtype == np.float16:
            raise TypeError(f"{path} is {array.dtype}, expected float64, or float32")
        return array

    def foreign(self, array: Array, like: object) -> object:
        """Return an array of JAX with the array's numbers and precision."""
        if array.dtype == np.longdouble and array.dtype != np.float64:
            raise TypeError("JAX has no long double")
        return self.jax.numpy.array(array)


@frozen(eq=False)
class JaxFunction:
    """A function of JAX's arrays as one of trees of NumPy's, with its gradient by ``jax.vjp``."""

    jax: ModuleType
    f: Callable[..., object]
    like: tuple[object, ...]
    kind: JaxArrays

    def __call__(self, *args: object) -> object:
        """Return the output."""
        with precision_of(self.jax, args):
            output = to_tree(self.f(*Handed(self.like, args, self.kind).args), self.kind, "the output")
        return tree.map(np.array, output)

    def pullback(self, *args_and_dy: object) -> object:
        """Return what ``jax.vjp`` gives."""
        *args, dy = args_and_dy
        with precision_of(self.jax, (*args, *arrays(dy))):
            handed = Handed(self.like, tuple(args), self.kind)
            changing = [array for array, _ in handed.pairs if array.dtype.kind == "f"]

            def of_leaves(*leaves: object) -> list[object]:
                given = {id(array): leaf for array, leaf in zip(changing, leaves, strict=True)}
                again = Handed(self.like, tuple(args), _Given(self.kind, given))
                return [leaf for _, leaf in paired(self.f(*again.args), dy)]

            _, pull = self.jax.vjp(of_leaves, *handed.floating())
            grads = pull([self.kind.foreign(array, None) for array in arrays(dy)])
            # A custom gradient may come in another precision, which JAX lets pass.
            return handed.gradient(tuple(args), [np.array(grad, one.dtype) for grad, one in zip(grads, changing, strict=True)])


@frozen(eq=False)
class _Given:
    """Arrays of JAX, of which some are given: those that are traced."""

    kind: JaxArrays
    given: dict[int, object]

    def array(self, node: object, path: str) -> Array | None:
        return self.kind.array(node, path)

    def foreign(self, array: Array, like: object) -> object:
        return self.given[id(array)] if id(array) in self.given else self.kind.foreign(array, like)


@contextmanager
def precision_of(jax: ModuleType, args: tuple[object, ...]) -> Iterator[None]:
    """Let JAX compute in double precision where an argument has it: else it would round to single precision in silence."""
    double = any(leaf.dtype.itemsize >= 8 and leaf.dtype.kind == "f" for arg in args for leaf in tree.leaves(arg))
    enable = jax.enable_x64 if hasattr(jax, "enable_x64") else _older_x64()
    with enable(True) if double else enable(bool(jax.config.jax_enable_x64)):
        yield


def _older_x64() -> Callable[[bool], Any]:
    """Return the context manager of older versions of JAX."""
    return cast("Callable[[bool], Any]", load("jax.experimental", "JAX", "check_jax").enable_x64)


def check_jax(function: Callable[..., object], *args: object, **options: Unpack[Options]) -> Report:
    """Check the gradient of a function of JAX, written by hand (``jax.custom_vjp``) or not.

    Parameters
    ----------
    function : callable
        Any function that ``jax.vjp`` takes.
    *args
        Arrays of JAX or NumPy, in lists, tuples, dicts or dataclasses.  What is no array (a Python number, a string, a key of
        random numbers) stays as it is.
    **options
        As in :func:`check_foreign`.

    Returns
    -------
    Report

    Raises
    ------
    ImportError
        When JAX is not installed.
    TypeError
        When an array is complex, traced or of half precision, with its path.
    ValueError
        When an array is not on the CPU, or nothing is floating.

    Notes
    -----
    Differences are taken in float64, whatever ``jax_enable_x64`` says: a float32 array is checked in both precisions.

    Examples
    --------
    ::

        @jax.custom_vjp
        def square(x):
            return x * x

        square.defvjp(lambda x: (x * x, x), lambda x, dy: (dy * x,))
        print(fn.check.check_jax(square, jax.numpy.arange(3.0)))  # constant_factor: 0.5
    """
    requests.functions(function=function)
    jax = load("jax", "JAX", "check_jax")
    kind = JaxArrays(jax)
    names = argument_names(function, len(args))
    trees = tuple(to_tree(arg, kind, name) for arg, name in zip(args, names, strict=True))
    call = ", ".join([called(function, "function"), *names, *spelled_options(options)])
    made = JaxFunction(jax, function, args, kind)
    question = Question(name_of(function), made, made.pullback, reproduce=f"fn.check.check_jax({call})")
    given = options.get("cotangent")
    cotangent = None if given is None else to_tree(given, kind, "cotangent")
    return judge(question, trees, names, options, cotangent=cotangent)
