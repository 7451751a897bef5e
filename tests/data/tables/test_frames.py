"""Columns from Python's and NumPy's own values: each value as it is, or an error that names it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from funcnn.data import as_table


def column(values: Any) -> Any:
    return as_table({"a": values})["a"].values


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms"])
def test_dates_beyond_microseconds_are_refused_and_the_others_kept(unit: str) -> None:
    far = np.array([0, 2**62], "int64").astype(f"datetime64[{unit}]")
    for values in (far, list(far), far[::-1]):
        with pytest.raises(ValueError, match=r"column 'a' has .* \(1 such rows\), expected dates within 290,000 years"):
            column(values)
    near = np.array(["1969-12-31", "NaT", "2024-02-29"], "datetime64[D]").astype(f"datetime64[{unit}]")
    for values in (near, list(near)):
        np.testing.assert_array_equal(column(values), near.astype("datetime64[us]"))


@pytest.mark.parametrize("unit", ["us", "ns", "ps", "fs", "as"])
def test_fine_dates_are_cut_to_microseconds_downwards(unit: str) -> None:
    micro = np.array([-2, -1, 0, 1], "datetime64[us]")
    np.testing.assert_array_equal(column(micro.astype(f"datetime64[{unit}]")), micro)
    if unit != "us":
        np.testing.assert_array_equal(column(np.array([-1, 1]).astype(f"datetime64[{unit}]")), micro[1:3])


def test_dates_of_several_kinds_in_one_list() -> None:
    given = [date(2020, 1, 2), datetime(2020, 1, 2, 3, tzinfo=UTC), np.datetime64("2020-01-02T04", "h"), None]
    expected = np.array(["2020-01-02", "2020-01-02T03", "2020-01-02T04", "NaT"], "datetime64[us]")
    np.testing.assert_array_equal(column(given), expected)


def test_whole_numbers_keep_their_digits() -> None:
    large = [2**53 + 1, -(2**63) + 1, 2**62 + 1]
    assert column(large).tolist() == large
    assert column([2**53, 1]).dtype == np.float64
    assert column([Fraction(1, 2), Decimal("0.25"), np.float32(3), 4]).tolist() == [0.5, 0.25, 3.0, 4.0]


@pytest.mark.parametrize("odd", [1 + 2j, np.complex128(1 + 2j), np.array([1.0]), np.timedelta64(1, "D"), (1.0,)])
def test_what_is_no_real_number_is_refused_by_row(odd: Any) -> None:
    with pytest.raises(TypeError, match=r"column 'a', row 1 is .* expected numbers, booleans, dates or texts alone"):
        column([0.5, odd])


def test_a_number_beyond_the_range_is_named() -> None:
    with pytest.raises(ValueError, match="column 'a', row 1 is an integer of 1329 bits, expected a number below"):
        column([1, 10**400])
