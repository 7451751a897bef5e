"""Composition of layers, first to last; ``a >> b >> c`` is the same.

The rule itself, the chain rule, stands in :mod:`funcnn.layer.chain_rule`; this file gives it its static types: the parameter
tree of ``serial(a, b, c)`` is the tuple of theirs.
"""

from typing import TypeVar, overload

from funcnn.layer import AnyLayer, Layer, chain

P1 = TypeVar("P1")
P2 = TypeVar("P2")
P3 = TypeVar("P3")
P4 = TypeVar("P4")
P5 = TypeVar("P5")
P6 = TypeVar("P6")
P7 = TypeVar("P7")
P8 = TypeVar("P8")
P9 = TypeVar("P9")
P10 = TypeVar("P10")
P11 = TypeVar("P11")
P12 = TypeVar("P12")
S1 = TypeVar("S1")
S2 = TypeVar("S2")
S3 = TypeVar("S3")
S4 = TypeVar("S4")
S5 = TypeVar("S5")
S6 = TypeVar("S6")
S7 = TypeVar("S7")
S8 = TypeVar("S8")
S9 = TypeVar("S9")
S10 = TypeVar("S10")
S11 = TypeVar("S11")
S12 = TypeVar("S12")
X0 = TypeVar("X0")
X1 = TypeVar("X1")
X2 = TypeVar("X2")
X3 = TypeVar("X3")
X4 = TypeVar("X4")
X5 = TypeVar("X5")
X6 = TypeVar("X6")
X7 = TypeVar("X7")
X8 = TypeVar("X8")
X9 = TypeVar("X9")
X10 = TypeVar("X10")
X11 = TypeVar("X11")
X12 = TypeVar("X12")
P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")


@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    /,
) -> Layer[tuple[P1], tuple[S1], X0, X1]: ...
@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    l2: Layer[P2, S2, X1, X2],
    /,
) -> Layer[tuple[P1, P2], tuple[S1, S2], X0, X2]: ...
@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    l2: Layer[P2, S2, X1, X2],
    l3: Layer[P3, S3, X2, X3],
    /,
) -> Layer[tuple[P1, P2, P3], tuple[S1, S2, S3], X0, X3]: ...
@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    l2: Layer[P2, S2, X1, X2],
    l3: Layer[P3, S3, X2, X3],
    l4: Layer[P4, S4, X3, X4],
    /,
) -> Layer[tuple[P1, P2, P3, P4], tuple[S1, S2, S3, S4], X0, X4]: ...
@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    l2: Layer[P2, S2, X1, X2],
    l3: Layer[P3, S3, X2, X3],
    l4: Layer[P4, S4, X3, X4],
    l5: Layer[P5, S5, X4, X5],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5], tuple[S1, S2, S3, S4, S5], X0, X5]: ...
@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    l2: Layer[P2, S2, X1, X2],
    l3: Layer[P3, S3, X2, X3],
    l4: Layer[P4, S4, X3, X4],
    l5: Layer[P5, S5, X4, X5],
    l6: Layer[P6, S6, X5, X6],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5, P6], tuple[S1, S2, S3, S4, S5, S6], X0, X6]: ...
@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    l2: Layer[P2, S2, X1, X2],
    l3: Layer[P3, S3, X2, X3],
    l4: Layer[P4, S4, X3, X4],
    l5: Layer[P5, S5, X4, X5],
    l6: Layer[P6, S6, X5, X6],
    l7: Layer[P7, S7, X6, X7],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5, P6, P7], tuple[S1, S2, S3, S4, S5, S6, S7], X0, X7]: ...
@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    l2: Layer[P2, S2, X1, X2],
    l3: Layer[P3, S3, X2, X3],
    l4: Layer[P4, S4, X3, X4],
    l5: Layer[P5, S5, X4, X5],
    l6: Layer[P6, S6, X5, X6],
    l7: Layer[P7, S7, X6, X7],
    l8: Layer[P8, S8, X7, X8],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5, P6, P7, P8], tuple[S1, S2, S3, S4, S5, S6, S7, S8], X0, X8]: ...
