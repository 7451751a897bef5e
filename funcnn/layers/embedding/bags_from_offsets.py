"""Bags of unequal size, which lie one after another, as the rows of an array."""

from typing import Any, overload

import numpy as np

from funcnn.errors import check_integer, check_range, describe, is_plain, shown
from funcnn.typing import Array, IntArray


@overload
def bags_from_offsets(values: IntArray, offsets: IntArray, fill: int) -> IntArray: ...
@overload
def bags_from_offsets(values: Array, offsets: IntArray, fill: float) -> Array: ...
def bags_from_offsets(values: Array | IntArray, offsets: IntArray, fill: float) -> Array | IntArray:
    """Return bags that lie one after another as rows of equal length (n, t), those that are shorter filled up at their end.

    So ``torch.nn.EmbeddingBag`` has its input, with ``offsets``; :func:`funcnn.embedding_bag` and
    :func:`funcnn.weighted_embedding_bag` have an array and a ``padding_index``.

    Parameters
    ----------
    values : array
        (m,), the indices of all bags, integers, or their weights.
    offsets : array
        (n,), integers: where each bag begins, the first one at 0; one that begins where the next one does is empty.
    fill : number
        What is put after the end of a bag, of the kind of the values: the padding index after indices, 0 after weights.

    Returns
    -------
    array
        (n, t) of the dtype of the values, with t the length of the longest bag, but at least 1.

    Raises
    ------
    TypeError, ValueError
        When values or offsets are no such arrays; offsets do not begin at 0, decrease, or go beyond the values; ``fill`` is not a
        number that the dtype of the values holds.

    See Also
    --------
    embedding_bag, weighted_embedding_bag : what takes them.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.bags_from_offsets(np.array([4, 2, 5, 1]), np.array([0, 2, 2]), 0)
    array([[4, 2],
           [0, 0],
           [5, 1]])
    """
    given: object = values
    if not is_plain(given) or given.dtype.kind not in "iuf" or given.ndim != 1:
        raise TypeError(f"values is {describe(given)}, expected integers or floating numbers (m,)")
    starts: object = offsets
    if not is_plain(starts) or starts.dtype.kind not in "iu" or starts.ndim != 1:
        raise TypeError(f"offsets is {describe(starts)}, expected integers (n,)")
    if not len(starts) and len(values):
        raise ValueError(f"offsets is empty, expected 0 first: every one of the {len(values)} values is in a bag")
    ends = np.append(starts.astype(np.int64), len(values))
    lengths = np.diff(ends)
    if ends[0] != 0:
        raise ValueError(f"offsets[0] is {ends[0]}, expected 0: every value is in a bag")
    if (lengths < 0).any():
        wrong = int(np.argmax(lengths < 0))
        raise ValueError(f"offsets[{wrong}] is {ends[wrong]}, expected no more than {ends[wrong + 1]}: where the next one begins")
    inside = np.arange(lengths.max(initial=1)) < lengths[:, np.newaxis]
    rows: Array | IntArray = np.full(inside.shape, checked_fill(fill, given.dtype), given.dtype)
    rows[inside] = values
    return rows


def checked_fill(fill: float, dtype: np.dtype[Any]) -> float:  # Any: of integers or of floating numbers
    """Return a number that a dtype holds, or raise."""
    if dtype.kind == "f":
        return check_range(fill, "fill", float(np.finfo(dtype).min), float(np.finfo(dtype).max))
    limits = np.iinfo(dtype)
    number = check_integer(fill, "fill")  # type: ignore[arg-type]  # whatever else it is, that raises
    if not limits.min <= number <= limits.max:
        raise ValueError(f"fill is {shown(number)}, expected a number that {dtype} holds")
    return number
