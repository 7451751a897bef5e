"""Products in float32, which go through complex64, beside the same products at the same point in float64."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS, LayerCase
from funcnn.certificate.subjects import MODES, start
from funcnn.derivatives.complex_step import parts

PAGE = Path(__file__).parents[2] / "docs/beyond/index.md"


def factors(leaf: Any) -> Any:
    """Return numbers that differ within an example."""
    return np.cos(np.arange(leaf[:1].size)).reshape(leaf.shape[1:]).astype(leaf.real.dtype)


def cubic_value(output: Any, target: Any) -> Any:
    terms = [(factors(y) * (y + y * y / 2 + y**3 / 6)).sum() for y in tree.leaves(output) if y.dtype.kind in "fc"]
    return fn.LossForward(sum(terms, np.float32(0)), output)


def cubic_slope(output: Any) -> Any:
    return tree.map_cotangents(slope, output)


def slope(y: Any) -> Any:
    return factors(y) * (1 + y + y * y / 2) if y.dtype.kind in "fc" else None


CUBIC: Any = fn.define_loss("cubic", cubic_value, cubic_slope, reduction="sum")


def family(name: str) -> str:
    """Return the folder of a layer: that of its family, or the room."""
    rooms: list[str] = getattr(fn, name).__module__.split(".")
    return rooms[2] if rooms[1] == "layers" else rooms[1]


def bars() -> dict[str, list[float]]:
    """Return the bars of jvp, hvp and ggn that the page states for each family."""
    lines = re.findall(r"^\| `(\w+)` \| ([\d.e-]+) \| ([\d.e-]+) \| ([\d.e-]+) \|", PAGE.read_text(), re.MULTILINE)
    return {name: [float(one) for one in numbers] for name, *numbers in lines}


def cases() -> dict[str, list[tuple[str, LayerCase]]]:
    """Return two cases of each layer, by family; of a surrogate there is no derivative to compare with."""
    found: dict[str, list[tuple[str, LayerCase]]] = defaultdict(list)
    for name, every in LAYERS.items():
        small = [case for case in every if case.method != "screen" and case.surrogate is None]
        found[family(name)] += [(name, case) for case in small[:2]]
    return found


CASES = cases()


def in_precision(dtype: Any, values: Any) -> Any:
    return tree.map_cotangents(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, values)


def direction(seed: int, values: Any) -> Any:
    generator = np.random.default_rng(seed)

    def draw(leaf: Any) -> Any:
        return generator.normal(size=leaf.shape).astype(leaf.dtype) if leaf.dtype.kind == "f" else None

    return tree.map_cotangents(draw, values)


def products(layer: Any, at: Any, along: Any, mode: Any) -> list[Any]:
    (params, state, x), (dparams, dx) = at, along
    both = fn.gradient_jvp(layer, CUBIC)(params, state, x, (), dparams, dx, mode)
    return [
        fn.jvp(layer)(params, state, x, dparams, dx, mode).tangent,
        (both.grads_tangent, both.input_tangent),
        fn.ggn_product(layer, CUBIC)(params, state, x, (), dparams, mode),
    ]


def error(narrow: Any, wide: Any) -> float:
    """Return the largest difference over the largest number."""
    pairs = [(a, b) for a, b in zip(parts(narrow), parts(wide), strict=True) if a is not None and b is not None and b.size]
    assert all(a.dtype == np.float32 for a, _ in pairs)
    largest = max((float(np.abs(b).max()) for _, b in pairs), default=0.0)
    return max((float(np.abs(a - b).max()) for a, b in pairs), default=0.0) / max(largest, 1e-6)


def test_the_page_states_a_bar_for_every_family() -> None:
    assert set(bars()) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_single_precision_is_as_near_as_the_page_says(name: str) -> None:
    stated = bars()[name]
    worst = [0.0, 0.0, 0.0]
    for index, (_, case) in enumerate(CASES[name]):
        layer, mode = case.make(), list(MODES.values())[index % 2]
        at = in_precision(np.float32, (*start(case, layer), case.x()))
        along = direction(1, (at[0], at[2]))
        narrow, wide = (
            products(layer, in_precision(dtype, at), in_precision(dtype, along), mode) for dtype in (np.float32, np.float64)
        )
        worst = [max(one) for one in zip(worst, map(error, narrow, wide), strict=True)]
    assert all(one <= bar for one, bar in zip(worst, stated, strict=True)), worst