@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    l2: Layer[P2, S2, X1, X2],
    l3: Layer[P3, S3, X2, X3],
    l4: Layer[P4, S4, X3, X4],
    l5: Layer[P5, S5, X4, X5],
    l6: Layer[P6, S6, X5, X6],
    l7: Layer[P7, S7, X6, X7],
    l8: Layer[P8, S8, X7, X8],
    l9: Layer[P9, S9, X8, X9],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5, P6, P7, P8, P9], tuple[S1, S2, S3, S4, S5, S6, S7, S8, S9], X0, X9]: ...
@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    l2: Layer[P2, S2, X1, X2],
    l3: Layer[P3, S3, X2, X3],
    l4: Layer[P4, S4, X3, X4],
    l5: Layer[P5, S5, X4, X5],
    l6: Layer[P6, S6, X5, X6],
    l7: Layer[P7, S7, X6, X7],
    l8: Layer[P8, S8, X7, X8],
    l9: Layer[P9, S9, X8, X9],
    l10: Layer[P10, S10, X9, X10],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5, P6, P7, P8, P9, P10], tuple[S1, S2, S3, S4, S5, S6, S7, S8, S9, S10], X0, X10]: ...
@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    l2: Layer[P2, S2, X1, X2],
    l3: Layer[P3, S3, X2, X3],
    l4: Layer[P4, S4, X3, X4],
    l5: Layer[P5, S5, X4, X5],
    l6: Layer[P6, S6, X5, X6],
    l7: Layer[P7, S7, X6, X7],
    l8: Layer[P8, S8, X7, X8],
    l9: Layer[P9, S9, X8, X9],
    l10: Layer[P10, S10, X9, X10],
    l11: Layer[P11, S11, X10, X11],
    /,
) -> Layer[tuple[P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11], tuple[S1, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11], X0, X11]: ...
@overload
def serial(
    l1: Layer[P1, S1, X0, X1],
    l2: Layer[P2, S2, X1, X2],
    l3: Layer[P3, S3, X2, X3],
    l4: Layer[P4, S4, X3, X4],
    l5: Layer[P5, S5, X4, X5],
    l6: Layer[P6, S6, X5, X6],
    l7: Layer[P7, S7, X6, X7],
    l8: Layer[P8, S8, X7, X8],
    l9: Layer[P9, S9, X8, X9],
    l10: Layer[P10, S10, X9, X10],
    l11: Layer[P11, S11, X10, X11],
    l12: Layer[P12, S12, X11, X12],
    /,
) -> Layer[
    tuple[P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12],
    tuple[S1, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11, S12],
    X0,
    X12,
]: ...
@overload  # any number of one type: of so many that no other overload fits too
def serial(
    l1: Layer[P, S, X, X],
    l2: Layer[P, S, X, X],
    l3: Layer[P, S, X, X],
    l4: Layer[P, S, X, X],
    l5: Layer[P, S, X, X],
    l6: Layer[P, S, X, X],
    l7: Layer[P, S, X, X],
    l8: Layer[P, S, X, X],
    l9: Layer[P, S, X, X],
    l10: Layer[P, S, X, X],
    l11: Layer[P, S, X, X],
    l12: Layer[P, S, X, X],
    l13: Layer[P, S, X, X],
    /,
    *layers: Layer[P, S, X, X],
) -> Layer[tuple[P, ...], tuple[S, ...], X, X]: ...
def serial(*layers: AnyLayer) -> AnyLayer:
    """Compose layers: the output of each is the input of the next.

    Parameters
    ----------
    *layers : Layer
        At least one.  Up to twelve of any types keep their exact types; any number of one type gives ``tuple[P, ...]``.
        Longer networks of unlike layers nest, ``serial(serial(...), serial(...))``, or are written with ``>>``.

    Returns
    -------
    Layer
        Its parameters, state and residuals are the tuples of the layers'; ``>>`` does not flatten it.

    Raises
    ------
    ValueError
        When there is no layer; in ``init``, ``forward`` and ``backward``, what the layers raise, with the path of the layer
        noted.
    TypeError
        When something is not a layer.

    Examples
    --------
    >>> import funcnn as fn
    >>> model = fn.serial(fn.dense(16), fn.relu(), fn.dense(3))
    >>> start = model.init(fn.Key(0), (4,))
    >>> start.params[2].bias.shape, start.out_shape
    ((3,), (3,))
    >>> model == fn.serial(fn.dense(16), fn.relu(), fn.dense(3))
    True
    """
    return chain(layers)
