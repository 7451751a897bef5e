"""The list of layers in docs/deploy.md: which become nodes, and which do not and why."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.deploy.onnx.export import onnx_bytes
from tests.ecosystem.deploy.test_onnx_export import EXPRESSED, REFUSED
from tests.sweeps.factories import CALLS

PAGE = Path(__file__).parents[3] / "docs" / "deploy.md"


def reason(name: str) -> str:
    """Return why a layer is refused, as its error says."""
    call = CALLS[name]
    layer: Any = call.make(getattr(fn, name))
    start = layer.init(fn.Key(0), call.shape)
    with pytest.raises(fn.deploy.ExportError) as caught:
        onnx_bytes(layer, start.params, start.state, call.x(np.float64), fn.deploy.Described())
    return str(caught.value).partition("cannot be expressed in ONNX: ")[2]


def written() -> str:
    """Return the list as it stands in the page."""
    names = textwrap.fill(", ".join(f"`{name}`" for name in EXPRESSED), 136, break_long_words=False, break_on_hyphens=False)
    rows = [f"| `{name}` | {reason(name)} |" for name in sorted(REFUSED)]
    return "\n".join([f"{len(EXPRESSED)} layers are:", "", names, "", "| not expressed | why |", "|---|---|", *rows])


def test_the_page_lists_every_public_layer() -> None:
    """Where it does not, ``python -m tests.ecosystem.deploy.test_layers_page`` writes what stands between the marks."""
    _, _, rest = PAGE.read_text().partition("<!-- layers -->\n")
    listed, _, _ = rest.partition("\n<!-- /layers -->")
    assert listed == written()


if __name__ == "__main__":
    before, mark, rest = PAGE.read_text().partition("<!-- layers -->\n")
    PAGE.write_text(f"{before}{mark}{written()}\n<!-- /layers -->{rest.partition('<!-- /layers -->')[2]}")
