"""What the cotangent of a combination's output is to be like, where no layer inside could tell.

A combination that cuts a cotangent, turns it round or hands it on would make one of another shape look right to its layers.
"""

from typing import Any, TypeAlias

import attrs
import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, describe
from funcnn.typing import Shape


@frozen(eq=False)
class ArrayLike:
    """The shape and the dtype of an array."""

    shape: Shape
    dtype: np.dtype[np.generic]


@frozen(eq=False)
class RecordLike:
    """The class of a record of arrays, such as a masked sequence, and what its fields are like."""

    kind: type
    fields: tuple[tuple[str, Any], ...]  # Any: of what each is like, as of the whole


Like: TypeAlias = ArrayLike | RecordLike | tuple[Any, ...] | None  # Any: of the same again
"""None stands for what has no cotangent, and for what a layer inside looks at."""


def like(output: object) -> Like:
    """Return what the cotangent of an output is to be like."""
    if isinstance(output, np.ndarray):
        return ArrayLike(output.shape, output.dtype) if output.dtype.kind in "fc" else None
    if isinstance(output, tuple):
        return tuple([like(one) for one in output])
    kind: Any = type(output)
    if attrs.has(kind):
        return RecordLike(kind, tuple([(one.name, like(getattr(output, one.name))) for one in attrs.fields(kind)]))
    return None


def check_cotangents(dy: object, expected: Like) -> None:
    """Raise a TypeError or ValueError unless a cotangent is like the output: a tree of its structure, with arrays like its."""
    what = "the cotangent of the output (doutput)"
    if isinstance(expected, ArrayLike):
        check_cotangent(dy, expected.shape, expected.dtype)
    elif isinstance(expected, tuple):
        if not isinstance(dy, tuple):
            raise TypeError(f"{what} is {describe(dy)}, expected a tuple of {len(expected)} cotangents")
        if len(dy) != len(expected):
            raise ValueError(f"{what} is {describe(dy)}, expected a tuple of {len(expected)} cotangents, got {len(dy)}")
        for one, wanted in zip(dy, expected, strict=True):
            check_cotangents(one, wanted)
    elif expected is not None:
        if type(dy) is not expected.kind:
            raise TypeError(f"{what} is {describe(dy)}, expected a {expected.kind.__name__} of cotangents")
        for name, wanted in expected.fields:
            check_cotangents(getattr(dy, name), wanted)
