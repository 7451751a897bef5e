"""A gradient that others wrote: a function, its gradient and a point."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.check import Report


@frozen(eq=False)
class Case:
    """A name, a function of a vector, its gradient or Jacobian, and the point."""

    name: str
    function: Callable[..., Any]
    jacobian: Callable[..., Any]
    point: np.ndarray
    checked: Callable[[], Report] | None = None  # another way to check it than as a function and its Jacobian

    def check(self) -> Report:
        """Return the report on the gradient."""
        if self.checked is not None:
            return self.checked()
        return fn.check.check_scipy(self.function, self.jacobian, self.point, explain=False)


def elementwise(name: str, function: Callable[..., Any], derivative: Callable[..., Any], point: np.ndarray) -> Case:
    """Return the case of a function of each entry, with the derivative at each."""
    return Case(name, lambda x: np.asarray(function(x), float), lambda x: np.diag(np.asarray(derivative(x)).ravel()), point)


def by_pulling_back(
    name: str, function: Callable[..., Any], vjp: Callable[[np.ndarray, np.ndarray], np.ndarray], point: np.ndarray
) -> Case:
    """Return the case of a function of an array with its vector-Jacobian product: the rows are those of unit cotangents.

    Both are called with arrays shaped like the point, ``vjp(x, dy)`` with dy shaped like the function's value.
    """

    def value(flat: np.ndarray) -> np.ndarray:
        return np.array(function(flat.reshape(point.shape).copy()), float).ravel()

    def jacobian(flat: np.ndarray) -> np.ndarray:
        x = flat.reshape(point.shape)
        shape = np.shape(function(x.copy()))
        units = np.eye(int(np.prod(shape)))
        return np.stack([np.array(vjp(x.copy(), unit.reshape(shape).copy()), float).ravel() for unit in units])

    def pulled(x: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray]:
        return (np.array(vjp(np.array(x), np.array(dy)), float),)

    checked = partial(
        fn.check.check_foreign, lambda x: np.array(function(np.array(x)), float), pulled, point, contract=False, explain=False
    )
    return Case(name, value, jacobian, point.ravel().copy(), checked)
