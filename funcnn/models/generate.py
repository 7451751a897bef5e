"""Text generation: tokens drawn one after the other from what a model says comes next."""

from __future__ import annotations

import math
from typing import TypeVar, cast

import numpy as np

from funcnn.compile.compiled import compiled_if_often
from funcnn.errors import check_count, check_range, describe, is_plain
from funcnn.key import Key, check_key
from funcnn.layer import Layer, check_layer
from funcnn.typing import Array, IntArray

P = TypeVar("P")
S = TypeVar("S")


def generate(
    model: Layer[P, S, IntArray, Array],
    params: P,
    state: S,
    prompt: IntArray,
    steps: int,
    key: Key,
    *,
    context_length: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
) -> IntArray:
    """Continue sequences of tokens.

    Parameters
    ----------
    model : Layer
        From tokens (n, t) to the logits (n, t, V) of the token after each step, such as :func:`funcnn.gpt`.
    params, state : tree
        As training gave them.
    prompt : integer array (n, t)
        What the sequences begin with, t at least 1.
    steps : int
        How many tokens to draw.
    key : Key
        The same key draws the same tokens.
    context_length : int, optional
        How many of the last tokens the model is shown: the ``context_length`` of a GPT.  By default all.
    temperature : float, optional
        Divides the logits: below 1 likely tokens become more likely, and at 0 the most probable one is always taken.
    top_k : int, optional
        Draw from the so many most probable tokens only.

    Returns
    -------
    integer array (n, t + steps)
        The prompt and what was drawn.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range, the prompt is no array of integers (n, t), or the model does not give logits for
        every step.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.gpt(5, layers=1, features=8, context_length=4)
    >>> start = model.init(fn.Key(0), (4,))
    >>> prompt = np.array([[1, 2]])
    >>> fn.generate(model, start.params, start.state, prompt, 3, fn.Key(1), context_length=4).shape
    (1, 5)
    """
    tokens: object = prompt
    if not is_plain(tokens) or tokens.dtype.kind not in "iu":
        raise TypeError(f"the prompt is {describe(tokens)}, expected an array of integers (n, t)")
    if prompt.ndim != 2 or not prompt.shape[1]:
        raise ValueError(
            f"the prompt is {describe(prompt)}, expected (n, t) with at least one token: use x[None] for one sequence"
        )
    steps = check_count(steps, "steps", 0, 10**9)
    temperature = check_range(temperature, "temperature", 0, math.inf, open_high=True)
    context_length = None if context_length is None else check_count(context_length, "context_length")
    top_k = None if top_k is None else check_count(top_k, "top_k")
    check_layer(model, "model")
    generator = check_key(key).generator()
    count, length = prompt.shape
    sequence: IntArray = np.empty((count, length + steps), prompt.dtype)
    sequence[:, :length] = prompt
    run = compiled_if_often(model, steps)
    for end in range(length, length + steps):
        begin = 0 if context_length is None else max(0, end - context_length)
        logits = run(params, state, sequence[:, begin:end])
        if logits.ndim != 3 or logits.shape[:2] != (count, end - begin):
            raise ValueError(f"the model gave {describe(logits)}, expected logits ({count}, {end - begin}, vocabulary)")
        sequence[:, end] = draw(logits[:, -1].astype(np.float64), generator, temperature, top_k)
    return sequence


def draw(logits: Array, generator: np.random.Generator, temperature: float, top_k: int | None) -> IntArray:
    """Return one token for each row of logits (n, V): by the Gumbel trick, the largest of logit / temperature + noise."""
    if top_k is not None and top_k < logits.shape[1]:
        least = np.partition(logits, -top_k, axis=1)[:, -top_k, np.newaxis]
        logits = np.where(logits >= least, logits, -np.inf)
    if temperature > 0:
        logits = logits / temperature + generator.gumbel(size=logits.shape)
    return cast(IntArray, logits.argmax(1))
