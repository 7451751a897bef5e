"""Sequences that go on: tokens drawn one after the other from what a model says comes next."""

from __future__ import annotations

from typing import TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn.errors import shown
from funcnn.key import Key, check_key
from funcnn.layer import Layer
from funcnn.models.generation.running import Running, checked_prompt
from funcnn.models.generation.sampling import Sampling, check_stop_occurs, draw, log_softmax
from funcnn.typing import Array, IntArray

P = TypeVar("P")
S = TypeVar("S")


@frozen(eq=False)
class Generated:
    """Sequences that were continued."""

    tokens: IntArray
    """(m, t + steps): the prompts and what was drawn; after a stop token, that token again."""
    lengths: IntArray
    """(m,): tokens of each sequence up to its stop token."""
    log_probabilities: Array
    """(m, steps): the logarithm of the probability that the model gave to each token, whatever filters it was drawn with; 0 after
    a stop token.  Their sum is that of the continuation."""


def sample(
    model: Layer[P, S, IntArray, Array],
    params: P,
    state: S,
    prompt: IntArray,
    steps: int,
    key: Key,
    *,
    sampling: Sampling | None = None,
    context_length: int | None = None,
) -> Generated:
    """Continue sequences of tokens, and tell how probable that was.

    Parameters
    ----------
    model : Layer
        From tokens (n, t) to the logits (n, t, V) of the token after each step, such as :func:`funcnn.gpt`.  Where
        :func:`stepwise` takes it, a token costs one step; other models see the whole sequence for each.
    params, state : tree
        As training gave them.
    prompt : integer array (n, t)
        What the sequences begin with, t at least 1.
    steps : int
        How many tokens to draw, at most: fewer where all sequences have ended.
    key : Key
        The same key draws the same tokens.
    sampling : Sampling, optional
        How tokens are drawn, when a sequence ends, and how many continuations of each prompt there are.
    context_length : int, optional
        How many of the last tokens the model is shown: the ``context_length`` of a GPT.  By default all.

    Returns
    -------
    Generated
        Of m = n * samples sequences, those of one prompt beside one another.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range, the prompt is no array of integers (n, t), or the model does not give logits for
        every step.

    See Also
    --------
    beam_search : the most probable continuations, instead of random ones.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.gpt(5, layers=1, features=8, context_length=6)
    >>> start = model.init(fn.Key(0), (4,))
    >>> how = fn.generation.Sampling(top_p=0.9, samples=3)
    >>> made = fn.generation.sample(model, start.params, start.state, np.array([[1, 2]]), 4, fn.Key(1), sampling=how)
    >>> made.tokens.shape, made.log_probabilities.shape, made.lengths.tolist()
    ((3, 6), (3, 4), [6, 6, 6])
    """
    prompt, steps = checked_prompt(prompt, steps)
    how: object = Sampling() if sampling is None else sampling
    if not isinstance(how, Sampling):
        raise TypeError(f"sampling is {shown(how)}, expected funcnn.generation.Sampling(...)")
    generator = check_key(key).generator()
    running = Running(model, params, state, steps, context_length)
    count, length = prompt.shape
    sequence: IntArray = np.empty((count * how.samples, length + steps), prompt.dtype)
    sequence[:, :length] = np.repeat(prompt, how.samples, axis=0)
    logs: Array = np.zeros((len(sequence), steps))
    ended = np.zeros(len(sequence), bool)
    lengths = np.full(len(sequence), length)
    for end in range(length, length + steps):
        if end == length:  # the prompts are read once, whatever the number of their samples
            rows = np.repeat(np.arange(count), how.samples)
            logits = running.next_logits(prompt)[rows]
            if how.samples > 1:
                running.take(rows)
        else:
            logits = running.next_logits(sequence[:, :end])
        check_stop_occurs(how.stop, logits.shape[1])
        tokens = draw(logits, sequence[:, :end], generator, how)
        tokens = np.where(ended, sequence[:, end - 1], tokens)
        sequence[:, end] = tokens
        chosen = np.take_along_axis(log_softmax(logits), tokens[:, np.newaxis], 1)[:, 0]
        logs[:, end - length] = np.where(ended, 0.0, chosen)
        lengths[~ended] = end + 1
        ended |= np.isin(tokens, how.stop)
        if ended.all() and how.stop:
            sequence[:, end + 1 :] = sequence[:, end : end + 1]
            break
    return Generated(sequence, cast(IntArray, lengths), logs)
