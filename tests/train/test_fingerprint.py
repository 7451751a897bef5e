"""Fingerprints: equal for equal values in every process, and another one when anything is another."""

import datetime
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.train.fingerprint import array_digest, fingerprint

SCALE = 2.0


def scaled(x: float) -> float:
    return SCALE * x


def through_another(x: float) -> float:
    return scaled(x) + 1


class Power:
    def __init__(self, power: float) -> None:
        self.power = power

    def __call__(self, x: float) -> float:
        return float(x**self.power)


class Slotted:
    __slots__ = ("power",)

    def __init__(self, power: float) -> None:
        self.power = power


def closure(power: float) -> Callable[[float], float]:
    return lambda x: float(x**power)


def made(source: str, name: str = "f") -> Any:
    space: dict[str, Any] = {}
    exec(textwrap.dedent(source), space)  # functions that differ in their source alone
    return space[name]


ALIKE: dict[str, Callable[[], Any]] = {
    "optimizer": lambda: fn.chain(fn.clip_by_global_norm(1.0), fn.adam(fn.schedules.cosine(0.1, 60))),
    "network": lambda: fn.conv2d(3, 2) >> fn.batch_norm() >> fn.residual(fn.serial(fn.identity())) >> fn.dense(2),
    "loss": lambda: fn.softmax_cross_entropy(class_weight=(1, 2)),
    "closure": lambda: closure(2.0),
    "partial": lambda: partial(scaled, x=2.0),
    "object": lambda: Power(2.0),
    "slots": lambda: Slotted(2.0),
    "method": lambda: fn.ema(fn.adam(0.1)).average,
    "pattern": lambda: re.compile("a+"),
    "path": lambda: Path("a"),
    "date": lambda: datetime.date(2020, 1, 1),
    "array": lambda: np.arange(10.0),
    "tree": lambda: (np.arange(10.0), {"a": fn.Weighted(np.zeros(2), np.ones(2))}),
    "set": lambda: {"a", "b", 3},
    "history": lambda: fn.History((fn.Row(1, (("loss", 2.0),), seconds=np.random.default_rng().random()),)),
    "comment": lambda: made("def f(x):\n    return x\n"),
    "docstring": lambda: made("def f(x):\n    return x\n"),
}


@pytest.mark.parametrize("name", ALIKE)
def test_what_is_made_alike_has_one_fingerprint(name: str) -> None:
    assert fingerprint(ALIKE[name]()) == fingerprint(ALIKE[name]())


def test_comments_and_docstrings_do_not_matter() -> None:
    plain = fingerprint(made("def f(x):\n    return 'a' + x\n"))
    assert fingerprint(made("# what\ndef f(x):\n    'why'\n\n    return 'a' + x  # how\n")) == plain
    assert fingerprint(made("def f(x):\n    return 'b' + x\n")) != plain


OTHERS: dict[str, tuple[Any, Any]] = {
    "hyper-parameter": (fn.adam(0.1), fn.adam(0.1, beta2=0.99)),
    "kind of optimizer": (fn.adam(0.1), fn.nadam(0.1)),
    "schedule": (fn.sgd(fn.schedules.cosine(0.1, 60)), fn.sgd(fn.schedules.cosine(0.1, 61))),
    "where": (fn.l2_penalty(0.1, where="weight"), fn.l2_penalty(0.1, where="bias")),
    "activation": (fn.dense(2) >> fn.relu(), fn.dense(2) >> fn.gelu()),
    "slope deep inside": (fn.residual(fn.serial(fn.leaky_relu(0.1))), fn.residual(fn.serial(fn.leaky_relu(0.2)))),
    "reduction": (fn.mean_squared_error(), fn.mean_squared_error(reduction="sum")),
    "closure": (closure(2.0), closure(3.0)),
    "default": (made("def f(x=1): return x"), made("def f(x=2): return x")),
    "keyword default": (made("def f(*, x=1): return x"), made("def f(*, x=2): return x")),
    "constant in code": (made("def f(x): return x + 1"), made("def f(x): return x + 2")),
    "constant in inner code": (made("def f(x): return [y + 1 for y in x]"), made("def f(x): return [y + 2 for y in x]")),
    "name in code": (made("def f(x): return x.min()"), made("def f(x): return x.max()")),
    "operator in code": (made("def f(x, y): return x + y"), made("def f(x, y): return x - y")),
    "global": (made("A = 1\ndef f(x): return x + A"), made("A = 2\ndef f(x): return x + A")),
    "helper": (
        made("def g(x): return x\ndef f(x): return g(x)"),
        made("def g(x): return -x\ndef f(x): return g(x)"),
    ),
    "attribute": (Power(2.0), Power(3.0)),
    "slot": (Slotted(2.0), Slotted(3.0)),
    "method of its class": (
        made("class C:\n    def __call__(self, x): return x\nf = C()"),
        made("class C:\n    def __call__(self, x): return -x\nf = C()"),
    ),
    "method of its base": (
        made("class B:\n    def g(self): return 1\nclass C(B):\n    pass\nf = C()"),
        made("class B:\n    def g(self): return 2\nclass C(B):\n    pass\nf = C()"),
    ),
    "bound": (fn.ema(fn.adam(0.1)).average, fn.ema(fn.adam(0.2)).average),
    "partial": (partial(scaled, 1.0), partial(scaled, 2.0)),
    "zero's sign": (0.0, -0.0),
    "type of a number": (1, 1.0),
    "truth": (1, True),
    "order": ((1, 2), (2, 1)),
    "nesting": (((1,), 2), (1, (2,))),
    "text": (re.compile("a"), re.compile("b")),
    "dtype": (np.zeros(3), np.zeros(3, np.float32)),
    "kind of integer": (np.zeros(3, np.int64), np.zeros(3, np.uint64)),
    "shape": (np.zeros((2, 3)), np.zeros((3, 2))),
    "NumPy's number": (np.float32(1), np.float64(1)),
    "weight": (fn.Weighted(np.zeros(2), np.ones(2)), fn.Weighted(np.zeros(2), np.zeros(2))),
}


