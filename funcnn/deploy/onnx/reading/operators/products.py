"""Matrix products, sums of products, and sums, means and extremes over axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcnn.deploy.onnx.reading.operators.operator import Made, Operator, Values, axes_of, constant, summed_to
from funcnn.deploy.onnx.reading.program import Called

# Any: arrays of all kinds.


def matmul_forward(node: Called, inputs: Values) -> Made:
    return (np.matmul(*inputs),), inputs


def matmul_backward(node: Called, inputs: Any, dys: Values) -> Values:
    a, b = inputs
    rows = a[np.newaxis] if a.ndim == 1 else a
    columns = b[:, np.newaxis] if b.ndim == 1 else b
    dy = dys[0]
    dy = np.expand_dims(dy, -1) if b.ndim == 1 else dy
    dy = np.expand_dims(dy, -2) if a.ndim == 1 else dy
    da = summed_to(np.matmul(dy, columns.swapaxes(-1, -2)), rows.shape)
    db = summed_to(np.matmul(rows.swapaxes(-1, -2), dy), columns.shape)
    return da.reshape(a.shape), db.reshape(b.shape)


def gemm_forward(node: Called, inputs: Values) -> Made:
    a, b, c = [*inputs, None][:3]
    left = a.T if node.attributes.get("transA") else a
    right = b.T if node.attributes.get("transB") else b
    y = left.dot(right)
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    if alpha != 1:
        y *= y.dtype.type(alpha)
    if c is not None:
        y = y + (c if beta == 1 else c * y.dtype.type(beta))
    return (y,), (left, right, None if c is None else c.shape, len(inputs))


def gemm_backward(node: Called, kept: Any, dys: Values) -> Values:
    left, right, shape, count = kept
    dy = dys[0]
    scaled = dy * dy.dtype.type(node.attributes.get("alpha", 1.0))
    da, db = scaled.dot(right.T), left.T.dot(scaled)
    da = da.T if node.attributes.get("transA") else da
    db = db.T if node.attributes.get("transB") else db
    dc = None if shape is None else summed_to(dy * dy.dtype.type(node.attributes.get("beta", 1.0)), shape)
    return (da, db, dc)[:count]


def terms(node: Called) -> tuple[list[str], str]:
    """Return the letters of the inputs and of the output."""
    equation = node.attributes["equation"].replace(" ", "")
    given, arrow, made = equation.partition("->")
    if not arrow or any(len(set(one)) != len(one) for one in (*given.split(","), made) if "..." not in one):
        raise node.refuse(f"its equation {equation!r} has no output, or a letter twice in one term")
    return given.split(","), made


def einsum_forward(node: Called, inputs: Values) -> Made:
    given, made = terms(node)
    return (np.einsum(f"{','.join(given)}->{made}", *inputs),), inputs


def einsum_backward(node: Called, inputs: Any, dys: Values) -> Values:
    """Sum the other factors with the cotangent of the output; a letter that a factor has alone is repeated."""
    given, made = terms(node)
    found = []
    for index, own in enumerate(given):
        others = [(term, x) for place, (term, x) in enumerate(zip(given, inputs, strict=True)) if place != index]
        seen = set(made).union(*[term for term, _ in others])
        kept = "".join(letter for letter in own if letter in seen or letter == ".")
        equation = f"{','.join([made, *[term for term, _ in others]])}->{kept}"
        dx = np.einsum(equation, dys[0], *[x for _, x in others])
        alone = [axis for axis, letter in enumerate(own.replace("...", "")) if letter not in seen]
        if alone and "..." in own:
            raise node.refuse("a letter stands in one term alone, beside an ellipsis")
        for axis in alone:
            dx = np.expand_dims(dx, axis)
        found.append(np.broadcast_to(dx, inputs[index].shape).copy() if alone else summed_to(dx, inputs[index].shape))
    return found


def reduced(kind: str) -> Operator:
    """Make a sum, a mean, a length, a maximum or a minimum over axes."""

    def forward(node: Called, inputs: Values) -> Made:
        x, axes = inputs[0], axes_of(node, inputs)
        if not axes and node.attributes.get("noop_with_empty_axes"):
            return (x.copy(),), None
        places = tuple([axis % x.ndim for axis in axes]) if axes else tuple(range(x.ndim))
        y = VALUES[kind](x, places)
        shown = (
            y if node.attributes.get("keepdims", 1) else y.reshape([n for axis, n in enumerate(x.shape) if axis not in places])
        )
        return (shown,), (x, y, places, len(inputs))

    def backward(node: Called, kept: Any, dys: Values) -> Values:
        if kept is None:
            return (dys[0], None)
        x, y, places, count = kept
        dy = dys[0].reshape(y.shape)
        points = int(np.prod([x.shape[axis] for axis in places]))
        return (np.broadcast_to(pulled(kind, x, y, dy, places, points), x.shape).copy(), *[None] * (count - 1))

    return Operator(forward, backward)


def log_sum_of_powers(x: Any, axes: tuple[int, ...]) -> Any:
    top = x.real.max(axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    return top + np.log(np.exp(x - top).sum(axes, keepdims=True))


VALUES = {
    "ReduceSum": lambda x, axes: x.sum(axes, keepdims=True),
    "ReduceMean": lambda x, axes: x.mean(axes, keepdims=True, dtype=x.dtype if x.dtype.kind in "fc" else None),
    "ReduceMax": lambda x, axes: x.max(axes, keepdims=True),
    "ReduceMin": lambda x, axes: x.min(axes, keepdims=True),
    "ReduceL1": lambda x, axes: np.abs(x).sum(axes, keepdims=True),
    "ReduceL2": lambda x, axes: np.sqrt((x * x).sum(axes, keepdims=True)),
    "ReduceSumSquare": lambda x, axes: (x * x).sum(axes, keepdims=True),
    "ReduceLogSum": lambda x, axes: np.log(x.sum(axes, keepdims=True)),
    "ReduceLogSumExp": log_sum_of_powers,
}


def pulled(kind: str, x: Any, y: Any, dy: Any, axes: tuple[int, ...], points: int) -> Any:
    """Return the cotangent of x; of several largest entries the first one gets it."""
    if kind == "ReduceSum":
        return dy
    if kind == "ReduceMean":
        return dy / points
    if kind == "ReduceL1":
        return dy * np.sign(x)
    if kind == "ReduceL2":
        return dy * x / np.where(y == 0, 1, y)
    if kind == "ReduceSumSquare":
        return dy * 2 * x
    if kind == "ReduceLogSum":
        return dy / np.exp(y)
    if kind == "ReduceLogSumExp":
        return dy * np.exp(x - y)
    moved = np.moveaxis(x == y, axes, range(-len(axes), 0))
    flat = moved.reshape(*moved.shape[: moved.ndim - len(axes)], -1)
    first = (np.arange(flat.shape[-1]) == flat.argmax(-1)[..., np.newaxis]).reshape(moved.shape)
    return dy * np.moveaxis(first, range(-len(axes), 0), axes)


def argmax(node: Called, inputs: Values) -> tuple[Any]:
    axis, x = node.attributes.get("axis", 0), inputs[0]
    last = node.attributes.get("select_last_index")
    found = x.shape[axis] - 1 - np.flip(x, axis).argmax(axis) if last else x.argmax(axis)
    return (np.expand_dims(found, axis) if node.attributes.get("keepdims", 1) else found,)


def top_forward(node: Called, inputs: Values) -> Made:
    x, k = inputs[0], int(np.asarray(inputs[1]).reshape(()))
    axis = node.attributes.get("axis", -1) % x.ndim
    order = np.argsort(x, axis, kind="stable")
    if node.attributes.get("largest", 1):  # equal ones in their order, the largest first
        order = np.flip(x.shape[axis] - 1 - np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
    order = order.take(np.arange(k), axis)
    return (np.take_along_axis(x, order, axis), order.astype(np.int64)), (order, axis, x.shape)


def top_backward(node: Called, kept: Any, dys: Values) -> Values:
    order, axis, shape = kept
    dx = np.zeros(shape, dys[0].dtype)
    np.put_along_axis(dx, order, dys[0], axis)
    return dx, None


def cumsum_forward(node: Called, inputs: Values) -> Made:
    if node.attributes.get("exclusive") or node.attributes.get("reverse"):
        raise node.refuse("it is exclusive, or goes backwards")
    axis = int(inputs[1])
    return (np.cumsum(inputs[0], axis, dtype=inputs[0].dtype),), axis


def cumsum_backward(node: Called, axis: Any, dys: Values) -> Values:
    return np.flip(np.cumsum(np.flip(dys[0], axis), axis), axis), None


OPERATORS: dict[str, Operator] = {
    "MatMul": Operator(matmul_forward, matmul_backward),
    "Gemm": Operator(gemm_forward, gemm_backward),
    "Einsum": Operator(einsum_forward, einsum_backward),
    "ArgMax": constant(argmax),
    "ArgMin": constant(lambda node, inputs: argmax(node, (-inputs[0].astype(np.result_type(inputs[0], np.int8)),))),
    "TopK": Operator(top_forward, top_backward),
    "CumSum": Operator(cumsum_forward, cumsum_backward),
    **{kind: reduced(kind) for kind in VALUES},
}
