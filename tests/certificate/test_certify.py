"""The certificate covers everything, and can fail."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.certificate import Entry, cases, certify
from funcnn.certificate.certifying import public, stale
from funcnn.certificate.edges import EDGES
from funcnn.certificate.page import page
from funcnn.certificate.spoil import spoiled_layer
from funcnn.certificate.subjects import names
from funcnn.certificate.undecided import Reason
from funcnn.cli.certify import main as command
from funcnn.cli.failure import RequestError
from funcnn.cli.main import main


def wrong_dense(path: str) -> cases.LayerCase:
    def make() -> Any:
        return spoiled_layer(fn.dense(3), path, np.ones((3, 4)))

    return cases.LayerCase(make, (4,))


def test_everything_public_has_rows() -> None:
    assert sorted(names()) == sorted(public()), "add the missing names to funcnn/certificate/cases"
    assert all(getattr(fn, name) is not None for name in names())


def test_every_leaf_is_checked_in_every_situation() -> None:
    (entry,) = certify(["dense"]).entries
    rows = [row for row in entry.rows if row.case == "plain"]
    leaves = {row.leaf for row in rows}
    assert leaves == {"params.weight", "params.bias", "input"}
    situations = [(dtype, edge.name, mode) for dtype in ("float32", "float64") for edge in EDGES for mode in ("train", "eval")]
    for leaf in leaves:
        found = [(row.dtype, row.edge, row.mode) for row in rows if row.leaf == leaf and row.batch == 3]
        assert sorted(found) == sorted(situations)
        assert {row.batch for row in rows if row.leaf == leaf} == {0, 1, 3}
    assert entry.ok
    assert entry.controls == 12
    assert all(row.power < 1e-2 for row in rows if row.edge == "drawn" and row.batch)


def test_quick_certificate_is_part_of_the_whole() -> None:
    whole, quick = (certify(["relu"], quick=quick).entries[0] for quick in (False, True))
    assert set(quick.rows) < set(whole.rows)
    assert {row.edge for row in quick.rows} == {"drawn", "zeros"}


@pytest.mark.parametrize("path", ["params.weight", "params.bias", "input"])
def test_wrong_gradient_is_not_certified(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cases.LAYERS, "dense", (wrong_dense(path),))
    made = certify(["dense"], quick=True)
    assert not made.ok
    assert {row.leaf for row in made.rows if not row.ok} == {path}
    assert {row.verdict for row in made.rows if row.leaf == path} >= {"fail"}
    assert "**Not certified**" in page(made)
    assert "## What is wrong" in page(made)


def test_control_that_passes_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("funcnn.certificate.subjects.spoiled_layer", lambda layer, path, x: layer)
    made = certify(["dense"])
    assert not made.ok
    assert made.entries[0].missed == tuple(
        f"{case}: {leaf}"
        for case in ("plain", "sequence", "one feature", "few rows")
        for leaf in ("params.weight", "params.bias", "input")
    )


def test_inputs_that_a_case_draws_are_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise ValueError("no such shape")

    monkeypatch.setattr("funcnn.certificate.subjects.check_layer", refuse)
    made = certify(["dense"], quick=True)
    assert not made.ok
    assert ("fail", "no such shape") in {(row.verdict, row.note) for row in made.rows if row.edge == "drawn"}


def test_name_without_a_case_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("funcnn.certificate.certifying.names", lambda: ("relu",))
    made = certify(quick=True)
    assert not made.ok
    assert "dense" in made.missing
    assert "dense" in page(made)


def test_reason_that_no_row_needs_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("funcnn.certificate.certifying.REASONS", (Reason("relu", "input", "zeros", "no reason"),))
    made = certify(["relu"])
    assert made.stale == ("relu input zeros",)
    assert not made.ok
    others = [attrs.evolve(entry, rows=tuple(attrs.evolve(row, name="other") for row in entry.rows)) for entry in made.entries]
    assert stale(others) == ()


def test_a_value_that_is_not_finite_is_looked_at_and_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_zeros() -> list[tuple[str, str]]:
        rows = certify(["binary_cross_entropy"], quick=True).rows
        return [(row.verdict, row.note) for row in rows if row.edge == "zeros"]

    ((verdict, note),) = at_zeros()
    assert verdict == "undecided"
    assert "the loss is infinite" in note
    monkeypatch.setattr("funcnn.certificate.undecided.REASONS", ())
    assert "fail" in {verdict for verdict, _ in at_zeros()}


def test_workers_give_the_same_certificate() -> None:
    chosen = ["relu", "huber", "l1_penalty"]
    assert certify(chosen, quick=True).entries == certify(chosen, quick=True, workers=2).entries


def test_kinks_refusals_and_empty_leaves_have_rows_of_their_own() -> None:
    made = certify(["relu", "dice", "cosine_embedding", "poisson_nll"])
    found = {name: {row.verdict for row in made.rows if row.name == name} for name in ("relu", "dice", "poisson_nll")}
    assert found["relu"] == {"pass", "kink-ok", "empty"}
    assert found["dice"] == {"pass", "refused"}
    assert "overflow" in found["poisson_nll"]
    assert made.ok
    assert made.entries[0].conventions == ("left derivative",)
    undecided = [row for row in made.rows if row.verdict == "undecided"]
    assert {(row.leaf, row.edge) for row in undecided} == {("prediction[1]", "ties")}
    assert all("zeros" in row.note for row in undecided)


def test_certificate_becomes_json_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written, shown = tmp_path / "made.json", tmp_path / "made.md"
    assert main(["certify", "relu", "l2_penalty", "--quick", "--workers", "1", "--json", str(written), "--page", str(shown)]) == 0
    assert "certified: 2 names" in capsys.readouterr().out
    read = json.loads(written.read_text())
    assert read["ok"] is True
    assert [entry["name"] for entry in read["entries"]] == ["relu", "l2_penalty"]
    assert all(len(row) == len(read["columns"]) for entry in read["entries"] for row in entry["rows"])
    assert "| `relu` |" in shown.read_text()


def test_command_fails_when_something_is_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(cases.LAYERS, "dense", (wrong_dense("input"),))
    assert command(["dense", "--quick", "--workers", "1"]) == 1
    printed = capsys.readouterr().out
    assert "WRONG dense" in printed
    assert "NOT CERTIFIED" in printed


@pytest.mark.parametrize("given", [["nothing"], ["relu", "--workers", "0"]])
def test_wrong_requests_are_refused(given: list[str]) -> None:
    with pytest.raises(RequestError, match=r"no cases of 'nothing'|workers must be at least 1"):
        command(given)


def test_committed_page_names_everything() -> None:
    text = (Path(__file__).parents[2] / "docs" / "certificate.md").read_text()
    assert [name for name in names() if f"| `{name}` |" not in text] == []
    assert text.index("**Certified**") < text.index("| [Layers](#layers) |") < text.index("<details")  # in short first
    assert [line for line in text.splitlines() if "`` |" in line] == []


def test_progress_is_reported_in_order() -> None:
    seen: list[str] = []
    report: Callable[[Entry], None] = lambda entry: seen.append(entry.name)  # noqa: E731
    certify(["tanh", "relu"], quick=True, report=report)
    assert seen == ["tanh", "relu"]
    assert partial(certify, quick=True)([]).ok is False


def test_the_quick_form_leaves_names_out_that_have_large_cases_only() -> None:
    made = certify(["lenet5", "tanh"], quick=True)
    assert [entry.name for entry in made.entries] == ["tanh"]
    assert made.ok
    assert not certify(["lenet5"], quick=True).ok
