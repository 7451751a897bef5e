"""Every layer's own backward, times cotangents that are not like its output: refused, in words that name the cotangent.

A cotangent that only broadcasts to the output, or is flat where the output is not, gives a gradient that is wrong without a word.
"""

from typing import Any, NamedTuple

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS, LayerCase

CASES = [
    pytest.param(case, id=f"{name}-{case.label or index}") for name, cases in LAYERS.items() for index, case in enumerate(cases)
]
MODES: tuple[fn.Mode, ...] = (fn.Train(fn.Key(3)), fn.Eval())


class Passed(NamedTuple):
    """What a forward gave, and a cotangent that backward takes."""

    layer: Any
    params: Any
    residuals: Any
    cotangent: Any


def passed(case: LayerCase, mode: fn.Mode, kind: type[np.floating[Any]] = np.float64) -> Passed:
    layer = case.make()
    start = layer.init(fn.Key(0), case.shape)
    x, params, state = [tree.astype(one, kind) for one in (case.x(), start.params, start.state)]
    made = layer.forward(params, state, x, mode)
    return Passed(layer, params, made.residuals, cotangent_of(made.output))


def cotangent_of(output: Any) -> Any:
    """Return a cotangent like the output: None in the place of integers and booleans."""
    if isinstance(output, np.ndarray):
        return np.ones_like(output) if output.dtype.kind == "f" else None
    if isinstance(output, tuple):
        return tuple([cotangent_of(one) for one in output])
    return attrs.evolve(output, **{field.name: cotangent_of(getattr(output, field.name)) for field in attrs.fields(type(output))})


def wrong_arrays(dy: np.ndarray) -> dict[str, Any]:
    """Return what stands in the place of an array and is not like it."""
    made = {
        "column": dy[..., :1],
        "row": dy[:1],
        "transposed": dy.T,
        "axis more": dy[..., None],
        "axis before": dy[None],
        "axis less": dy[0],
        "flat": dy.reshape(-1),
        "other batch": np.concatenate((dy, dy[:1])),
        "fewer": dy[:-1],
        "empty": dy[:0],
        "0-d": dy.reshape(-1)[0].reshape(()) if dy.size else np.ones(()),
        "double": np.concatenate((dy, dy), axis=-1),
    }
    made = {what: one for what, one in made.items() if one.shape != dy.shape}
    return made | {
        "integers": dy.astype(int),
        "booleans": dy.astype(bool),
        "half": dy.astype(np.float16),
        "objects": dy.astype(object),
        "masked array": np.ma.masked_array(dy),
        "None": None,
        "list": dy.tolist(),
        "number": 1.0,
        "text": "dy",
    }


def wrong_trees(dy: Any) -> dict[str, Any]:
    """Return cotangents with one array that is not as it should be; and trees of another structure."""
    if isinstance(dy, np.ndarray):
        return wrong_arrays(dy) | {"tuple": (dy,)}
    made: dict[str, Any] = {"None": None, "list": [1.0], "number": 1.0}
    if isinstance(dy, tuple):
        for index, one in enumerate(dy):
            for what, wrong in wrong_trees(one).items():
                made[f"[{index}] {what}"] = (*dy[:index], wrong, *dy[index + 1 :])
        return made | {"one more": (*dy, dy[0]), "one less": dy[:-1]}
    for what, wrong in wrong_arrays(dy.values).items():
        made[f".values {what}"] = attrs.evolve(dy, values=wrong)
    return made | {"values alone": dy.values}


def answer(given: Passed, dy: Any) -> str:
    """Return what is wrong with the answer to a wrong cotangent, or nothing."""
    try:
        made = given.layer.backward(given.params, given.residuals, dy)
    except (TypeError, ValueError) as error:
        return "" if "cotangent" in str(error) else f"{type(error).__name__}: {error}"
    except Exception as error:  # any other kind is itself the fault
        return f"{type(error).__name__}: {error}"
    zeros = filled(dy, given.cotangent)
    if zeros is None:
        return "taken"
    same = given.layer.backward(given.params, given.residuals, zeros)  # None for a final state that no loss reads means zeros
    return "" if leaves((made.params, made.input)) == leaves((same.params, same.input)) else "taken"


def filled(dy: Any, like: Any) -> Any:
    """Return a tuple with zeros in the place of None within, or None where none is."""
    if isinstance(like, tuple) and isinstance(dy, tuple) and len(dy) == len(like):
        for index, (one, wanted) in enumerate(zip(dy, like, strict=True)):
            put = np.zeros_like(wanted) if one is None and isinstance(wanted, np.ndarray) else filled(one, wanted)
            if put is not None:
                return (*dy[:index], put, *dy[index + 1 :])
    return None


def leaves(cotangent: Any) -> list[bytes]:
    """Return the bits of a cotangent, which may have None in it."""
    found: list[bytes] = []

    def keep(leaf: np.ndarray) -> np.ndarray:
        found.append(leaf.tobytes())
        return leaf

    tree.map_cotangents(keep, cotangent)
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_cotangent_that_is_not_like_the_output_is_refused_by_name(case: LayerCase) -> None:
    faults = {}
    for mode in MODES:
        given = passed(case, mode)
        given.layer.backward(given.params, given.residuals, given.cotangent)
        for what, dy in wrong_trees(given.cotangent).items():
            fault = answer(given, dy)
            if fault:
                faults[f"{type(mode).__name__} {what}"] = fault
    assert not faults


@pytest.mark.parametrize("case", CASES)
def test_a_more_precise_cotangent_raises_the_precision_of_no_parameters_gradient(case: LayerCase) -> None:
    for mode in MODES:
        given = passed(case, mode, np.float32)
        wide = tree.map_cotangents(lambda leaf: leaf.astype(float), given.cotangent)
        assert grads_or_refusal(given, wide) in ("refused", "narrow")


def grads_or_refusal(given: Passed, dy: Any) -> str:
    """Return whether a cotangent is refused by name, or else in which precision the parameters' gradients are."""
    try:
        made = given.layer.backward(given.params, given.residuals, dy)
    except TypeError as error:
        return "refused" if "cotangent" in str(error) and "astype" in str(error) else str(error)
    wide = [leaf for leaf in tree.leaves(made.params) if leaf.dtype.kind == "f" and leaf.dtype != np.float32]
    return "wide" if wide else "narrow"
