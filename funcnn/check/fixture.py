"""What the fixture ``gradcheck`` of the pytest plugin gives."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from attrs import field, frozen

from funcnn.check.adapters.foreign import check_foreign
from funcnn.check.adapters.jax import check_jax
from funcnn.check.adapters.objects import check_backward, check_object
from funcnn.check.adapters.pytorch import check_torch
from funcnn.check.adapters.scipy import check_scipy
from funcnn.check.functions import check_grad, check_vjp
from funcnn.check.networks import check_layer, check_loss, check_model
from funcnn.check.products import check_hvp, check_jvp
from funcnn.check.report import Report


@frozen
class GradCheck:
    """What the fixture gives: each check of :mod:`funcnn.check`, failing the test with the report unless it passes.

    A check's own ``seed`` and ``method``, where given, take precedence over the options.
    """

    options: dict[str, object] = field(factory=dict)

    def __call__(self, f: Callable[..., object], vjp: Callable[..., object], *args: object, **given: object) -> Report:
        """Check a vector-Jacobian product: :func:`funcnn.check.check_vjp`."""
        return self._passed(check_vjp, f, vjp, *args, **given)

    def grad(self, loss: Callable[..., object], grad: Callable[..., object], *args: object, **given: object) -> Report:
        """Check the gradient of a scalar function: :func:`funcnn.check.check_grad`."""
        return self._passed(check_grad, loss, grad, *args, **given)

    def jvp(self, f: Callable[..., object], jvp: Callable[..., object], *args: object, **given: object) -> Report:
        """Check a Jacobian-vector product: :func:`funcnn.check.check_jvp`."""
        return self._passed(check_jvp, f, jvp, *args, **given)

    def hvp(self, grad: Callable[..., object], hvp: Callable[..., object], *args: object, **given: object) -> Report:
        """Check a Hessian-vector product: :func:`funcnn.check.check_hvp`."""
        return self._passed(check_hvp, grad, hvp, *args, **given)

    def layer(self, *args: object, **given: object) -> Report:
        """Check a layer: :func:`funcnn.check.check_layer`."""
        return self._passed(check_layer, *args, **given)

    def loss(self, *args: object, **given: object) -> Report:
        """Check a loss: :func:`funcnn.check.check_loss`."""
        return self._passed(check_loss, *args, **given)

    def model(self, *args: object, **given: object) -> Report:
        """Check a network with its loss: :func:`funcnn.check.check_model`."""
        return self._passed(check_model, *args, **given)

    def foreign(self, f: Callable[..., object], vjp: Callable[..., object], *args: object, **given: object) -> Report:
        """Check a function on terms of its own: :func:`funcnn.check.check_foreign`."""
        return self._passed(check_foreign, f, vjp, *args, **given)

    def torch(self, function: Callable[..., object], *args: object, **given: object) -> Report:
        """Check a function of PyTorch: :func:`funcnn.check.check_torch`."""
        return self._passed(check_torch, function, *args, **given)

    def jax(self, function: Callable[..., object], *args: object, **given: object) -> Report:
        """Check a function of JAX: :func:`funcnn.check.check_jax`."""
        return self._passed(check_jax, function, *args, **given)

    def scipy(self, *args: object, **given: object) -> Report:
        """Check a gradient or Jacobian for SciPy: :func:`funcnn.check.check_scipy`."""
        return self._passed(check_scipy, *args, **given)

    def instance(self, *args: object, **given: object) -> Report:
        """Check an object's loss and gradient: :func:`funcnn.check.check_object`."""
        return self._passed(check_object, *args, **given)

    def backward(self, *args: object, **given: object) -> Report:
        """Check an object's forward and backward: :func:`funcnn.check.check_backward`."""
        return self._passed(check_backward, *args, **given)

    def _passed(self, check: Callable[..., Report], *args: object, **given: object) -> Report:
        report = partial(check, *args)(**{**self.options, **given})
        if not report.ok:
            pytest.fail(str(report), pytrace=False)
        return report
