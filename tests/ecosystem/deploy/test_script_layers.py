"""Every public layer as a script of plain NumPy, bit by bit; it stands here because of the time that it takes."""

from pathlib import Path

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.deploy.script.prediction import prediction
from tests.deploy.test_script import loaded, same_bits
from tests.sweeps.factories import CALLS

REFUSED = {"shard", "directional_derivatives", "laplacian", "input_gradient", "divergence"}
"""The layers that a script cannot have: docs/deploy.md has the same list."""


def test_what_is_refused_is_a_public_layer() -> None:
    """That every public layer is in the table is seen to by the sweeps."""
    assert set(CALLS) >= REFUSED


@pytest.mark.parametrize("name", sorted(set(CALLS) - REFUSED))
def test_every_layer_gives_the_same_bits(name: str, tmp_path: Path) -> None:
    call = CALLS[name]
    layer = call.make(getattr(fn, name))
    start = layer.init(fn.Key(1), call.shape)
    params, state = tree.astype((start.params, start.state), np.float32)
    x = call.x(np.float32)
    module = loaded(*prediction(layer, params, state, x, "net.npz"), tmp_path)
    same_bits(module, layer, params, state, x)
    same_bits(module, layer, params, state, tree.map(lambda leaf: np.concatenate([leaf, leaf[::-1], leaf[:1]]), x))
