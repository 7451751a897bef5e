"""Text generation: tokens drawn one after the other from what a model says comes next."""

from __future__ import annotations

from typing import TypeVar

from funcnn.key import Key
from funcnn.layer import Layer
from funcnn.models.generation.sample import sample
from funcnn.models.generation.sampling import Sampling
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
    """Continue sequences of tokens: :func:`funcnn.generation.sample` with the two settings that matter most.

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
    how = Sampling(temperature=temperature, top_k=top_k)
    return sample(model, params, state, prompt, steps, key, sampling=how, context_length=context_length).tokens
