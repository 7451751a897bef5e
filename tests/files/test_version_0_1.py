"""Files that version 0.1 wrote are read and give the same outputs; a run that it began is refused, in words that say why."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from tests.files.version_0_1 import networks

ROOM = Path(networks.__file__).parent


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """What the file of networks has, in the order in which it was written."""
    like = {}
    for name, (model, shape) in networks.NETWORKS.items():
        start = model.init(fn.Key(1), shape)
        output = fn.apply(model, start.params, start.state, networks.examples(shape, name))
        like[name] = {"params": start.params, "state": start.state, "output": output}
    found = fn.load(ROOM / "networks.npz", like=like)
    assert not fn.tree.same(found, like)
    return found


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_parameters_give_the_same_output(name: str, written: dict[str, Any]) -> None:
    model, shape = networks.NETWORKS[name]
    params, state, expected = (written[name][part] for part in ("params", "state", "output"))
    output = fn.apply(model, params, state, networks.examples(shape, name))
    np.testing.assert_allclose(output, expected, rtol=1e-13, atol=1e-15)


def test_parameters_of_a_run_are_read() -> None:
    trained = fn.load(ROOM / "trained.npz", like=networks.training(1).params)
    assert all(np.isfinite(leaf).all() for leaf in fn.tree.leaves(trained))


def test_a_run_of_another_version_is_not_gone_on_with_and_both_are_named() -> None:
    with pytest.raises(fn.FileError, match=rf"that began it: funcnn 0\.1\.0 and .*these are funcnn {re.escape(fn.__version__)}"):
        networks.training(4, resume=ROOM / "checkpoint.npz")
