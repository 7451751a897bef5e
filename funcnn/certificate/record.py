"""What a certificate says: a row for every comparison, a summary for every public name."""

from __future__ import annotations

import math
from collections import Counter

import attrs
from attrs import frozen


@frozen
class Row:
    """The verdict on one leaf of one case in one situation."""

    name: str
    """The public name: ``dense``, ``mean_squared_error``."""
    case: str
    """Which of its settings."""
    leaf: str
    """The leaf of the parameters or of the input: ``params.weight``, ``input``."""
    dtype: str
    shape: tuple[int, ...]
    batch: int
    edge: str
    mode: str
    """``train``, ``eval``, or empty where there is no mode."""
    verdict: str
    """``pass``, ``kink-ok``, ``inconclusive`` or ``fail``; ``empty`` for a leaf without entries, of which only the contract was
    checked; ``refused`` where the input is outside the domain and the library says so; ``overflow`` where the value itself is
    beyond the largest number; ``undecided`` where differences cannot see the gradient, for a reason that ``note`` gives."""
    worst_ratio: float = 0.0
    """The largest |analytic - numeric| over its error bar; up to 10 passes."""
    worst_bar: float = 0.0
    """The largest error bar, relative to the largest entry of the leaf's gradient."""
    power: float = math.inf
    """The smallest error, relative to the largest entry, that would have been seen."""
    kinks: int = 0
    """How many entries stand at a kink."""
    convention: str = ""
    """Where between the one-sided derivatives the gradient lies there."""
    evaluations: int = 0
    """How many evaluations of the function the whole check took."""
    note: str = ""
    """What a refusal says, or a finding."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong or undecided."""
        return self.verdict not in ("fail", "inconclusive")


@frozen
class ProductRow:
    """How far a product of derivatives is off, for one case in one mode."""

    case: str
    mode: str
    """``train``, ``eval``, or empty where there is no mode."""
    product: str
    """What :class:`funcnn.certificate.products.Product` names; with the edge of inputs that stand at kinks."""
    error: float
    """The difference from what it is compared with, relative to the largest number."""
    bar: float
    """How large it may be."""
    note: str = ""
    """Why there is nothing to compare, or what was raised."""
    raised: bool = False

    @property
    def ok(self) -> bool:
        """Whether the product is right, or there is a reason why it is not compared."""
        return not self.raised and (bool(self.note) or self.error <= self.bar)


PRODUCTS = {
    "layer": ("jvp", "dot", "hvp", "symmetry", "ggn", "per example", "norms", "factors"),
    "loss": ("dot", "hvp", "symmetry", "per example", "root"),
    "penalty": (),
}
"""The products that every name of a kind has a row of."""


@frozen
class Entry:
    """All that was done for one public name."""

    name: str
    kind: str
    """``layer``, ``loss`` or ``penalty``."""
    source: str
    """The first 12 digits of the SHA-256 of the file that holds it."""
    rows: tuple[Row, ...]
    controls: int
    """How many leaves were spoiled by one part in a thousand, to see whether the check fails."""
    missed: tuple[str, ...] = ()
    """Spoiled leaves that were passed: there must be none."""
    products: tuple[ProductRow, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every row is, every control was caught, and every product has a row and is right."""
        products = {row.product for row in self.products} >= set(PRODUCTS[self.kind]) and all(row.ok for row in self.products)
        return bool(self.rows) and not self.missed and products and all(row.ok for row in self.rows)

    @property
    def verdicts(self) -> Counter[str]:
        """How many rows have each verdict."""
        return Counter(row.verdict for row in self.rows)

    @property
    def worst_ratio(self) -> float:
        """The largest of the rows'."""
        return max((row.worst_ratio for row in self.rows if row.verdict in ("pass", "kink-ok")), default=0.0)

    @property
    def power(self) -> float:
        """The smallest error that would have been seen in the row where least would have been: finite rows only."""
        return max((row.power for row in self.rows if math.isfinite(row.power)), default=math.inf)

    @property
    def conventions(self) -> tuple[str, ...]:
        """How kinks were taken."""
        return tuple(sorted({row.convention for row in self.rows if row.convention}))


@frozen
class Certificate:
    """The result of :func:`certify`."""

    entries: tuple[Entry, ...]
    missing: tuple[str, ...]
    """Public names without a case."""
    stale: tuple[str, ...]
    """Reasons for undecided rows that no row needs any more."""
    environment: dict[str, str]
    """Versions, platform and the precision of the differences."""
    seconds: float = attrs.field(default=0.0, eq=False)

    @property
    def ok(self) -> bool:
        """Whether every public name is there and everything about it is right."""
        return bool(self.entries) and not self.missing and not self.stale and all(entry.ok for entry in self.entries)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all entries."""
        return tuple(row for entry in self.entries for row in entry.rows)

    def to_dict(self) -> dict[str, object]:
        """Return the certificate as plain dicts, lists, numbers and strings, for JSON.

        Rows are lists in the order of ``columns``.
        """
        columns = [field.name for field in attrs.fields(Row)]
        entries: list[dict[str, object]] = []
        for entry in self.entries:
            made: dict[str, object] = {"name": entry.name, "kind": entry.kind, "source": entry.source, "ok": entry.ok}
            made |= {"controls": entry.controls, "missed": list(entry.missed)}
            made["products"] = [[_plain(one) for one in attrs.astuple(row)] for row in entry.products]
            made["rows"] = [[_plain(getattr(row, column)) for column in columns] for row in entry.rows]
            entries.append(made)
        return {
            "ok": self.ok,
            "environment": self.environment,
            "missing": list(self.missing),
            "stale": list(self.stale),
            "seconds": round(self.seconds, 1),
            "columns": columns,
            "product_columns": [field.name for field in attrs.fields(ProductRow)],
            "entries": entries,
        }


def _plain(value: object) -> object:
    """Return a value that JSON can hold: it has no infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value
