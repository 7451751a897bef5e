"""Every argument of every factory of layers, times values of another kind: an error at once, in words that name the argument."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from tests.sweeps.factories import CALLS, parameters
from tests.sweeps.wrong import WRONG, fault_of, kind_of

RIGHT: dict[tuple[str, str], list[Any]] = {
    ("hard_tanh", "low"): [float("-inf")],
    ("softplus", "threshold"): [float("inf")],
    ("hard_tanh", "high"): [float("inf")],
    ("pad", "value"): [float("inf"), float("-inf")],  # padding for a maximum
    ("slice_axis", "start"): [-(10**30), 10**400],  # as in Python: from the first
    ("slice_axis", "stop"): [-(10**30), 10**400],
    ("slice_axis", "step"): [-(10**30), 10**400],
    ("resize_by", "factor"): [(2, 1), (1, 1), np.array([1, 2])],
    **{
        one: [(2,) * 7, ((2, 2), 2)]  # for however many axes there are
        for one in (
            ("adaptive_avg_pool", "output_size"),
            ("adaptive_max_pool", "output_size"),
            ("adaptive_max_pool_with_indices", "output_size"),
            *[(f"fractional_max_pool{kind}", one) for kind in ("", "_with_indices") for one in ("kernel", "output_size")],
            ("pad", "padding"),
            ("crop", "cropping"),
            ("upsample", "factor"),
            ("resize", "size"),
            ("affine_grid", "size"),
            ("pixel_shuffle", "factor"),
            ("pixel_unshuffle", "factor"),
        )
    },
}
"""Values of these lists that are right for an argument."""


def arguments() -> list[Any]:
    """Every argument of every factory."""
    return [pytest.param(name, *one, id=f"{name}-{one[0]}") for name in CALLS for one in parameters(name)]


@pytest.mark.parametrize(("name", "parameter", "annotation"), arguments())
def test_values_of_another_kind_are_refused(name: str, parameter: str, annotation: str) -> None:
    kind, optional = kind_of(annotation)
    faults = []
    for value in WRONG[kind]:
        if (optional and value is None) or repr(value) in [repr(one) for one in RIGHT.get((name, parameter), [])]:
            continue
        try:
            CALLS[name].make(getattr(fn, name), **{parameter: value})
        except Exception as error:  # whatever it is, it is looked at
            fault = fault_of(error, parameter)
        else:
            fault = "made without a word"
        if fault:
            faults.append(f"{parameter}={' '.join(repr(value).split())[:60]}: {fault}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", [name for name in CALLS if CALLS[name].positional])
def test_wrong_positional_arguments_are_refused(name: str) -> None:
    factory, call = getattr(fn, name), CALLS[name]
    wrong = WRONG["int" if name in ("mlp", "siamese") else "layer"]
    for place in range(len(call.positional)):
        for value in wrong:
            given = [*call.positional]
            given[place] = value
            with pytest.raises((TypeError, ValueError)) as caught:
                factory(*given)
            assert not fault_of(caught.value, "layer", "widths"), value


@pytest.mark.parametrize("number", [10**400, 10**5000, -(10**5000)], ids=["400", "5000", "minus 5000"])
def test_integers_too_long_to_write_out_are_refused_in_short_words(number: int) -> None:
    for make in (
        lambda: fn.dense(number),
        lambda: fn.dense([number]),  # type: ignore[arg-type]  # what is tried
        lambda: fn.dropout(number),
        lambda: fn.softmax(axis=number),
        lambda: fn.reshape((number, 2)),
        lambda: fn.conv1d(2, 1, groups=number),
        lambda: fn.adaptive_avg_pool(number),
        lambda: fn.sgd(number),
        lambda: fn.polyak(fn.sgd(0.1), start=number),
        lambda: fn.schedules.one_cycle(0.1, number),
        lambda: fn.data.one_hot(np.array([0, 1]), number),
        lambda: fn.dense(3).init(fn.Key(0), (number,)),
    ):
        with pytest.raises((TypeError, ValueError)) as caught:
            make()
        assert "expected" in str(caught.value)
        assert len(str(caught.value)) < 200
