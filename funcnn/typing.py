"""The few types that every signature of the library is written in.

Shapes are not part of the static type: NumPy's type checkers cannot follow them.  They stand in the docstrings instead,
by index letters that each file declares once.
"""

from typing import Literal, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.floating]]
"""A real array of any precision (complex arrays pass through the same code when a complex step is taken)."""

IntArray: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.integer]]
"""An integer array: labels, indices, tokens."""

BoolArray: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
"""A boolean array: masks."""

Scalar: TypeAlias = np.floating
"""One real number of any precision, such as the value of a loss."""

Shape: TypeAlias = tuple[int, ...]
"""The shape of one example: the batch axis is never part of it."""

Empty: TypeAlias = tuple[()]
"""The parameters or the state of a layer that has none: the empty tuple."""

Shapes: TypeAlias = Shape | tuple[Shape, ...]
"""The shape of one example, or, where a layer takes or gives several arrays, the tuple of their shapes."""

Yes: TypeAlias = Literal[True]
"""A flag that is set, where overloads tell by it what a layer takes and gives."""

No: TypeAlias = Literal[False]
"""A flag that is not set."""
