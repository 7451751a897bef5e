r"""Graph convolution (Kipf and Welling 2017, arXiv:1609.02907, eq. 2), of graphs that are given by their edges.

Indices: $n$ example, a graph of $N$ nodes $i, j$ and edges $i \to j$; $c$ feature of $I$, $o$ of $O$.

Forward.  With $w_{nij}$ the number of edges from $i$ to $j$, and one more from each node to itself, a node takes the features of
those that lead to it:
$$ d_{nj} = \sum_i w_{nij}, \qquad \hat w_{nij} = \frac{w_{nij}}{\sqrt{d_{ni}\, d_{nj}}}, \qquad
   y_{njo} = \sum_i \hat w_{nij} \sum_c x_{nic}\, W_{co} + b_o . $$

Derivation.  Linear in $x$ and in $W$.  What a node sent on collects the cotangents of all that took it, backwards along edges:
$$ \bar z_{nio} = \sum_j \hat w_{nij}\, \bar y_{njo}, \qquad \bar W_{co} = \sum_{ni} x_{nic}\, \bar z_{nio}, \qquad
   \bar x_{nic} = \sum_o W_{co}\, \bar z_{nio}, \qquad \bar b_o = \sum_{nj} \bar y_{njo} . $$
Edges are integers, without a gradient.
"""

from functools import partial
from typing import TypeAlias, cast

import numpy as np
from attrs import frozen

from funcnn import initializers
from funcnn.errors import check_cotangent, check_count, check_features, describe
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix, sum_axis0
from funcnn.kernels.scatter import scatter_rows
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.linear.dense import DenseParams
from funcnn.typing import Array, Empty, IntArray, Shape, Shapes

Graphs: TypeAlias = tuple[Array, IntArray]


@frozen(eq=False)
class GraphEdges:
    """Edges of all graphs of a batch, those of each node to itself among them, by the numbers of nodes in the batch."""

    source: IntArray  # (E,)
    target: IntArray  # (E,)
    weight: Array  # (E, 1)


@frozen(eq=False)
class GraphResiduals:
    """The features and the edges."""

    x: Array  # (n, N, I)
    edges: GraphEdges


def check_shapes(shapes: object) -> None:
    """Raise unless an example is (N, I) and (E, 2)."""
    fits = isinstance(shapes, tuple) and len(shapes) == 2 and all(isinstance(one, tuple) and len(one) == 2 for one in shapes)
    if not fits or cast("tuple[Shape, Shape]", shapes)[1][1] != 2:
        raise ValueError(f"the shapes of an example are {shapes}, expected (nodes, features) and (edges, 2)")


def init(features: int, weight_init: Initializer, bias_init: Initializer, key: Key, in_shape: Shapes) -> Init[DenseParams, Empty]:
    check_shapes(in_shape)
    nodes, inputs = cast("tuple[Shape, Shape]", in_shape)[0]
    params = DenseParams(weight_init(key.child(0), (inputs, features)), bias_init(key.child(1), (features,)))
    return Init(params, (), (nodes, features))


def checked_graphs(params: DenseParams, x: object) -> Graphs:
    """Return the features and the edges, or raise."""
    if not isinstance(x, tuple) or len(x) != 2:
        raise TypeError(f"the input is {describe(x)}, expected a pair (features of nodes, edges)")
    values, edges = x
    check_features(values, params.weight)
    if not isinstance(edges, np.ndarray) or edges.dtype.kind not in "iu":
        raise TypeError(f"the edges, input [1], are {describe(edges)}, expected an array of integers (n, edges, 2)")
    check_shapes((values.shape[1:], edges.shape[1:]))
    if len(values) != len(edges):
        raise ValueError(f"there are {len(values)} examples of features and {len(edges)} of edges, expected as many")
    if edges.size and (edges.max() >= values.shape[1] or edges.min() < -1):
        raise ValueError(
            f"the edges, input [1], are from {edges.min()} to {edges.max()}, expected nodes from 0 to {values.shape[1] - 1},"
            " or -1 for no edge"
        )
    half = (edges < 0).any(-1) & (edges >= 0).any(-1)
    if half.any():
        example, place = np.argwhere(half)[0].tolist()
        raise ValueError(
            f"the edges, input [1], have {edges[example, place].tolist()} at example {example}, edge {place}: expected two nodes,"
            " or twice -1 for no edge"
        )
    return values, edges


