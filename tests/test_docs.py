"""The documentation is whole: every public name is in the reference, what the README shows runs."""

import importlib
import itertools
import re
import sys
import tomllib
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
        if name.written.startswith("funcnn.estimators."):  # they need scikit-learn: tests/ecosystem looks at them
            assert name.own in surface.defined(surface.parsed(name.module))
            continue
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


BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
WITH_OTHER_LIBRARIES = {DOCS / "deploy.md", DOCS / "estimators.md"}
"""Pages whose scripts run where other libraries are installed: tests/ecosystem runs them."""

WITH_SCRIPTS = [
    page
    for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
    if "```python\n" in page.read_text() and page not in WITH_OTHER_LIBRARIES
]

SHOW_MORE = (ROOT / "README.md", DOCS / "examples.md", DOCS / "beyond" / "index.md")
"""Pages that show what commands and whole files print as well, or benchmarks."""


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a page in a language, without those that are a file of their own."""
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language and not text.startswith("--8<--")]


def test_every_block_names_its_language() -> None:
    """A block in another language than these would not be run by the tests below."""
    pages = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md"))
    assert {kind for page in pages for kind, _ in BLOCK.findall(page.read_text())} == {"", "python", "sh", "text"}


@pytest.mark.parametrize("page", WITH_SCRIPTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_scripts_of_a_page_run_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks(page, "python")), page.name, "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    shown = blocks(page, "text") if page not in SHOW_MORE else []
    assert not shown or without_figures("\n".join(shown)) == without_figures(printed)
    if page.name == "README.md":
        assert float(printed.split()[-1]) >= 0.95  # some digits depend on the machine


def without_figures(text: str) -> str:
    """Return a text in which every number is a 0: digits that depend on the machine are not compared."""
    return re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "0", text)).strip()


def test_the_description_of_the_package_has_no_link_that_is_dead_elsewhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert [link for link in links if not (ROOT / link.split("#")[0]).exists()] == []
    for one in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(one["pattern"], one["replacement"], text)
    assert [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https://")] == []
    assert "the one idea" in text


def test_the_script_of_the_readme_is_short() -> None:
    (script,) = blocks(ROOT / "README.md", "python")
    assert len(script.splitlines()) <= 25


def test_no_line_of_a_script_or_command_is_wider_than_a_page() -> None:
    """So many characters fit beside the navigation at 1280 pixels."""
    pages = [page for page in DOCS.rglob("*.md") if page.parent.name != "examples"]
    lines = [line for page in pages for kind in ("python", "sh") for text in blocks(page, kind) for line in text.splitlines()]
    assert [line for line in lines if len(line) > 86] == []
