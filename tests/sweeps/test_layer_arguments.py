"""Every argument of every factory of layers, times values of another kind: an error at once, in words that name the argument."""

from typing import Any

import pytest

import funcnn as fn
from tests.sweeps.factories import CALLS, parameters
from tests.sweeps.wrong import WRONG, fault_of, kind_of

RIGHT: dict[tuple[str, str], list[Any]] = {
    ("pad", "value"): [float("inf"), float("-inf")],  # padding for a maximum
    ("slice_axis", "start"): [-(10**30)],  # as in Python: from the first
    ("slice_axis", "stop"): [-(10**30)],
    ("slice_axis", "step"): [-(10**30)],
    **{
        one: [(2,) * 7, ((2, 2), 2)]  # for however many axes there are
        for one in (
            ("adaptive_avg_pool", "size"),
            ("adaptive_max_pool", "size"),
            ("pad", "widths"),
            ("crop", "widths"),
            ("upsample", "factor"),
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
