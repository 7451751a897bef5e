"""An ONNX file as a network of this library."""

from __future__ import annotations

import os
import re
from typing import Any

from attrs import frozen

from funcnn.deploy.onnx.reading.graph_layer import OPERATORS, frozen_copy, graph_layer
from funcnn.deploy.onnx.reading.program import program_of, read_model
from funcnn.errors import shown
from funcnn.layer import AnyLayer
from funcnn.typing import Array


@frozen(eq=False)
class Imported:
    """A network from an ONNX file."""

    model: AnyLayer
    """Takes an array, or a tuple of such, and gives one or a tuple, in the order of the file."""
    params: dict[str, Array]
    """The floating tensors of the file with at least one axis, by their names."""
    state: dict[str, Array]
    """Means and variances of batch normalizations."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: dict[str, str]
    """What the file says of itself, such as names of classes."""


def import_onnx(path: str | os.PathLike[str], *, constants: str | None = None) -> Imported:
    """Read an ONNX file as a network that can be certified, fine-tuned and differentiated.

    Every node becomes an operator with a gradient that was derived by hand, those of layers the layers' own; values that several
    nodes take collect their cotangents.  Batch normalizations and dropouts are those of a prediction, in training too.

    Parameters
    ----------
    path : str or path-like
        The file, in operator set 13 or younger, with its weights inside.
    constants : str, optional
        A regular expression that is searched in the names of the floating tensors: those found are not learned.  Numbers without
        axes never are.

    Returns
    -------
    Imported

    Raises
    ------
    FileError
        When it is no ONNX file, is cut off, or keeps its weights in other files.
    OperatorError
        When it has operators, or forms of such, that do not exist here: the message names the nodes; or its operator set is too
        old.  What depends on the shapes of inputs is said at the first run.
    ModuleNotFoundError
        When the package ``onnx`` is not installed: ``pip install 'funcnn[onnx]'``.

    Notes
    -----
    The axes are those of the file: images have their channels first.  The parameters are in the file's precision, and
    ``fn.tree.astype(params, float)`` makes a network in double precision of it, as the checker wants one.

    Examples
    --------
    >>> import funcnn as fn
    >>> made = fn.deploy.import_onnx("network.onnx")  # doctest: +SKIP
    >>> fn.apply(made.model, made.params, made.state, x)  # doctest: +SKIP
    """
    pattern = compiled_pattern(constants)
    model = read_model(path)
    program = program_of(model, OPERATORS, lambda name: pattern is not None and pattern.search(name) is not None)
    metadata = {one.key: one.value for one in model.metadata_props}
    names = tuple([one.name for one in program.inputs])
    learned, statistics = frozen_copy(program.learned), frozen_copy(program.statistics)
    return Imported(graph_layer(program), learned, statistics, names, program.outputs, metadata)


def compiled_pattern(constants: str | None) -> re.Pattern[str] | None:
    """Return a regular expression; raise when the argument is none."""
    if constants is None:
        return None
    given: Any = constants
    if not isinstance(given, str):
        raise TypeError(f"constants is {shown(constants)}, expected a regular expression, or None")
    try:
        return re.compile(constants)
    except re.error as error:
        raise ValueError(f"constants is {constants!r}, which is no regular expression: {error}") from None
