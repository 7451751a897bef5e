"""What optimizers keep in mind has bounds: neither optimizers nor trees nor classes of theirs are kept for ever."""

import gc
import inspect
import weakref
from typing import Any

import numpy as np
import pytest
from attrs import make_class

import funcnn as fn
from funcnn.optim import layout, leafwise
from funcnn.optim.transformations import partition
from funcnn.runtime import treedef
from tests.optim.cases import OPTIMIZERS

MAKERS: dict[str, Any] = {
    "adamw": lambda where: fn.adamw(0.1, weight_decay=0.1, where=where),
    "adopt": lambda where: fn.adopt(0.1, weight_decay=0.1, where=where),
    "adan": lambda where: fn.adan(0.1, weight_decay=0.1, where=where),
    "nadamw": lambda where: fn.nadamw(0.1, weight_decay=0.1, where=where),
    "novograd": lambda where: fn.novograd(0.1, weight_decay=0.1, where=where),
    "prodigy": lambda where: fn.prodigy(weight_decay=0.1, where=where),
    "sm3": lambda where: fn.sm3(0.1, where=where),
    "shampoo": lambda where: fn.shampoo(0.1, where=where),
    "soap": lambda where: fn.soap(0.1, where=where),
    "projected": lambda where: fn.projected(fn.sgd(0.1), fn.projections.non_negative(), where=where),
    "lion": lambda where: fn.lion(0.1, weight_decay=0.1, where=where),
    "lars": lambda where: fn.lars(0.1, where=where),
    "lamb": lambda where: fn.lamb(0.1, where=where),
    "adafactor": lambda where: fn.adafactor(where=where),
    "partition": lambda where: fn.partition((where, fn.sgd(0.1)), rest=fn.adam(0.1)),
    "freeze": lambda where: fn.freeze(where, fn.sgd(0.1)),
    "muon": lambda where: fn.muon(0.1, where=where),
}


def test_every_optimizer_that_selects_leaves_is_walked() -> None:
    selecting = [name for name in OPTIMIZERS if "where" in inspect.signature(getattr(fn, name)).parameters]
    assert {*selecting, "partition"} == set(MAKERS)


@pytest.mark.parametrize("name", MAKERS)
def test_selections_without_end_are_not_kept(name: str) -> None:
    params, before = {"bias": np.ones(2), "weight": np.ones((2, 2))}, len(gc.get_objects())

    def use() -> Any:
        where = lambda path, shape: len(shape) >= 2  # noqa: E731  # another function each time
        opt = MAKERS[name](where)
        opt.update(params, params, opt.init(params))
        return weakref.ref(where)

    held = [use() for _ in range(2 * 64 + 40)]
    gc.collect()
    alive = sum([one() is not None for one in held])
    assert alive <= 2 * 64, "what is kept has no bound"
    assert len(gc.get_objects()) - before < 200 * 64


@pytest.mark.parametrize("cache", [leafwise._chosen, partition._divide])
def test_caches_have_a_bound(cache: Any) -> None:
    assert 0 < cache.cache_info().maxsize <= 64


def test_structures_of_classes_without_end() -> None:
    for number in range(2 * treedef._TYPES):
        treedef.flatten(make_class(f"Made{number}", ["weight"], frozen=True)(np.ones(2)))
        assert len(treedef._SEEN) <= treedef._TYPES
    params: Any = {"a": np.ones(2)}
    for number in range(2 * treedef._KEPT):
        treedef.flatten({f"key {number}": np.ones(2)})
    assert len(treedef._SEEN[dict]) <= treedef._KEPT
    for number in range(2 * layout.SELECTIONS):
        fn.adamw(0.1, weight_decay=0.1, where=f"^{number}|a").init(params)
        assert len(layout._SEEN) <= layout.SELECTIONS
    for number in range(2 * layout.KEPT):
        fn.adam(0.1).init({"a": np.ones(2 + number)})
    assert len(layout._SEEN[dict, None]) == layout.KEPT


def test_a_selection_without_a_hash_is_refused_by_name() -> None:
    class Unhashable:
        __hash__ = None  # type: ignore[assignment]  # as a class with __eq__ alone has it

        def __call__(self, path: str, shape: Any) -> bool:
            return True

    for make in MAKERS.values():
        with pytest.raises(TypeError, match=r"where is .* which has no hash"):
            make(Unhashable())
