r"""A network of sequences, some steps at a time.

What a causal network says of step $t$ depends on the steps $u \le t$ alone.  So it can be computed when that step arrives, from
what the layers remember of the earlier ones: the *cache*, a value that goes in and comes out,
$$ (y_t, c_t) = \operatorname{step}(\theta, c_{t-1}, x_t), \qquad c_0 = () . $$

Layers are of three kinds.  Most treat each step alone, and remember nothing.  Attention, recurrent layers and positions remember
something, each in a file of this folder.  Combinations remember what their parts do.  Which kind a layer is of is told by the
function that its ``forward`` binds; a layer that is of none is refused with its name, since it might look ahead.

Nothing is differentiated here: a network is trained on whole sequences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from attrs import field, frozen

from funcnn.errors import describe, is_plain
from funcnn.layer import AnyLayer, Layer, check_layer
from funcnn.models.generation.attention_step import ATTENTION
from funcnn.models.generation.combined import COMBINATIONS
from funcnn.models.generation.position_step import POSITIONS
from funcnn.models.generation.recurrent_step import RECURRENT
from funcnn.models.generation.rules import NotStepwiseError, Rule, Step, bound
from funcnn.models.generation.step_alone import STEP_ALONE
from funcnn.typing import Array, IntArray

P = TypeVar("P")
S = TypeVar("S")

_RULES: dict[Callable[..., object], Rule] = {**STEP_ALONE, **ATTENTION, **RECURRENT, **POSITIONS, **COMBINATIONS}


class Stepped(NamedTuple):
    """The logits of some steps, and what is remembered of all steps so far."""

    logits: Array  # (n, t, V)
    cache: object  # a tree of arrays, batch first


@frozen(eq=False)
class Stepwise(Generic[P, S]):
    """A network that takes some tokens at a time; made by :func:`stepwise`."""

    name: str
    _step: Step = field(repr=False, alias="step")

    def __call__(self, params: P, state: S, cache: object, tokens: IntArray, *, last: bool = False) -> Stepped:
        """Return the logits of the next steps of some sequences, and the cache with these steps.

        Parameters
        ----------
        params, state : tree
        cache : tree
            ``()`` at the beginning, later the one that came out.  It is a value: several continuations may start from one
            cache, and ``fn.tree.map(lambda leaf: leaf[rows], cache)`` is that of some of the sequences.
        tokens : integer array (n, t)
            The next t tokens of each sequence, t at least 1.
        last : bool, optional
            Give the logits of the last step alone, which is all that one needs to go on.

        Returns
        -------
        Stepped
            A pair: logits (n, t, V), or (n, 1, V), and the cache.

        Raises
        ------
        TypeError, ValueError
            When the tokens are no integers (n, t); what the layers refuse.
        """
        given: object = tokens
        if not is_plain(given) or given.dtype.kind not in "iu":
            raise TypeError(f"tokens is {describe(given)}, expected an array of integers (n, t)")
        if given.ndim != 2 or not given.shape[1]:
            raise ValueError(f"tokens is {describe(given)}, expected (n, t) with t at least 1: use x[None] for one sequence")
        return Stepped(*self._step(params, state, cache, tokens, last))


def stepwise(model: Layer[P, S, IntArray, Array]) -> Stepwise[P, S]:
    """Make of a causal network one that takes a few tokens at a time, and remembers.

    Parameters
    ----------
    model : Layer
        From tokens (n, t) to logits (n, t, V), such as :func:`funcnn.gpt` or :func:`funcnn.char_rnn`: made of causal attention,
        recurrent layers and layers that treat each step alone.

    Returns
    -------
    Stepwise
        A function ``(params, state, cache, tokens) -> (logits, cache)``, of the parameters of the model.  Its logits are those
        of the whole sequence to rounding.

    Raises
    ------
    TypeError
        When the argument is no layer, or a layer of it needs later steps, or is not known to need none; with its place.

    See Also
    --------
    sample, beam_search : sequences that are continued so.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.gpt(5, layers=2, features=8, context_length=4)
    >>> start = model.init(fn.Key(0), (4,))
    >>> step = fn.generation.stepwise(model)
    >>> logits, cache = step(start.params, start.state, (), np.array([[3, 1]]))
    >>> logits, cache = step(start.params, start.state, cache, np.array([[4]]))
    >>> whole = fn.apply(model, start.params, start.state, np.array([[3, 1, 4]]))
    >>> bool(np.allclose(logits, whole[:, 2:]))
    True
    """
    check_layer(model, "model")
    return Stepwise(model.name, step_of(model, ""))


def step_of(layer: AnyLayer, path: str) -> Step:
    """Return the step of a layer, by the rule for the function that its forward binds."""
    rule = _RULES.get(bound(layer).function)
    if rule is None:
        raise NotStepwiseError(layer, path, "it is not known to see earlier steps alone")
    return rule(layer, path, step_of)


def is_stepwise(model: Layer[Any, Any, IntArray, Array]) -> bool:
    """Tell whether :func:`stepwise` takes a network."""
    try:
        stepwise(model)
    except NotStepwiseError:
        return False
    return True
