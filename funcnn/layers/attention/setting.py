"""The hyper-parameters of self-attention, checked."""

from typing import Generic, Literal, TypeAlias, TypedDict, get_args

from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_choice, check_count, check_flag, check_options
from funcnn.initializers import Initializer, check_initializer
from funcnn.layers.attention.heads import (
    M,
    N,
    check_block_rows,
    check_dropout,
    check_head_sizes,
    check_heads,
    check_time_and_features,
    head_size,
)
from funcnn.layers.attention.rotary import PLAIN, Rotary
from funcnn.layers.attention.scores import PLAIN_SCORES, AttentionScores, check_scores
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
class AttentionStart(Generic[M, N]):
    """What the parameters start from."""

    project: type[M]
    output: type[N]
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


def checked_start(
    kinds: tuple[type[M], type[N]], max_distance: int, weight_init: Initializer, output_init: Initializer
) -> AttentionStart[M, N]:
    """Return what the parameters start from, those of the first map and those of the last, or raise."""
    return AttentionStart(
        *kinds,
        check_count(max_distance, "max_distance"),
        check_initializer(weight_init, "weight_init"),
        check_initializer(output_init, "output_init"),
    )


class Settings(TypedDict, total=False):
    """The arguments that do not change a type."""

    causal: bool
    key_value_heads: int | None
    head_features: int | None
    value_features: int | None
    positions: Positions
    max_distance: int
    scores: AttentionScores
    dropout: float
    block_rows: int | None
    weight_init: Initializer
    output_init: Initializer


def setting_of(heads: int, masked: bool, options: Settings) -> AttentionSetting:
    """Return the hyper-parameters that forward and backward need, from options of which any may be left out, or raise."""
    check_options(options, Settings, "attention")
    return checked_setting(
        heads,
        options.get("key_value_heads"),
        (options.get("head_features"), options.get("value_features")),
        (options.get("causal", False), masked),
        options.get("positions", "none"),
        options.get("scores", PLAIN_SCORES),
        options.get("dropout", 0.0),
        options.get("block_rows"),
    )


def start_of(kinds: tuple[type[M], type[N]], options: Settings) -> AttentionStart[M, N]:
    """Return what the parameters start from, from options of which any may be left out, or raise."""
    glorot = initializers.glorot_uniform
    return checked_start(
        kinds, options.get("max_distance", 32), options.get("weight_init", glorot), options.get("output_init", glorot)
    )
