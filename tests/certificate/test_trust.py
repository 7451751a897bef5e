"""The page of trust names every layer, loss and penalty, and says of each what the tables of the checks say."""

from __future__ import annotations

from pathlib import Path

from funcnn.certificate import trust
from funcnn.certificate.cases import LAYERS, LOSSES, PENALTIES
from funcnn.certificate.edges import EDGES
from funcnn.certificate.identities import IDENTITIES
from funcnn.certificate.loss_identities import LOSS_IDENTITIES
from funcnn.check.differences.refine import CONFIDENCE
from funcnn.check.witness.identities import HOLDS

PAGE = (Path(__file__).parents[2] / "docs" / "trust.md").read_text()


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells of a table by the name in the first."""
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()[2:]]
    return {name.strip(" `"): cells for name, *cells in lines}


def test_every_name_has_a_row() -> None:
    layers, others = rows(trust.layers()), rows(trust.losses())
    assert set(layers) == set(LAYERS)
    assert set(others) == {*LOSSES, *PENALTIES} == set(LOSS_IDENTITIES)
    assert all(cells[2].strip(" |") for cells in others.values())
    assert {name for name, cells in layers.items() if cells[2].strip(" |")} == set(IDENTITIES)


def test_rows_say_what_is_known() -> None:
    layers = rows(trust.layers())
    assert layers["laplacian"][1] == "to the digits that points on circles give"
    assert layers["dense"][0].startswith(f"{len(LAYERS['dense'])} cases")
    assert "surrogate" in layers["gradient_reversal"][0]
    assert "directions" in layers["lenet5"][0]
    assert layers["tanh"][2].strip(" |") == "entries have no order, odd but for a constant"
    assert "changes nothing (in train)" in layers["batch_norm"][2]
    assert "(not with axis 1, axis -2)" in layers["softmax"][2]
    losses = rows(trust.losses())
    assert losses["sigmoid_focal"][2].startswith("even about 0, with 1 - t for the target t (not with alpha); examples")
    assert losses["l2_penalty"][2].strip(" |") == "homogeneous of degree 2"


def test_the_page_has_the_markers_and_the_numbers_of_the_checks() -> None:
    assert "<!-- trust: layers -->" in PAGE
    assert "<!-- trust: losses -->" in PAGE
    assert f"{len(EDGES)} situations of its inputs" in PAGE
    assert f"at most {CONFIDENCE:.0f} error bars" in PAGE
    assert HOLDS == 1e-13
    assert "$10^{-13}$" in PAGE
