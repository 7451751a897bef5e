"""What stands behind the gradient of each layer: tables for the page of trust, which are made while the pages are built."""

from __future__ import annotations

from funcnn.certificate.cases import LAYERS, LOSSES, PENALTIES, LayerCase
from funcnn.certificate.identities import IDENTITIES, Stated
from funcnn.certificate.loss_identities import LOSS_IDENTITIES
from funcnn.certificate.page import table
from funcnn.certificate.products import computes_at_complex_points


def layers() -> str:
    """Return the table of the layers, in Markdown: what is certified at points, and what is known exactly."""
    rows = [(f"`{name}`", _points(cases), _closure(cases), _exactly(name)) for name, cases in LAYERS.items()]
    return table(("name", "certified at points", "adjoint closure", "identities"), rows)


def losses() -> str:
    """Return the table of the losses and penalties."""
    kinds = (("loss", LOSSES), ("penalty", PENALTIES))
    rows = [
        (f"`{name}`", kind, _count(len(cases)), _exactly_of_loss(name)) for kind, names in kinds for name, cases in names.items()
    ]
    return table(("name", "what it is", "certified at points", "identities"), rows)


def _points(cases: tuple[LayerCase, ...]) -> str:
    large, surrogates = sum(case.method == "screen" for case in cases), sum(case.surrogate is not None for case in cases)
    said = [_count(len(cases))]
    said += [f"{large} of them along random directions"] if large else []
    said += [f"{surrogates} as the gradient of a surrogate, on purpose"] if surrogates else []
    return ", ".join(said)


def _count(cases: int) -> str:
    return f"{cases} case{'s' * (cases > 1)}"


def _closure(cases: tuple[LayerCase, ...]) -> str:
    if any(computes_at_complex_points(case.make()) for case in cases):
        return "to the digits that points on circles give"
    return "of its surrogate" if all(case.surrogate is not None for case in cases) else "yes"


def _exactly(name: str) -> str:
    return "; ".join(_stated(one) for one in IDENTITIES.get(name, ()))


def _exactly_of_loss(name: str) -> str:
    said = [
        ", ".join(map(str, one.identities)) + (f" (not with {', '.join(one.but)})" if one.but else "")
        for one in LOSS_IDENTITIES[name]
    ]
    return "; ".join(said)


def _stated(one: Stated) -> str:
    said = ", ".join(map(str, one.identities))
    where = [f"in {mode}" for mode in one.modes if len(one.modes) == 1]
    where += [f"not with {', '.join(one.but)}"] if one.but else []
    where += [f"with {', '.join(one.only)}"] if one.only else []
    return f"{said} ({', '.join(where)})" if where else said
