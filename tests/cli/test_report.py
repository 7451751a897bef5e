"""``report.html``: one page without other files, whose figures are those of the run."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import funcnn as fn
from funcnn.cli.main import main
from funcnn.cli.report.page import Section, page, table, text

pytestmark = pytest.mark.usefixtures("drawn")
VOID = {"meta", "link", "img", "br", "rect", "path"}


class Page(HTMLParser):
    """What a page is made of; it raises where an element is not closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.titles: list[str] = []
        self.words: list[str] = []
        self.alternatives: list[str] = []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "action", "data")]
        if tag == "img":
            self.alternatives.append(str(dict(attrs)["alt"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element that is closed at once."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open and self.open[-1] == "h2":
            self.titles.append(data)


def made(tmp_path: Path, *arguments: str) -> tuple[Page, str, dict[str, object]]:
    out = tmp_path / "run"
    assert main([*arguments, "--output", str(out)]) == 0
    source = (out / "report.html").read_text()
    return Page(source), source, json.loads((out / "results.json").read_text())


def test_the_report_of_digits_tells_what_was_measured(tmp_path: Path) -> None:
    seen, source, results = made(tmp_path, "--epochs", "2", "--hidden", "16")
    assert seen.titles == [
        "Results", "Training", "Classes", "Worst examples", "Calibration", "Thresholds", "Confusion", "Network", "Gradient",
        "Settings",
    ]  # fmt: skip
    assert all(link.startswith(("data:", "#")) for link in seen.links)
    assert not re.search(r"https?://(?!www\.w3\.org)", re.sub(r"data:[^\"]*", "", source))
    assert f"{results['test_accuracy']:.4f}" in seen.words
    assert "certified" in " ".join(seen.words)
    assert len(seen.alternatives) == 5
    assert {link[1:] for link in seen.links if link.startswith("#")} <= set(re.findall(r'id="([^"]+)"', source))


def test_the_report_of_points_tells_which_features_matter(tmp_path: Path) -> None:
    seen, _, _ = made(tmp_path, "--data", "spirals", "--epochs", "2", "--hidden", "8")
    assert "Importance of features" in seen.titles
    assert "Plane" in seen.titles


def test_the_report_of_a_text_shows_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("<b>to be & not to be</b>\n" * 60)
    options = ["--steps", "3", "--layers", "1", "--heads", "1", "--features", "8", "--context-length", "8", "--sample", "20"]
    seen, _, _ = made(tmp_path, "--model", "gpt", "--text", str(tmp_path / "text.txt"), *options)
    assert "Sample" in seen.titles
    assert (tmp_path / "run" / "sample.txt").read_text() in seen.words


def test_what_stands_in_data_is_no_part_of_the_page() -> None:
    source = page("<script>", [text("<b>&")], [Section("A <i>", (table([("<u>", 1), ("x&y", 2)], (1,)),))])
    assert "<script>" not in source
    assert "<i>" not in source
    assert "<u>" not in source
    seen = Page(source)
    assert {"<script>", "<b>&", "A <i>", "<u>", "x&y"} <= set(seen.words)


def test_importance_is_what_the_score_loses_by_shuffling() -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((400, 3))
    weight = np.array([[2.0], [0.0], [-1.0]])
    model = fn.linear(1)
    params = fn.tree.replace(model.init(fn.Key(0), (3,)).params, ".weight", weight)
    y = x @ weight + 0.1 * random.standard_normal((400, 1))
    found = fn.permutation_importance(model, params, (), x, y, fn.metrics.r2, key=fn.Key(1), repeats=20)
    expected = 2 * np.square(weight[:, 0]) * x.var(0) / y.var()  # shuffling doubles the variance of what a column explains
    np.testing.assert_allclose(found.mean, expected, rtol=0.1, atol=1e-12)  # of a mean over 20 shuffles
    assert found.mean[1] == 0
    assert found.std[1] == 0
    together = fn.permutation_importance(model, params, (), x, y, fn.metrics.r2, key=fn.Key(1), groups=[[0, 2], [1]])
    assert together.mean[0] == pytest.approx(expected.sum(), rel=0.15, abs=0)  # of a mean over 5 shuffles
    with pytest.raises(ValueError, match=r"a column of groups\[1\] is 3, expected at least 0 and at most 2"):
        fn.permutation_importance(model, params, (), x, y, fn.metrics.r2, key=fn.Key(1), groups=[[0], [3]])
    with pytest.raises(TypeError, match=r"x is float64\[3\], expected floating rows"):
        fn.permutation_importance(model, params, (), x[0], y, fn.metrics.r2, key=fn.Key(1))
