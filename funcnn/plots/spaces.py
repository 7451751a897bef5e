r"""Many dimensions in two: representations by their principal components, and the loss over a plane of parameters.

The plane of :func:`loss_landscape` is that of Li et al. (2018), Visualizing the loss landscape of neural nets, arXiv:1712.09913,
section 4: two random directions, each scaled so that every filter of it is as large as the parameters' own,
$$ d \leftarrow \frac{d}{\lVert d \rVert}\, \lVert p \rVert \quad\text{for the numbers of each output channel}, $$
and 0 for what is no matrix (biases, scales).  Without it the picture says more of the scale of the weights than of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.errors import check_count, check_finite, check_range, describe, is_plain, shown
from funcnn.key import Key, check_key
from funcnn.layer import Eval, Layer, check_layer
from funcnn.losses.loss import Loss
from funcnn.plots.figure import ORANGE, PathLike, check_ending, finish, new_figure, plain_axes
from funcnn.typing import Array, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


def embedding(x: Array, labels: IntArray | None = None, path: PathLike | None = None, *, classes: Sequence[str] = ()) -> Figure:
    """Draw representations in the plane of their two largest principal components.

    Parameters
    ----------
    x : array (n, d)
        A representation of each example, such as the output of an encoder; at least two of each.
    labels : array (n,), optional
        Integers, by which points are coloured.
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.
    classes : sequence of str, optional
        What the labels mean, for the legend.

    Returns
    -------
    matplotlib.figure.Figure
        The axes say which share of the variance they show.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    TypeError, ValueError
        When these are no such numbers and labels, or the ending is another.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.plots.embedding(np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 1.0]])).axes[0].get_xlabel()
    'first component (98 % of the variance)'
    """
    if path is not None:
        check_ending(path)
    if not is_plain(x) or x.dtype.kind != "f" or x.ndim != 2 or min(x.shape) < 2:
        raise TypeError(f"x is {describe(x)}, expected floating numbers (n, d) with at least two rows and two columns")
    check_finite(x, "x")
    if labels is not None and (not is_plain(labels) or labels.dtype.kind not in "iu" or labels.shape != x.shape[:1]):
        raise TypeError(f"labels is {describe(labels)}, expected an integer for each of {len(x)} rows")
    places, shares = principal(x)
    figure = new_figure(5.4, 4.4)
    axes = figure.add_subplot()
    if labels is None:
        axes.scatter(places[:, 0], places[:, 1], s=12, alpha=0.6, linewidths=0)
    else:
        for number in np.unique(labels):
            name = classes[number] if 0 <= number < len(classes) else str(number)
            own = places[labels == number]
            axes.scatter(own[:, 0], own[:, 1], s=12, alpha=0.6, linewidths=0, label=name)
        axes.legend(frameon=False, fontsize=8)
    for name, share, put in (("first", shares[0], axes.set_xlabel), ("second", shares[1], axes.set_ylabel)):
        put(f"{name} component ({100 * share:.0f} % of the variance)")
    plain_axes(axes)
    return finish(figure, path)


def principal(x: Array) -> tuple[Array, Array]:
    """Return the first two principal components of rows (n, 2), and the shares of the variance that they have."""
    centred = x.astype(float) - x.astype(float).mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    total = np.square(sizes).sum()
    signs = np.where(left[np.abs(left).argmax(0), range(left.shape[1])] < 0, -1, 1)  # a component has no sign of its own
    places = (left * sizes * signs)[:, :2]
    return places, np.square(sizes[:2]) / (total or 1.0)


@frozen(eq=False)
class LossLandscape:
    """The loss over a plane of parameters: what :func:`loss_landscape` gives."""

    first: Array
    """How far the points lie along the first direction (k,)."""
    second: Array
    """How far along the second (k,)."""
    loss: Array
    """The loss there (k, k), the second direction along axis 0."""


def loss_landscape(
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    params: P,
    state: S,
    x: X,
    target: T,
    *,
    key: Key,
    grid: tuple[float, int] = (1.0, 21),
) -> LossLandscape:
    """Return the loss over a plane through the parameters, along two random directions as large as the filters are.

    Parameters
    ----------
    model : Layer
    loss : Loss
    params, state : tree
    x, target : array or tree of arrays
        The batch on which the loss is taken, in evaluation mode.
    key : Key
        Its children 0 and 1 draw the directions.
    grid : (float, int), optional
        How far the plane reaches to either side, where 1 is as far as the parameters are from 0; and how many points there are
        along each side: an odd number has the parameters themselves in the middle.

    Returns
    -------
    LossLandscape

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model, loss = fn.dense(4) >> fn.tanh() >> fn.dense(1), fn.mean_squared_error()
    >>> start = model.init(fn.Key(0), (2,))
    >>> x, y = np.ones((5, 2)), np.ones((5, 1))
    >>> seen = fn.plots.loss_landscape(model, loss, start.params, start.state, x, y, key=fn.Key(1), grid=(0.5, 5))
    >>> seen.loss.shape, bool(seen.loss[2, 2] == loss.forward(fn.apply(model, start.params, start.state, x), y).value)
    ((5, 5), True)
    """
    check_layer(model, "model")
    if not isinstance(loss, Loss):
        raise TypeError(f"loss is {shown(loss)}, expected a loss, such as fn.mean_squared_error()")
    if not isinstance(grid, tuple):
        raise TypeError(f"grid is {shown(grid)}, expected how far it reaches and the number of points: (1.0, 21)")
    reach = check_range(grid[0], "how far the grid reaches (grid[0])", 0.0, np.inf, open_low=True, open_high=True)
    count = check_count(grid[1], "the points of the grid (grid[1])", 2)
    along = [filter_normalized(check_key(key).child(number), params) for number in (0, 1)]
    places = np.linspace(-reach, reach, count)
    values = np.empty((count, count))
    with np.errstate(all="ignore"):
        for row, b in enumerate(places):
            for column, a in enumerate(places):
                there = moved(params, along, (float(a), float(b)))
                output = model.forward(there, state, x, Eval(residuals=False)).output
                values[row, column] = loss.forward(output, target).value
    return LossLandscape(places, places.copy(), values)


def moved(params: P, along: Sequence[P], far: Sequence[float]) -> P:
    """Return parameters so far along some directions."""
    made = []
    for own, *directions in zip(*[tree.leaves(one) for one in (params, *along)], strict=True):
        there: Array = own
        for a, direction in zip(far, directions, strict=True):
            there = there + a * direction
        made.append(there.astype(own.dtype))
    return tree.rebuild(params, iter(made))


def filter_normalized(key: Key, params: P) -> P:
    """Return a random direction whose every output channel is as long as that of the parameters; 0 for vectors."""
    generator = key.generator()

    def draw(leaf: Array) -> Array:
        direction = generator.standard_normal(leaf.shape)
        if leaf.ndim < 2 or leaf.dtype.kind != "f":
            return np.zeros_like(leaf)
        others = tuple(range(leaf.ndim - 1))
        own, drawn = (np.sqrt(np.square(one.astype(float)).sum(others)) for one in (leaf, direction))
        scaled: Array = (direction * (own / drawn)).astype(leaf.dtype)
        return scaled

    return tree.map(draw, params)


def landscape(seen: LossLandscape, path: PathLike | None = None) -> Figure:
    """Draw the loss over a plane of parameters as lines of equal height.

    Parameters
    ----------
    seen : LossLandscape
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.

    Returns
    -------
    matplotlib.figure.Figure
        The parameters are the cross in the middle; what is not finite is left out.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    TypeError, ValueError
        When this is no landscape, nothing of it is finite, or the ending is another.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> places = np.linspace(-1, 1, 5)
    >>> bowl = fn.plots.LossLandscape(places, places, places[:, None] ** 2 + places**2)
    >>> figure = fn.plots.landscape(bowl)
    """
    if path is not None:
        check_ending(path)
    if not isinstance(seen, LossLandscape):
        raise TypeError(f"seen is {shown(seen)}, expected what fn.plots.loss_landscape gives")
    height = np.where(np.isfinite(seen.loss), seen.loss, np.nan)
    if np.isnan(height).all():
        raise ValueError("no loss of the landscape is finite: let its grid reach less far")
    figure = new_figure(5.2, 4.4)
    axes = figure.add_subplot()
    low, high = float(np.nanmin(height)), float(np.nanmax(height))
    shown_height = np.log(height) if low > 0 and high > 20 * low else height
    drawn = axes.contourf(seen.first, seen.second, shown_height, levels=24, cmap="viridis")
    figure.colorbar(drawn, label="logarithm of the loss" if shown_height is not height else "loss")
    axes.plot([0], [0], marker="+", color=ORANGE, markersize=11, markeredgewidth=2)
    axes.set(xlabel="along one random direction", ylabel="along another")
    return finish(figure, path)