@pytest.mark.parametrize("name", OTHERS)
def test_any_difference_is_another_fingerprint(name: str) -> None:
    one, other = OTHERS[name]
    assert fingerprint(one) != fingerprint(other)


def test_fingerprints_are_those_of_other_processes() -> None:
    """Of another hash seed and another module's name."""
    script = """
        import sys
        sys.path.insert(0, {folder!r})
        import test_fingerprint as t
        for name, make in t.ALIKE.items():
            print(name, t.fingerprint(make()))
        for name, pair in t.OTHERS.items():
            print(name, *map(t.fingerprint, pair))
    """
    environment = os.environ | {"PYTHONPATH": str(Path(fn.__file__).parents[1])}
    said = []
    for seed in ("1", "2"):
        code = textwrap.dedent(script).format(folder=str(Path(__file__).parent))
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment | {"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        )
        said.append(run.stdout)
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == len(ALIKE) + len(OTHERS)


def test_deep_networks_and_cycles() -> None:
    layer: Any = fn.tanh()
    for _ in range(300):
        layer = fn.residual(layer)
    assert len(fingerprint(layer)) == 64
    around: list[Any] = [1]
    around.append(around)
    other: list[Any] = [2]
    other.append(other)
    assert fingerprint(around) != fingerprint(other)
    assert fingerprint(made("def f(n): return f(n - 1) if n else 0")) == fingerprint(
        made("def f(n): return f(n - 1) if n else 0")
    )


# -------------------------------------------------------------------------------------------------------------------- arrays


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8, np.uint16, bool, np.longdouble])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (5, 3), (4096, 3), (3, 70_000), (2, 3, 4)])
def test_the_digest_is_that_of_the_numbers_and_not_of_their_place(dtype: Any, shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.asarray((100 * np.random.default_rng(0).normal(size=shape)).astype(dtype))
    digest = array_digest(array)
    assert array_digest(np.array(array, order="F")) == digest
    assert array_digest(array.copy()[...]) == digest
    if array.ndim:
        spaced = np.zeros((2 * len(array), *shape[1:]), dtype)
        spaced[::2] = array
        assert array_digest(spaced[::2]) == digest
    if array.size and dtype is not np.longdouble:
        np.save(tmp_path / "a.npy", array)
        assert array_digest(np.load(tmp_path / "a.npy", mmap_mode="r")) == digest
    if array.size:
        changed = array.copy()
        changed.flat[array.size // 2] = 0 if array.flat[array.size // 2] else 1
        assert array_digest(changed) != digest


def test_every_bit_of_an_array_shows() -> None:
    array = np.random.default_rng(0).normal(size=40)
    seen = {array_digest(array)}
    for place in range(40):
        for bit in range(64):
            words = array.view(np.uint64).copy()
            words[place] ^= np.uint64(1 << bit)
            seen.add(array_digest(words.view(np.float64)))
    assert len(seen) == 1 + 40 * 64


def test_what_keeps_a_sum_shows() -> None:
    """Exchanges, orders, signs and shifts, in arrays of many blocks and of few."""
    for rows, columns in ((6, 4), (3000, 100), (100_000, 8)):
        x = np.random.default_rng(1).normal(size=(rows, columns))
        order = np.random.default_rng(2).permutation(rows)
        exchanged = x.copy()
        exchanged[[0, rows - 1]] = exchanged[[rows - 1, 0]]
        blocks = np.roll(x, rows // 2, axis=0)
        variants = [x, -x, x[::-1], x[:, ::-1], x[order], exchanged, blocks, np.abs(x), x + 1, np.roll(x, 1, axis=1), 2 * x]
        for sign in (np.array([1, -1]), np.array([1, -1, -1, 1])):
            variants.append(x * np.resize(sign, (rows, 1)))
            variants.append(x * np.resize(sign, columns))
        assert len({array_digest(one) for one in variants}) == len(variants)
    flat = np.zeros((4096, 512))
    assert len({array_digest(one) for one in (flat, -flat, flat + 1, -flat - 1)}) == 4
