"""The documentation is whole: every public name is in the reference, what the README shows runs."""

import importlib
import itertools
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import funcnn as fn

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
BUILD = DOCS / "build"


def tool(name: str) -> Any:
    """Return a module of the documentation's own tools."""
    sys.path.insert(0, str(BUILD))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BUILD))


surface, reference, verify = tool("surface"), tool("reference"), tool("verify")
PAGES = {page.name: re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE) for page in (DOCS / "reference").glob("*.md")}


def test_the_surface_is_what_the_package_offers() -> None:
    found = {name.written.removeprefix("fn.").split(".")[0] for name in surface.public_names() if name.written.startswith("fn.")}
    assert found == {name for name in fn.__all__ if not name.startswith("__")}
    for name in surface.public_names():
        value = importlib.import_module(name.module)
        assert hasattr(value, name.own), f"{name.written} is not defined in {name.module}"
        where = name.written.rsplit(".", 1)[0]
        assert getattr(eval(where, {"fn": fn, "funcnn": fn}), name.own) is getattr(value, name.own)


def test_every_public_name_is_on_one_page_of_the_reference() -> None:
    """A new name needs a line ``::: fn.name`` in the page of its kind, beside the names of the same file."""
    shown = Counter(name for names in PAGES.values() for name in names)
    public = {name.written for name in surface.public_names()}
    assert {"missing": public - set(shown), "unknown": set(shown) - public} == {"missing": set(), "unknown": set()}
    assert [name for name, count in shown.items() if count > 1] == []


def test_names_of_one_file_stand_together() -> None:
    files = {name.written: name.module for name in surface.public_names()}
    for page, names in PAGES.items():
        runs = [module for module, _ in itertools.groupby(files[name] for name in names)]
        assert len(runs) == len(set(runs)), f"{page}: a file's names are apart: {runs}"


def test_the_index_leads_from_each_name_to_its_page_and_its_source() -> None:
    where = {name: page for page, names in PAGES.items() for name in names}
    rows = reference.index(where).splitlines()
    sources = {reference.source_page(module) for module in surface.modules()}
    for name in surface.public_names():
        (row,) = [row for row in rows if f"[`{name.written}`](" in row]
        page, source = re.findall(r"\]\(([^)]*)\)", row)[0], re.findall(r"\]\(([^)]*)\)", row)[-1]
        assert page == f"{where[name.written]}#{name.path}"
        assert source.removeprefix("../") in sources
        shown = reference.on_page_markdown(f"::: {name.written}\n", page=Page("reference/x.md"))
        assert f"::: {name.path}\n" in shown  # the anchor that the index names is made there


class Page:
    """What the tools need to know of a page."""

    def __init__(self, address: str) -> None:
        self.file = self
        self.src_uri = address


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("<p>as $q$ says</p>", "raw TeX"),
        ("<p>the \\arg of it</p>", "raw TeX"),
        ("<math><mi>\\arg</mi></math>", "raw TeX"),
        ("<math><mi>&amp;</mi></math>", "alignment mark"),
        ('<math display="block"><mi>x</mi></math>', "outside of a box"),
        ('<script src="https://host/x.js"></script>', "network"),
        ('<img src="a.svg">', "no description"),
    ],
)
def test_a_built_page_that_shows_what_it_should_not_is_found(page: str, fault: str) -> None:
    (found,) = verify.faults(page)
    assert fault in found


def test_a_built_page_may_show_code_and_formulas() -> None:
    page = (
        '<pre><code>"$x" \\n</code></pre><div class="formula"><math display="block"><mi>x</mi></math></div><br><p>&amp; so on</p>'
    )
    assert verify.faults(page) == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text().split("nav:")[1]
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} | {"reference/index.md"}
    assert {page for page in pages if page not in navigation} == set()


def test_every_public_function_and_class_has_a_docstring() -> None:
    assert [name for name in fn.__all__ if not (getattr(fn, name).__doc__ or "").strip()] == []


def scripts(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def test_the_script_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (script,) = scripts(ROOT / "README.md")
    assert len(script.splitlines()) <= 25
    exec(compile(script, "README.md", "exec"), {"__name__": "__main__"})
    accuracy = float(capsys.readouterr().out.split()[-1])
    assert accuracy >= 0.97


def test_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(scripts(DOCS / "tour.md")), "tour.md", "exec"), {})
    assert (tmp_path / "digits.npz").exists()
