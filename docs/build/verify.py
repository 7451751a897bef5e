"""Look at the pages that were built, and stop the build when one shows what no reader should see.

No formula is left as TeX, none makes a page wider than the screen, nothing is fetched from a network, every picture is described.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

VERBATIM = {"pre", "code", "script", "style", "title"}
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src"}
TEX = re.compile(r"\\[A-Za-z([]|\$|``")
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}


class Reader(HTMLParser):
    """Collect the faults of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []  # tag and class of what is open
        self.faults: list[str] = []

    def inside(self, *tags: str) -> bool:
        """Whether one of the tags is open."""
        return any(tag in tags for tag, _ in self.open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag loads, and where a formula stands."""
        given = {name: value or "" for name, value in attrs}
        address = given.get(LOADED.get(tag, ""), "")
        if re.match(r"(https?:)?//", address) and given.get("rel") != "canonical":
            self.faults.append(f"{address} is fetched from a network")
        if tag == "img" and not given.get("alt"):
            self.faults.append(f"the picture {address} has no description")
        if tag == "math" and given.get("display") == "block" and not any(kind == "formula" for _, kind in self.open):
            self.faults.append("a displayed formula stands outside of a box that scrolls")
        if tag not in VOID:
            self.open.append((tag, given.get("class", "")))

    def handle_endtag(self, tag: str) -> None:
        """Close a tag, and those within it that were left open."""
        for position in range(len(self.open) - 1, -1, -1):
            if self.open[position][0] == tag:
                del self.open[position:]
                return

    def handle_data(self, data: str) -> None:
        """Look for TeX in what is read."""
        found = TEX.search(data)
        if found is not None and not any(tag in VERBATIM for tag, _ in self.open):
            self.faults.append(f"raw TeX or markup in {data.strip()[:80]!r}")
        elif self.inside("math") and "&" in data:
            self.faults.append(f"an alignment mark is shown in the formula {data.strip()[:80]!r}")


def faults(page: str) -> list[str]:
    """Return what is wrong with the HTML of a page."""
    reader = Reader()
    reader.feed(page)
    return reader.faults


def on_post_build(config: Any, **_: Any) -> None:
    """Look at every page."""
    from mkdocs.exceptions import PluginError  # the tests read this file without MkDocs

    site = Path(config.site_dir)
    found = [f"{path.relative_to(site)}: {fault}" for path in sorted(site.rglob("*.html")) for fault in faults(path.read_text())]
    if found:
        raise PluginError("\n".join(["the built pages show what they should not:", *found]))
