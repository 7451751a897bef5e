r"""Beam search: the most probable continuations, as far as a search finds them that goes on with the best few at each step.

A continuation $y$ of $m$ tokens is scored by its logarithmic probability for a length,
$$ s(y) = \frac{1}{m^{\alpha}} \sum_{i \le m} \log p(y_i \mid x, y_{<i}) , $$
with the length penalty $\alpha$ of Wu et al. (2016, arXiv:1609.08144, section 7) in the form that is in use today.  At each step
every beam is continued by all tokens.  Of these, the best are gone through, so many that there are enough even if every beam had
each stop token among them: what ends in a stop token is kept as finished, and the best others are the new beams.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from funcnn.errors import check_count, check_range
from funcnn.layer import Layer
from funcnn.models.generation.running import Running, checked_prompt
from funcnn.models.generation.sample import Generated
from funcnn.models.generation.sampling import check_stop_occurs, checked_stop, log_softmax
from funcnn.typing import Array, IntArray

P = TypeVar("P")
S = TypeVar("S")


def beam_search(
    model: Layer[P, S, IntArray, Array],
    params: P,
    state: S,
    prompt: IntArray,
    steps: int,
    *,
    beams: int = 4,
    length_penalty: float = 1.0,
    stop: tuple[int, ...] = (),
) -> Generated:
    """Search the most probable continuations of a sequence.

    Parameters
    ----------
    model : Layer
        From tokens (n, t) to the logits (n, t, V) of the token after each step.
    params, state : tree
    prompt : integer array (1, t)
        What the sequence begins with, t at least 1.
    steps : int
        How many tokens a continuation has at most.
    beams : int, optional
        How many continuations are followed; 1 is the greedy choice.
    length_penalty : float, optional
        The power of its length by which a continuation's logarithmic probability is divided: above 0 longer ones gain.
    stop : tuple of int, optional
        Tokens after which a sequence ends.

    Returns
    -------
    Generated
        As many sequences as beams, or as there are, the best first; with the log-probability of each token.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range, the prompt is no array of integers (1, t), or the model does not give logits for
        every step.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.gpt(5, layers=1, features=8, context_length=6)
    >>> start = model.init(fn.Key(0), (4,))
    >>> made = fn.generation.beam_search(model, start.params, start.state, np.array([[1, 2]]), 4, beams=2)
    >>> made.tokens.shape
    (2, 6)
    >>> bool(made.log_probabilities[0].sum() >= made.log_probabilities[1].sum())
    True
    """
    prompt, steps = checked_prompt(prompt, steps)
    if len(prompt) != 1:
        raise ValueError(f"the prompt has {len(prompt)} sequences, expected one: (1, t)")
    beams = check_count(beams, "beams")
    length_penalty = check_range(length_penalty, "length_penalty", -math.inf, math.inf, open_low=True, open_high=True)
    if abs(length_penalty) * math.log(max(2, steps)) > 700:
        raise ValueError(f"length_penalty is {length_penalty:g}: no float holds that power of {steps} steps")
    stop = checked_stop(stop)
    running = Running(model, params, state, steps, None)
    length = prompt.shape[1]
    finished: list[tuple[float, IntArray, Array]] = []  # score, tokens, log-probabilities
    sequences, logs = prompt, np.zeros((1, 0))
    for taken in range(1, steps + 1):
        found = log_softmax(running.next_logits(sequences))
        vocabulary = found.shape[1]
        check_stop_occurs(stop, vocabulary)
        totals = (logs.sum(1)[:, np.newaxis] + found).reshape(-1)
        rows: list[int] = []
        tokens: list[int] = []
        for place in best(totals, (1 + len(stop)) * beams):
            if totals[place] == -np.inf:  # and so are those behind it: what cannot be is no continuation
                break
            row, token = divmod(int(place), vocabulary)
            if token in stop:
                score = float(totals[place]) / float(taken) ** length_penalty
                finished.append((score, np.append(sequences[row], token), np.append(logs[row], found[row, token])))
            elif len(rows) < beams:
                rows.append(row)
                tokens.append(token)
        if not rows or is_settled(finished, beams, totals, length_penalty, (taken, steps)):
            sequences = sequences[:0]
            break
        sequences = np.concatenate([sequences[rows], np.array(tokens, prompt.dtype)[:, np.newaxis]], axis=1)
        logs = np.concatenate([logs[rows], found[rows, tokens][:, np.newaxis]], axis=1)
        running.take(np.array(rows))
    for one, own in zip(sequences, logs[: len(sequences)], strict=True):
        finished.append((float(own.sum()) / max(1, own.size) ** length_penalty, one, own))
    finished.sort(key=lambda entry: -entry[0])
    return padded(finished[:beams], length + steps, steps)


def best(totals: Array, count: int) -> IntArray:
    """Return the places of the largest numbers, the largest first, and the first of equal ones first."""
    return np.argsort(-totals, kind="stable")[:count]


def is_settled(
    finished: list[tuple[float, IntArray, Array]], beams: int, totals: Array, length_penalty: float, when: tuple[int, int]
) -> bool:
    """Tell whether no beam can become better than the finished sequences: what a token adds is at most 0."""
    if len(finished) < beams:
        return False
    worst = sorted((score for score, _, _ in finished), reverse=True)[beams - 1]
    reachable = [float(totals.max()) / math.pow(steps, length_penalty) for steps in when]
    return worst >= max(reachable)


def padded(made: list[tuple[float, IntArray, Array]], longest: int, steps: int) -> Generated:
    """Return sequences as the rows of an array, each with its last token up to the end."""
    tokens = np.stack([np.pad(one, (0, longest - len(one)), mode="edge") for _, one, _ in made])
    logs = np.stack([np.pad(own, (0, steps - len(own))) for _, _, own in made])
    return Generated(tokens, np.array([len(one) for _, one, _ in made]), logs)
