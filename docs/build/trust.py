"""Put the tables of the page of trust where it has their markers, while the documentation is built."""

from collections.abc import Callable
from typing import Any

from funcnn.certificate import trust

TABLES: dict[str, Callable[[], str]] = {"layers": trust.layers, "losses": trust.losses}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace every marker by its table."""
    for name, make in TABLES.items():
        marker = f"<!-- trust: {name} -->"
        if marker in markdown:
            markdown = markdown.replace(marker, make())
    return markdown
