"""The hyper-parameters of self-attention, checked."""

from typing import Generic, Literal, TypeAlias, get_args

from attrs import frozen

from funcnn.errors import check_choice, check_count, check_flag
from funcnn.initializers import Initializer, check_initializer
from funcnn.layers.attention.heads import (
    M,
    check_block_rows,
    check_dropout,
    check_head_sizes,
    check_heads,
    check_time_and_features,
    head_size,
)
from funcnn.layers.attention.rotary import PLAIN, Rotary
from funcnn.layers.attention.scores import AttentionScores, check_scores
from funcnn.typing import Shape

PositionKind: TypeAlias = Literal["none", "rotary", "alibi", "relative"]
Positions: TypeAlias = PositionKind | Rotary
"""How steps know their distance; "rotary" is the record with its defaults."""


@frozen
class AttentionSetting:
    """The hyper-parameters that forward and backward need."""

    heads: int
    key_value_heads: int
    head_features: int | None
    value_features: int | None
    causal: bool
    masked: bool
    positions: Positions
    scores: AttentionScores
    dropout: float
    block_rows: int | None

    def head_sizes(self, in_shape: Shape) -> tuple[int, int]:
        """Return the features d of a head's queries and keys and e of its values for examples (t, features), or raise."""
        if self.head_features is None:
            size = head_size(in_shape, self.heads)
        else:
            check_time_and_features(in_shape)
            size = self.head_features
        if isinstance(self.positions, Rotary):
            self.positions.turned(size)
        return size, size if self.value_features is None else self.value_features


@frozen
class AttentionStart(Generic[M]):
    """What the parameters start from."""

    kind: type[M]
    max_distance: int
    weight_init: Initializer
    output_init: Initializer


def checked_setting(
    heads: int,
    key_value_heads: int | None,
    sizes: tuple[int | None, int | None],
    flags: tuple[bool, bool],
    positions: Positions,
    scores: AttentionScores,
    dropout: float,
    block_rows: int | None,
) -> AttentionSetting:
    """Return the hyper-parameters that forward and backward need, or raise; flags are causal and masked."""
    heads, shared = check_heads(heads, key_value_heads)
    size, value_size = check_head_sizes(sizes)
    return AttentionSetting(
        heads,
        shared,
        size,
        value_size,
        check_flag(flags[0], "causal"),
        check_flag(flags[1], "masked"),
        checked_positions(positions),
        check_scores(scores),
        check_dropout(dropout),
        check_block_rows(block_rows),
    )


def checked_positions(positions: Positions) -> Positions:
    """Return how steps know their distance, rotary positions as a record, or raise."""
    if isinstance(positions, Rotary):
        return positions
    return PLAIN if check_choice(positions, get_args(PositionKind), "positions") == "rotary" else positions


def checked_start(kind: type[M], max_distance: int, weight_init: Initializer, output_init: Initializer) -> AttentionStart[M]:
    """Return what the parameters start from, or raise."""
    return AttentionStart(
        kind,
        check_count(max_distance, "max_distance"),
        check_initializer(weight_init, "weight_init"),
        check_initializer(output_init, "output_init"),
    )
