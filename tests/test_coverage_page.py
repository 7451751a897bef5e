"""The page of coverage: whatever can be expressed is equal, and the totals are those of the rows."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "coverage.md").read_text()
ROW = re.compile(r"^\| ([^|]+) \| (\d+) \| (\d+) \| (\d+) \| ([^|]*) \|$", re.MULTILINE)
TOTALS = re.compile(r"([\d,]+) samples of (\d+) operators, of which ([\d,]+) can be expressed and ([\d,]+) are equal")


@pytest.mark.parametrize("suite", ["functionals", "modules", "nodes"])
def test_all_that_can_be_expressed_is_equal(suite: str) -> None:
    _, _, rest = PAGE.partition(f"<!-- {suite} -->")
    text, _, _ = rest.partition(f"<!-- /{suite} -->")
    rows = [
        (name, int(samples), int(expressible), int(equal), why) for name, samples, expressible, equal, why in ROW.findall(text)
    ]
    for name, samples, expressible, equal, why in rows:
        reasons = sum(map(int, re.findall(r"\((\d+)\)(?:;|$)", why)))
        assert (equal, samples - expressible) == (expressible, reasons), name
    found = TOTALS.search(" ".join(text.split()))
    assert found is not None
    totals = [int(number.replace(",", "")) for number in found.groups()]
    assert totals == [sum(row[1] for row in rows), len(rows), sum(row[2] for row in rows), sum(row[3] for row in rows)]
