"""Mistakes inside attention, behind a softmax and two products: the leaf is right, and no sentence is false."""

from __future__ import annotations

import numpy as np
import pytest

from funcnn.check import check_vjp
from funcnn.typing import Array

SCALE = 1 / np.sqrt(3.0)
Q, K, V = np.random.default_rng(0).normal(size=(3, 2, 4, 3))


def turned(x: Array) -> Array:
    return x.swapaxes(-1, -2)


def shares(q: Array, k: Array) -> Array:
    e = np.exp(SCALE * q @ turned(k))
    made: Array = e / e.sum(-1, keepdims=True)
    return made


def attend(q: Array, k: Array, v: Array) -> Array:
    return shares(q, k) @ v


def pull(q: Array, k: Array, v: Array, dy: Array, mistake: str = "") -> tuple[Array, Array, Array]:
    p, dp, scale = shares(q, k), dy @ turned(v), SCALE
    inner = (p * dp).sum(-2 if mistake == "softmax along queries" else -1, keepdims=True)
    ds = dp if mistake == "no softmax" else p * dp if mistake == "softmax entry by entry" else p * (dp - inner)
    if mistake in ("no scale", "scale twice"):
        scale = {"no scale": 1.0, "scale twice": SCALE**2}[mistake]
    if mistake == "sign":
        ds = -ds
    dq, dk, dv = scale * ds @ k, scale * turned(ds) @ q, turned(p) @ dy
    if mistake == "dk by scores not turned":
        dk = scale * ds @ q
    if mistake == "dv by shares not turned":
        dv = p @ dy
    if mistake == "dv scaled":
        dv = SCALE * dv
    return (dk, dq, dv) if mistake == "exchanged" else (dq, dk, dv)


@pytest.mark.parametrize(
    ("mistake", "found"),
    [
        ("no softmax", {"[0]": "missing_term", "[1]": "missing_term"}),
        ("softmax entry by entry", {"[0]": "missing_term", "[1]": "missing_term"}),
        ("softmax along queries", {"[0]": "wrong_axis", "[1]": "missing_term"}),
        ("no scale", {"[0]": "constant_factor", "[1]": "constant_factor"}),
        ("scale twice", {"[0]": "constant_factor", "[1]": "constant_factor"}),
        ("sign", {"[0]": "sign_flip", "[1]": "sign_flip"}),
        ("dk by scores not turned", {"[1]": "missing_term"}),
        ("dv by shares not turned", {"[2]": "transpose"}),
        ("dv scaled", {"[2]": "constant_factor"}),
        ("exchanged", {"[0]": "swapped_leaf", "[1]": "swapped_leaf"}),
    ],
)
def test_mistakes_inside_attention_are_named_or_only_placed(mistake: str, found: dict[str, str]) -> None:
    def wrong(q: Array, k: Array, v: Array, dy: Array) -> tuple[Array, Array, Array]:
        return pull(q, k, v, dy, mistake)

    report = check_vjp(attend, wrong, Q, K, V)
    assert {one.path: one.diagnosis.tag for one in report.findings} == found, report


def test_attention_itself_passes() -> None:
    assert check_vjp(attend, pull, Q, K, V).ok