def normalized_edges(edges: IntArray, nodes: int, dtype: np.dtype[np.floating]) -> GraphEdges:
    """Return the edges (n, E, 2) and those of nodes to themselves, each with its weight."""
    real = (edges >= 0).all(-1)
    numbered = (edges.astype(np.intp) + nodes * np.arange(len(edges))[:, np.newaxis, np.newaxis])[real]
    own = np.arange(len(edges) * nodes)
    source, target = np.concatenate([numbered[:, 0], own]), np.concatenate([numbered[:, 1], own])
    rate = 1 / np.sqrt(np.bincount(target, minlength=len(own)).astype(dtype))
    return GraphEdges(source, target, (rate[source] * rate[target])[:, np.newaxis])


def forward(params: DenseParams, state: Empty, x: object, mode: Mode) -> Forward[Array, Empty, GraphResiduals]:
    values, given = checked_graphs(params, x)
    edges = normalized_edges(given, values.shape[1], values.real.dtype)
    sent = as_matrix(values) @ params.weight
    y = scatter_rows(edges.target, sent[edges.source] * edges.weight, len(sent)) + params.bias
    return Forward(y.reshape(*values.shape[:2], y.shape[-1]), state, GraphResiduals(values, edges))


def backward(params: DenseParams, residuals: GraphResiduals, dy: Array) -> Backward[DenseParams, Graphs]:
    x, edges = residuals.x, residuals.edges
    check_cotangent(dy, (*x.shape[:2], params.weight.shape[1]), params.weight.dtype)
    rows = as_matrix(dy)
    dsent = scatter_rows(edges.source, rows[edges.target] * edges.weight, len(rows))
    grads = DenseParams(as_matrix(x).T @ dsent, sum_axis0(rows))
    dx = (dsent @ params.weight.T).reshape(x.shape)
    return Backward(grads, (dx, cast(IntArray, None)))  # edges have no cotangent


def graph_convolution(
    features: int,
    *,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[DenseParams, Empty, Graphs, Array]:
    """Mix the features of neighbours in a graph, then map them: a pair (n, nodes, I), (n, edges, 2) to (n, nodes, features).

    Parameters
    ----------
    features : int
        Number of outputs O of a node.
    weight_init, bias_init : callable, optional
        Initializers ``(key, shape) -> array`` of the weight (I, O) and of the bias (O,).

    Returns
    -------
    Layer
        Parameters as those of :func:`funcnn.dense`.  Edges are integers: from the first node to the second; an edge in both
        directions stands twice, one of twice -1 is none, so that graphs of unequal size fit one array.  Every node has an edge to
        itself besides.  Time and memory grow with the number of edges.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init`` and ``forward``, when features and edges do not fit together, or an edge
        leads to a node that is not there.

    References
    ----------
    Kipf and Welling (2017), Semi-supervised classification with graph convolutional networks, arXiv:1609.02907.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.graph_convolution(4)
    >>> start = layer.init(fn.Key(0), ((3, 2), (2, 2)))
    >>> edges = np.array([[[0, 1], [1, 0]]])
    >>> fn.apply(layer, start.params, start.state, (np.ones((1, 3, 2)), edges)).shape
    (1, 3, 4)

    Two layers of one graph: the edges go on beside the features.

    >>> first = fn.branch(fn.graph_convolution(4) >> fn.relu(), fn.pick_input(1))
    >>> model = first >> fn.graph_convolution(2)
    >>> model.init(fn.Key(0), ((3, 2), (2, 2))).out_shape
    (3, 2)
    """
    features = check_count(features, "features")
    weight_init, bias_init = check_initializer(weight_init, "weight_init"), check_initializer(bias_init, "bias_init")
    return define_layer(
        f"graph_convolution({features})",
        partial(init, features, weight_init, bias_init),
        forward,
        backward,
        random=False,
        inputs=None,
    )
