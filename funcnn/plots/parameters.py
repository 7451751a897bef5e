"""What a network holds: how its numbers are distributed, its gradients by layer, and its first filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from funcnn import tree
from funcnn.errors import describe, is_plain
from funcnn.plots.figure import BLUE, ORANGE, PathLike, check_ending, finish, new_figure, new_panels, plain_axes
from funcnn.typing import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_PANELS = 32


def named_leaves(values: object, what: str) -> list[tuple[str, Array]]:
    """Return the arrays of numbers in a tree with their paths, or raise when there is none."""
    try:
        found = [(path, leaf) for path, leaf in tree.walk(values) if leaf.dtype.kind == "f" and leaf.size]
    except TypeError as error:
        raise TypeError(f"{what} is no tree of arrays: {error}") from None
    if not found:
        raise ValueError(f"{what} holds no array of floating numbers")
    return found


def histograms(values: object, path: PathLike | None = None) -> Figure:
    """Draw how the numbers of every leaf are distributed: of parameters, of gradients, or of activations that were kept.

    Parameters
    ----------
    values : tree of arrays
        The first 32 leaves are drawn.  NaN and infinity are counted in the title of their panel, and left out.
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    TypeError, ValueError
        When there is no array of floating numbers, or the ending is another.

    Examples
    --------
    >>> import funcnn as fn
    >>> start = (fn.dense(8) >> fn.tanh() >> fn.dense(1)).init(fn.Key(0), (4,))
    >>> figure = fn.plots.histograms(start.params)
    >>> figure.axes[0].get_title()
    '[0].weight'
    """
    if path is not None:
        check_ending(path)
    found = named_leaves(values, "values")[:_MOST_PANELS]
    figure, panels = new_panels(len(found), 2.8, 2.2)
    for axes, (name, leaf) in zip(panels, found, strict=True):
        finite = leaf[np.isfinite(leaf)].astype(float)
        lost = leaf.size - finite.size
        if finite.size:
            axes.hist(finite, bins=min(60, max(8, finite.size // 5)), color=BLUE)
        axes.set_title(f"{name or 'values'}{f': {lost} not finite' if lost else ''}", fontsize=8)
        axes.tick_params(labelsize=7)
        plain_axes(axes)
    return finish(figure, path)


def gradient_flow(grads: object, path: PathLike | None = None, *, params: object = None) -> Figure:
    """Draw the size of the gradient of every leaf, from the first layer to the last: where it vanishes or grows.

    Parameters
    ----------
    grads : tree of arrays
        As :func:`loss_and_grad` gives.
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.
    params : tree of arrays, optional
        The parameters: then the gradient's size over theirs is drawn beside it.

    Returns
    -------
    matplotlib.figure.Figure
        Bars of the root mean square, on a logarithmic scale; a gradient of 0 has no bar, and says so.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    TypeError, ValueError
        When there is no array of floating numbers, the trees differ, or the ending is another.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model, loss = fn.dense(8) >> fn.tanh() >> fn.dense(1), fn.mean_squared_error()
    >>> start = model.init(fn.Key(0), (4,))
    >>> step = fn.loss_and_grad(model, loss)
    >>> result = step(start.params, start.state, np.ones((3, 4)), np.ones((3, 1)), fn.Eval())
    >>> figure = fn.plots.gradient_flow(result.grads, params=start.params)
    """
    if path is not None:
        check_ending(path)
    found = named_leaves(grads, "grads")
    sizes = [size_of(leaf) for _, leaf in found]
    shares = None
    if params is not None:
        tree.check_structure(grads, params, "params")
        own = [size_of(leaf) for _, leaf in named_leaves(params, "params")]
        shares = [size / mean if mean else np.nan for size, mean in zip(sizes, own, strict=True)]
    rows = range(len(found))
    figure = new_figure(5.5 if shares is None else 9.5, 0.8 + 0.24 * len(found))
    panels = figure.subplots(1, 1 if shares is None else 2, squeeze=False, sharey=True)[0]
    drawn = [(sizes, "root mean square of the gradient", BLUE)]
    drawn += [] if shares is None else [(shares, "over that of the parameters", ORANGE)]
    for axes, (values, label, colour) in zip(panels, drawn, strict=True):
        seen = [value if np.isfinite(value) and value > 0 else np.nan for value in values]
        axes.barh(rows, seen, color=colour)
        if np.isfinite(seen).any():
            axes.set_xscale("log")
            axes.minorticks_off()
            axes.set_xlim(10.0 ** (np.floor(np.log10(np.nanmin(seen))) - 0.3), 10.0 ** np.ceil(np.log10(np.nanmax(seen))))
        axes.set(xlabel=label)
        plain_axes(axes)
    panels[0].set_yticks(rows, [name + (" (0)" if size == 0 else "") for (name, _), size in zip(found, sizes, strict=True)])
    panels[0].tick_params(axis="y", labelsize=7)
    panels[0].invert_yaxis()
    return finish(figure, path)


def size_of(leaf: Array) -> float:
    """Return the root mean square of numbers, at any scale."""
    largest = float(np.abs(leaf).max())
    if not largest or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.mean(np.square((leaf / largest).astype(float)))))


def filters(weight: Array, path: PathLike | None = None) -> Figure:
    """Draw the kernels of a convolution of images.

    Parameters
    ----------
    weight : array (height, width, channels in, channels out)
        Where three channels come in they are drawn as colours; of others each is drawn, in grey, up to 8 of them.
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.

    Returns
    -------
    matplotlib.figure.Figure
        A column for each channel that goes out, up to 32, each scaled to the range of its own kernel.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    TypeError, ValueError
        When the weight is none of a convolution of images, or the ending is another.

    Examples
    --------
    >>> import funcnn as fn
    >>> start = fn.conv2d(6, 3).init(fn.Key(0), (8, 8, 1))
    >>> len(fn.plots.filters(start.params.weight).axes)
    6
    """
    if path is not None:
        check_ending(path)
    if not is_plain(weight) or weight.dtype.kind != "f" or weight.ndim != 4 or not weight.size:
        raise TypeError(f"weight is {describe(weight)}, expected floating numbers (height, width, channels in, channels out)")
    colours = weight.shape[2] == 3
    columns, lines = min(32, weight.shape[3]), 1 if colours else min(8, weight.shape[2])
    figure = new_figure(0.6 * columns + 0.4, 0.6 * lines + 0.4)
    for line, row in enumerate(figure.subplots(lines, columns, squeeze=False)):
        for column, axes in enumerate(row):
            kernel = weight[..., column].astype(float)
            low, high = kernel.min(), kernel.max()
            scaled = (kernel - low) / (high - low) if high > low else np.full_like(kernel, 0.5)
            axes.imshow(scaled if colours else scaled[..., line], cmap="gray", vmin=0, vmax=1)
            axes.axis("off")
    return finish(figure, path)


def attention(weights: Array, path: PathLike | None = None, *, tokens: tuple[str, ...] = ()) -> Figure:
    """Draw which steps each step attends to.

    Parameters
    ----------
    weights : array (heads, queries, keys) or (queries, keys)
        Attention weights of one example, each row adding up to 1.
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.
    tokens : tuple of str, optional
        What the keys are, as many as there are; also of the queries where these are as many.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each head.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    TypeError, ValueError
        When these are no such weights, or the ending is another.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> len(fn.plots.attention(np.full((2, 3, 3), 1 / 3), tokens=("to", "be", "or")).axes)
    2
    """
    if path is not None:
        check_ending(path)
    if not is_plain(weights) or weights.dtype.kind != "f" or weights.ndim not in (2, 3) or not weights.size:
        raise TypeError(f"weights is {describe(weights)}, expected floating numbers (heads, queries, keys) of one example")
    if not (weights.min() >= 0 and weights.max() <= 1 + 1e-3):
        raise ValueError("weights holds numbers outside of 0 to 1: expected shares, as the softmax of the scores gives")
    heads = weights[None] if weights.ndim == 2 else weights
    if tokens and len(tokens) != heads.shape[2]:
        raise ValueError(f"tokens has {len(tokens)} entries for {heads.shape[2]} keys: each needs one")
    side = min(6.0, 1.5 + 0.25 * max(heads.shape[1:]))
    figure, panels = new_panels(len(heads), side, side)
    for number, (axes, head) in enumerate(zip(panels, heads, strict=True)):
        axes.imshow(head.astype(float), cmap="Blues", vmin=0)
        axes.set_title(f"head {number}", fontsize=8)
        axes.set(xlabel="key", ylabel="query")
        if tokens:
            axes.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=7)
            if heads.shape[1] == len(tokens):
                axes.set_yticks(range(len(tokens)), tokens, fontsize=7)
    return finish(figure, path)
