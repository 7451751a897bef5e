"""The logits of what comes next, for sequences that grow: step by step where that can be done, else from the whole sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn import tree
from funcnn.compile.compiled import compiled_if_often
from funcnn.errors import check_count, describe, is_plain
from funcnn.layer import Layer, check_layer
from funcnn.models.generation.stepwise import is_stepwise, stepwise
from funcnn.typing import Array, IntArray


class Running:
    """A network on its way through some sequences: what it remembers, and how many steps it has seen.

    A network is shown the last ``context_length`` tokens at most.  While the sequences are no longer, new tokens alone are
    computed.  Beyond, or where a network cannot be computed step by step, all that it is shown is: then every token stands at
    another place than before, or has lost one that it saw.
    """

    def __init__(
        self, model: Layer[Any, Any, IntArray, Array], params: object, state: object, steps: int, context_length: int | None
    ) -> None:
        check_layer(model, "model")
        self._params, self._state = params, state
        self._context = None if context_length is None else check_count(context_length, "context_length")
        self._step = stepwise(model) if is_stepwise(model) else None
        self._whole = compiled_if_often(model, steps)
        self._cache: object = ()
        self._seen = 0

    def next_logits(self, sequence: IntArray) -> Array:
        """Return the logits (n, V) of the token after sequences (n, t), in double precision.

        The sequences are those of the call before, and more tokens.
        """
        count, end = sequence.shape
        begin = 0 if self._context is None else max(0, end - self._context)
        if self._step is None or begin:
            logits = self._whole(self._params, self._state, sequence[:, begin:])
            shape = (count, end - begin)
        else:
            logits, self._cache = self._step(self._params, self._state, self._cache, sequence[:, self._seen :], last=True)
            self._seen = end
            shape = (count, 1)
        if not is_plain(logits) or logits.ndim != 3 or logits.shape[:2] != shape:
            raise ValueError(f"the model gave {describe(logits)}, expected logits {(*shape, 'vocabulary')}")
        if logits.shape[2] - 1 > np.iinfo(sequence.dtype).max:
            raise ValueError(
                f"the prompt is {describe(sequence)}, and the model has {logits.shape[2]} tokens, more than that type can"
                " hold: use .astype(int)"
            )
        found: Array = logits[:, -1].astype(np.float64)
        possible = found.max(1) > -np.inf  # which the largest of NaN and others is not
        if not possible.all():
            row = int(np.argmin(possible))
            raise ValueError(
                f"the logits after sequence {row} are {'nan' if np.isnan(found[row]).any() else 'all -inf'}: no token is the most"
                " probable one; are the parameters finite?"
            )
        return found

    def take(self, rows: IntArray) -> None:
        """Go on with some of the sequences, in this order."""
        self._cache = tree.map(lambda leaf: leaf[rows], self._cache)


def checked_prompt(prompt: object, steps: int) -> tuple[IntArray, int]:
    """Return the prompt, integers (n, t), and how many tokens are to be drawn, or raise."""
    if not is_plain(prompt) or prompt.dtype.kind not in "iu":
        raise TypeError(f"the prompt is {describe(prompt)}, expected an array of integers (n, t)")
    if prompt.ndim != 2 or not prompt.shape[1]:
        raise ValueError(
            f"the prompt is {describe(prompt)}, expected (n, t) with at least one token: use x[None] for one sequence"
        )
    return prompt, check_count(steps, "steps", 0, 10**9)
