"""The report of a run in a real browser: nothing is asked of the network, and it fits a wide screen and a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from funcnn.cli.main import main

WIDTHS = {"wide": 1280, "phone": 390}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "digits"
    assert main(["--epochs", "2", "--hidden", "16", "--output", str(out)]) == 0
    return out / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found is not None, "no Chromium on this machine: .ci/ecosystem installs it"
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=[*quiet, "--no-first-run", "--disable-sync"])
        yield started
        started.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_report_is_whole_and_fits(browser: Browser, report: Path, width: str, colours: str) -> None:
    context = browser.new_context(viewport={"width": WIDTHS[width], "height": 800}, color_scheme=colours)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(report.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert said == []
    assert page.title().startswith("mlp")
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width]
    sizes = page.evaluate("[...document.images].map(one => [one.complete, one.naturalWidth, one.getBoundingClientRect().width])")
    assert len(sizes) == 5
    for complete, natural, shown in sizes:
        assert complete
        assert natural > 0
        assert 100 < shown <= WIDTHS[width]
    for title in ("Results", "Training", "Worst examples", "Network", "Gradient"):
        page.get_by_role("link", name=title, exact=True).click()
        assert page.get_by_role("heading", name=title, exact=True).is_visible()
    page.get_by_text("The whole certificate").click()
    assert page.get_by_text("params[0].weight").first.is_visible()
    ink, paper = page.evaluate("['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name])")
    assert ink != paper
    assert (sum(map(int, paper.strip("rgb()").split(",")[:3])) < 384) == (colours == "dark")
    context.close()
