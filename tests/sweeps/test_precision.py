"""The precision of parameters decides: a float32 loop stays in float32 whatever state it was given, half precision is refused."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS, LayerCase

EVERY = [pytest.param(case, id=f"{name} {case.label}".strip()) for name, cases in LAYERS.items() for case in cases]
FLOATS = "fc"


def dtypes(*values: Any) -> set[str]:
    """Return the precisions of all floating leaves; cotangents of integers are None and have none."""
    found: set[str] = set()

    def note(leaf: Any) -> Any:
        found.update({leaf.dtype.name} if leaf.dtype.kind in FLOATS else ())
        return leaf

    for value in values:
        tree.map_cotangents(note, value)
    return found


def cotangent(output: Any) -> Any:
    """Return ones for the floating leaves of an output, and None for the others."""
    if isinstance(output, fn.Masked):
        return fn.Masked(np.ones_like(output.values), None)  # type: ignore[arg-type]  # truth has no cotangent
    if isinstance(output, fn.Pooled):
        return fn.Pooled(np.ones_like(output.values), None)  # type: ignore[arg-type]  # nor have indices
    if isinstance(output, tuple):
        return tuple(cotangent(one) for one in output)
    return np.ones_like(output)


@pytest.mark.parametrize("case", EVERY)
def test_a_loop_that_converts_the_parameters_alone_stays_in_float32(case: LayerCase) -> None:
    layer = case.make()
    start = layer.init(fn.Key(0), case.shape)
    params, x = tree.astype(start.params, np.float32), tree.astype(case.x(), np.float32)
    trained = layer.forward(params, start.state, x, fn.Train(fn.Key(1)))
    back = layer.backward(params, trained.residuals, cotangent(trained.output))
    again = layer.forward(params, trained.state, x, fn.Train(fn.Key(2)))
    fixed = layer.forward(params, again.state, x, fn.Eval())
    untrained = layer.forward(params, start.state, x, fn.Eval())
    found = dtypes(back.params, *[(one.output, one.state) for one in (trained, again, fixed, untrained)])
    if back.input is not None:
        found |= dtypes(back.input)
    assert found == {"float32"}


@pytest.mark.parametrize("case", EVERY)
def test_half_precision_is_refused_by_name(case: LayerCase) -> None:
    layer = case.make()
    start = layer.init(fn.Key(0), case.shape)
    half: Any = [tree.astype(value, np.float16) for value in (start.params, start.state, case.x())]
    for mode in (fn.Train(fn.Key(1)), fn.Eval()):
        with pytest.raises(TypeError, match="float16"):
            layer.forward(half[0], half[1], half[2], mode)


def test_a_precision_of_another_package_is_refused_by_name() -> None:
    kind: Any = np.dtype([("bfloat16", np.uint16)])  # of kind V, as bfloat16 of ml_dtypes is
    with pytest.raises(TypeError, match="bfloat16"):
        fn.apply(fn.relu(), (), (), np.zeros((2, 3), kind))


def test_advice_for_half_precision_parameters_is_to_convert_them() -> None:
    layer = fn.conv2d(2, 3)
    params = tree.astype(layer.init(fn.Key(0), (4, 4, 1)).params, np.float16)
    with pytest.raises(TypeError, match=r"the parameters have dtype float16.*astype\(params"):
        fn.apply(layer, params, (), np.zeros((1, 4, 4, 1), np.float32))
