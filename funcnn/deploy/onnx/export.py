"""A network as an ONNX file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.data.scaling import MinMax, Standardize
from funcnn.data.tables.targets import NumberTarget
from funcnn.data.tables.transform import TableTransform
from funcnn.data.whitening import Whiten
from funcnn.deploy.check_network import check_network
from funcnn.deploy.onnx.graph import Graph, Tensor, Translation
from funcnn.deploy.onnx.interface import arrays_of, named_outputs
from funcnn.deploy.onnx.library import library
from funcnn.deploy.onnx.operators import concatenate, subtract
from funcnn.deploy.onnx.preparation import Pixels, Preparation, entered
from funcnn.deploy.onnx.table_columns import decoded
from funcnn.deploy.onnx.write import Interface, to_bytes
from funcnn.errors import check_flag, check_path, describe, shown
from funcnn.files.atomic_write import write_bytes
from funcnn.grad import apply
from funcnn.layer import AnyLayer, Layer

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")


def is_names(value: object) -> bool:
    """Tell whether a value is a sequence of strings, and not a string itself."""
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, str) for one in value)


def is_texts(value: object) -> bool:
    """Tell whether a value is a mapping from strings to strings."""
    return isinstance(value, Mapping) and all(isinstance(one, str) for pair in value.items() for one in pair)


def is_translations(value: object) -> bool:
    """Tell whether a value is a mapping from functions to functions, or None."""
    return value is None or (isinstance(value, Mapping) and all(callable(one) for pair in value.items() for one in pair))


@frozen(eq=False)
class Described:
    """What goes along with a network into a file.

    Parameters
    ----------
    preparation : Standardize, MinMax, Whiten or TableTransform, optional
        What an input goes through before the network: it becomes the first nodes of the graph.  With a transform of tables the
        file has an input (n,) for each column, named after it: float64 for numbers and truth values (NaN where one is missing),
        int64 for moments (microseconds since 1970; the least integer where one is missing), and texts for categories ("" where
        one is missing).  Its metadata has what is known of the columns as JSON, under "columns".  Where the target is a number,
        the output is a prediction (n,) in its own unit, as ``transform.decode`` gives it.
    classes : sequence of str, optional
        The names of the classes, which stand as JSON in the file's metadata, under "classes"; by default those of a transform.
    probabilities : bool, optional
        Whether the file gives ``probabilities`` beside the scores of the classes, ``output``: their softmax along the last axis,
        or for one score of two classes the logistic function.
    metadata : mapping of str to str, optional
        More entries of the metadata.
    translations : mapping, optional
        For layers of one's own: from a layer's forward to the function that writes it.  That is called as the forward is, with
        the graph in the first place and without the mode: ``translation(graph, *bound, params, state, x)``.
    """

    preparation: Preparation | None = None
    classes: Sequence[str] | None = None
    probabilities: bool = False
    metadata: Mapping[str, str] = field(factory=dict)
    translations: Mapping[Callable[..., Any], Translation] | None = None  # Any: forwards of all kinds

    def __attrs_post_init__(self) -> None:
        kinds: object = self.preparation
        if kinds is not None and not isinstance(kinds, (Standardize, MinMax, Whiten, TableTransform, Pixels)):
            raise TypeError(
                f"preparation is {shown(kinds)}, expected what fn.data.fit_standardize, fit_min_max, fit_whiten or fit_table"
                " gives"
            )
        if self.classes is not None and not is_names(self.classes):
            raise TypeError(f"classes is {shown(self.classes)}, expected a sequence of names")
        check_flag(self.probabilities, "probabilities")
        if not is_texts(self.metadata):
            raise TypeError(f"metadata is {shown(self.metadata)}, expected a mapping from texts to texts")
        if not is_translations(self.translations):
            raise TypeError(
                f"translations is {shown(self.translations)}, expected a mapping from the forwards of layers to functions"
            )


def export_onnx(
    path: str | os.PathLike[str],
    model: Layer[P, S, X, Y],
    params: P,
    state: S,
    x: X,
    *,
    described: Described | None = None,
) -> None:
    """Write the prediction of a network as an ONNX file, which other programs run (onnxruntime, OpenVINO, web browsers).

    The file computes what :func:`funcnn.apply` does, for batches of any length.  Its operators are those of set 18, with channels
    first between convolutions; the names of its nodes are the paths of the layers.  ONNX's own checker has looked at it before it
    is written.  The package ``onnx`` does this: ``pip install 'funcnn[onnx]'``.

    Parameters
    ----------
    path : str or path-like
        The file, which is replaced atomically.
    model, params, state
        The network and what it has learned, in float32 or float64.
    x : array or tree of arrays
        A batch such as the file will be given, before any preparation: its dtype and the shape of its examples become those of
        the file's input; with a transform of tables the features that it gives.  The network is run on it first, so that what
        does not fit is said before anything is written.
    described : Described, optional
        A preparation of the input, names of classes, and translations of layers of one's own.

    Raises
    ------
    ExportError
        When a layer cannot be expressed; the message has its path, such as ``layer [1][0] laplacian(...)``.
    TypeError
        When an argument is of the wrong kind, or the precision is neither float32 nor float64.
    ValueError
        When the number of classes is not that of the output, or the file would have more than 2 GiB.
    ModuleNotFoundError
        When the package ``onnx`` is not installed.

    Notes
    -----
    onnxruntime has no kernels in double precision for convolutions, average pools and recurrent nodes: export what has them in
    float32 (``fn.tree.astype``) to run it there.  A single input is called ``input``, several ``input_0``, ``input_1``, ...; a
    mask is an input of its own, named after its values.  Outputs are called likewise.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(8) >> fn.relu() >> fn.dense(3)
    >>> start = model.init(fn.Key(0), (4,))
    >>> x = np.zeros((1, 4))
    >>> fn.deploy.export_onnx("model.onnx", model, start.params, start.state, x)  # doctest: +SKIP
    """
    target = check_path(path, "path")
    how: object = described
    if not isinstance(how, Described | None):
        raise TypeError(f"described is {shown(described)}, expected fn.deploy.Described(...)")
    check_network(model, params, state)
    library()
    write_bytes(target, onnx_bytes(model, params, state, x, described or Described()))


Finish: TypeAlias = Callable[[Graph, Any, Any], Iterator[tuple[str, Tensor]]]
"""Writes more outputs, of what the network is given and of what it gives."""

OUTPUTS = ("output", "probabilities", "error")
"""Names that an input may not take."""


def onnx_bytes(model: Layer[P, S, X, Y], params: P, state: S, x: X, described: Described, finish: Finish | None = None) -> bytes:
    """Return what :func:`export_onnx` writes."""
    check_network(model, params, state)
    dtype = precision_of(params, x)
    given: Any = x
    preparation, target = described.preparation, None
    prepared = preparation.transform(given) if isinstance(preparation, Standardize | MinMax | Whiten) else given
    network: AnyLayer = model
    y = apply(network, params, state, prepared)
    names = described.classes
    if isinstance(preparation, TableTransform):
        names, target = names or preparation.classes or None, preparation.target
    if names is not None:
        check_classes(names, y)
    from funcnn.deploy.onnx.translations.table import REFUSED, TABLE  # the translations of all layers, and the layers

    own = described.translations or {}
    g = Graph(dtype, {**TABLE, **own}, {one: why for one, why in REFUSED.items() if one not in own})
    for name in OUTPUTS:
        g.fresh(name)
    begin = entered(g, preparation, given)
    made = g.layer(model, params, state, begin.x)
    outputs = list(named_outputs(g, decoded(g, target, made) if isinstance(target, NumberTarget) else made))
    if described.probabilities:
        outputs += named_outputs(g, probabilities_of(g, made), "probabilities")
    if finish is not None:
        outputs += finish(g, begin.x, made)
    metadata: dict[str, object] = {**described.metadata, **begin.metadata}
    if names is not None:
        metadata["classes"] = list(names)
    return to_bytes(g, Interface(begin.inputs, outputs, model.name, metadata))


def probabilities_of(g: Graph, scores: Any) -> Tensor:  # Any: whatever a network gives
    """Write the probabilities of classes, of which one may have no score of its own."""
    if not isinstance(scores, Tensor) or not scores.shape or scores.dtype.kind != "f":
        raise TypeError("probabilities=True: the network gives something else than one array of scores (n, ..., classes)")
    scores = g.channels_last(scores)
    if scores.shape[-1] > 1:
        return g.node("Softmax", [scores], scores.shape, axis=-1)
    second = g.node("Sigmoid", [scores], scores.shape)
    return concatenate(g, [subtract(g, 1.0, second), second])


def precision_of(params: object, x: object) -> np.dtype[np.floating]:
    """Return the precision of the parameters, or of the input where there are none."""
    kinds = {leaf.dtype for leaf in tree.leaves(params) if leaf.dtype.kind == "f"} or {
        leaf.dtype for leaf in arrays_of(x) if leaf.dtype.kind == "f"
    }
    if len(kinds) > 1:
        raise TypeError(f"the parameters are {', '.join(sorted(map(str, kinds)))}, expected one precision: use fn.tree.astype")
    dtype = next(iter(kinds), np.dtype(np.float32))
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"the parameters are {dtype}, and ONNX has float32 and float64: use fn.tree.astype(params, np.float32)")
    return dtype


def check_classes(classes: Sequence[str], y: object) -> None:
    """Raise unless there is a name for each number of the last axis of the output; one number alone is for two classes."""
    size = y.shape[-1] if isinstance(y, np.ndarray) and y.ndim > 1 else None
    if size is not None and len(classes) != size and not (size == 1 and len(classes) == 2):
        raise ValueError(f"there are {len(classes)} names of classes, and the output {describe(y)} has {size}")
