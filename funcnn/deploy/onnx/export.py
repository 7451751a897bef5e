"""A network as an ONNX file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.data.scaling import MinMax, Standardize
from funcnn.data.whitening import Whiten
from funcnn.deploy.check_network import check_network
from funcnn.deploy.onnx.graph import Graph, MaskedTensor, PooledTensor, Tensor, Translation
from funcnn.deploy.onnx.library import library
from funcnn.deploy.onnx.operators import add, divide, matmul, multiply, subtract
from funcnn.deploy.onnx.write import Interface, to_bytes
from funcnn.errors import check_path, describe, shown
from funcnn.files.atomic_write import write_bytes
from funcnn.grad import apply
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.pooling.max_unpooling import Pooled
from funcnn.masked import Masked
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")

Preparation: TypeAlias = Standardize | MinMax | Whiten
"""What was fitted to the training data and is done to an input before the network sees it."""


def is_names(value: object) -> bool:
    """Tell whether a value is a sequence of strings, and not a string itself."""
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, str) for one in value)


def is_translations(value: object) -> bool:
    """Tell whether a value is a mapping from functions to functions, or None."""
    return value is None or (isinstance(value, Mapping) and all(callable(one) for pair in value.items() for one in pair))


@frozen(eq=False)
class Described:
    """What goes along with a network into a file.

    Parameters
    ----------
    preparation : Standardize, MinMax or Whiten, optional
        What an input goes through before the network: it becomes the first nodes of the graph.
    classes : sequence of str, optional
        The names of the classes, which stand as JSON in the file's metadata, under "classes".
    translations : mapping, optional
        For layers of one's own: from a layer's forward to the function that writes it.  That is called as the forward is, with
        the graph in the first place and without the mode: ``translation(graph, *bound, params, state, x)``.
    """

    preparation: Preparation | None = None
    classes: Sequence[str] | None = None
    translations: Mapping[Callable[..., Any], Translation] | None = None  # Any: forwards of all kinds

    def __attrs_post_init__(self) -> None:
        kinds: object = self.preparation
        if kinds is not None and not isinstance(kinds, (Standardize, MinMax, Whiten)):
            raise TypeError(
                f"preparation is {shown(kinds)}, expected what fn.data.fit_standardize, fit_min_max or fit_whiten gives"
            )
        if self.classes is not None and not is_names(self.classes):
            raise TypeError(f"classes is {shown(self.classes)}, expected a sequence of names")
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
        the file's input.  The network is run on it first, so that what does not fit is said before anything is written.
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


def onnx_bytes(model: Layer[P, S, X, Y], params: P, state: S, x: X, described: Described) -> bytes:
    """Return what :func:`export_onnx` writes."""
    check_network(model, params, state)
    dtype = precision_of(params, x)
    given: Any = x
    prepared = given if described.preparation is None else described.preparation.transform(given)
    network: AnyLayer = model
    y = apply(network, params, state, prepared)
    if described.classes is not None:
        check_classes(described.classes, y)
    from funcnn.deploy.onnx.translations.table import REFUSED, TABLE  # the translations of all layers, and the layers

    own = described.translations or {}
    g = Graph(dtype, {**TABLE, **own}, {one: why for one, why in REFUSED.items() if one not in own})
    inputs, graph_input = named_inputs(g, given)
    made = g.layer(model, params, state, prepare(g, described.preparation, graph_input))
    outputs = list(named_outputs(g, made))
    metadata: dict[str, object] = {} if described.classes is None else {"classes": list(described.classes)}
    return to_bytes(g, Interface(inputs, outputs, model.name, metadata))


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


def arrays_of(x: object) -> Iterator[Array]:
    """Yield the arrays of an input."""
    if isinstance(x, np.ndarray):
        yield x
    elif isinstance(x, Masked):
        yield from (x.values, x.mask)  # type: ignore[misc]  # a mask is an array of booleans
    elif isinstance(x, Pooled):
        yield from (x.values, x.indices)  # type: ignore[misc]  # indices are integers
    elif isinstance(x, tuple):
        for one in x:
            yield from arrays_of(one)
    else:
        raise TypeError(f"the input x is {describe(x)}, expected an array, a tuple of such, Masked or Pooled")


def named_inputs(g: Graph, x: object) -> tuple[list[tuple[str, Tensor]], Any]:  # Any: a tree like x
    """Return the inputs of the graph with their names, and the tree that they make."""
    found: list[tuple[str, Tensor]] = []

    def taken(value: Any, name: str) -> Any:
        if isinstance(value, tuple):
            return tuple([taken(one, f"{name}_{index}") for index, one in enumerate(value)])
        if isinstance(value, Masked):
            return MaskedTensor(taken(value.values, name), taken(value.mask, f"{name}_mask"))
        if isinstance(value, Pooled):
            return PooledTensor(taken(value.values, name), taken(value.indices, f"{name}_indices"))
        list(arrays_of(value))
        kind = np.dtype(np.int64) if value.dtype.kind in "iu" else value.dtype
        found.append((g.fresh(name), Tensor(name, value.shape[1:], kind)))
        return found[-1][1]

    whole = taken(x, "input")
    return found, whole


def named_outputs(g: Graph, y: Any, name: str = "output") -> Iterator[tuple[str, Tensor]]:
    """Write the outputs under their names; a tensor that is an input, or an output already, is handed through."""
    if isinstance(y, tuple):
        for index, one in enumerate(y):
            yield from named_outputs(g, one, f"{name}_{index}")
    elif isinstance(y, MaskedTensor):
        yield from named_outputs(g, y.values, name)
        yield from named_outputs(g, y.mask, f"{name}_mask")
    elif isinstance(y, PooledTensor):
        yield from named_outputs(g, y.values, name)
        yield from named_outputs(g, y.indices, f"{name}_indices")
    else:
        last = g.channels_last(y)
        yield name, g.hand_out(last, name)


def prepare(g: Graph, preparation: Preparation | None, x: Any) -> Any:
    """Write what an input goes through before the network."""
    if preparation is None:
        return x
    dtype = x.dtype

    def known(value: Array, hint: str) -> Tensor:
        return g.constant(value, hint, dtype)

    with g.step("preparation"):
        if isinstance(preparation, Standardize):
            centred = subtract(g, subtract(g, x, known(preparation.mean, "mean")), known(preparation.rest, "rest"))
            return divide(g, centred, known(preparation.scale, "scale"))
        if isinstance(preparation, MinMax):
            low, high = (float(one) for one in preparation.interval.astype(dtype))
            part = divide(g, subtract(g, x, known(preparation.minimum, "minimum")), known(preparation.span, "span"))
            return add(g, multiply(g, subtract(g, 1.0, part), low), multiply(g, part, high))
        return matmul(g, subtract(g, x, known(preparation.mean, "mean")), known(preparation.matrix, "matrix"))
