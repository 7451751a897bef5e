r"""Causal attention, some steps at a time: it remembers the keys and values of all steps.

In $o_t = \sum_{u \le t} p_{tu} v_u$ neither $k_u$ nor $v_u$ depends on a later step.  So they are computed once, and what a new
step costs is its own projection and one row of scores.  Keys are kept as turned by their steps, where positions are rotary.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from attrs import frozen

from funcnn.kernels.attention import attend
from funcnn.kernels.attention_blocks import AttentionSpec
from funcnn.layer import AnyLayer, Eval
from funcnn.layers.attention import attention, qk_norm_attention
from funcnn.layers.attention.attention import Heads, diagonals
from funcnn.layers.attention.heads import merge_heads, project
from funcnn.layers.attention.rotary import Rotary, rotate
from funcnn.layers.attention.setting import AttentionSetting
from funcnn.layers.normalization import rms_norm
from funcnn.masked import check_sequence
from funcnn.models.generation.rules import NotStepwiseError, Rule, Step, bound, last_of
from funcnn.typing import Array


@frozen(eq=False)
class KeysAndValues:
    """The keys and values of all steps so far."""

    keys: Array  # (n, G, S, d)
    values: Array  # (n, G, S, e)


def step(setting: AttentionSetting, params: Any, state: Any, cache: Any, x: Any, last: bool) -> tuple[Any, Any]:
    values, _ = check_sequence(x, False)
    return attend_step(setting, params, attention.heads_of(setting, params.project, values), cache, last)


def normalized_step(
    setting: AttentionSetting, eps: float, params: Any, state: Any, cache: Any, x: Any, last: bool
) -> tuple[Any, Any]:
    values, _ = check_sequence(x, False)
    q, k, v = attention.heads_of(setting, params.attention.project, values)
    mode = Eval(residuals=False)
    q = rms_norm.forward(eps, params.query_norm, (), q, mode).output
    k = rms_norm.forward(eps, params.key_norm, (), k, mode).output
    return attend_step(setting, params.attention, (q, k, v), cache, last)


def attend_step(setting: AttentionSetting, params: Any, parts: Heads, cache: Any, last: bool) -> tuple[Any, Any]:
    """Return the output for the queries, keys and values of some steps, and all keys and values so far."""
    (q, k, v), heads, shared = parts, setting.heads, setting.key_value_heads
    batch, (steps, size), value_size = len(q) // heads, q.shape[1:], v.shape[-1]
    before = cache.keys.shape[2] if isinstance(cache, KeysAndValues) else 0
    if isinstance(setting.positions, Rotary):
        q, k = rotate(q, setting.positions, before), rotate(k, setting.positions, before)
    q = q.reshape(batch * shared, heads // shared, steps, size)
    seen = extended(cache, k.reshape(batch, shared, steps, size), v.reshape(batch, shared, steps, value_size))
    k, v = (one.reshape(batch * shared, before + steps, one.shape[-1]) for one in (seen.keys, seen.values))
    bias = diagonals(setting, params.position, q, before + steps)
    rules = AttentionSpec(
        causal=True,
        diagonals=None if bias is None else np.ascontiguousarray(bias[..., : before + 2 * steps - 1]),  # the last steps' own
        scale=setting.scores.scale,
        soft_cap=setting.scores.soft_cap,
        window=setting.scores.window,
        offset=before,
    )
    attended, _ = attend(q, k, v, rules)
    joined = merge_heads(attended.reshape(batch * heads, steps, value_size), heads)
    return project(params.output, last_of(joined, last)), seen


def extended(cache: Any, k: Array, v: Array) -> KeysAndValues:
    """Return the keys and values with those of new steps: new arrays, as the cache is a value."""
    if not isinstance(cache, KeysAndValues):
        return KeysAndValues(k, v)
    return KeysAndValues(np.concatenate([cache.keys, k], axis=2), np.concatenate([cache.values, v], axis=2))


def rule(layer: AnyLayer, path: str, step_of: Callable[[AnyLayer, str], Step]) -> Step:
    setting: AttentionSetting = bound(layer).arguments[0]
    if not setting.causal:
        raise NotStepwiseError(layer, path, "its attention sees later steps; causal=True makes one that does not")
    if setting.masked:
        raise NotStepwiseError(layer, path, "it takes masked sequences, and what is drawn has no padding")
    return partial(step, setting)


def normalized_rule(layer: AnyLayer, path: str, step_of: Callable[[AnyLayer, str], Step]) -> Step:
    rule(layer, path, step_of)  # which says what cannot go a step at a time
    return partial(normalized_step, *bound(layer).arguments[:2])


ATTENTION: dict[Callable[..., object], Rule] = {attention.forward: rule, qk_norm_attention.forward: normalized_rule}
"""By the function that forward binds."""
