"""A fifth lot, written after the fourth was mended: other layers, the classes that are easily confused."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array, IntArray
from tests.check.corpus.entry import Function, Grads, integers, normal, remembering, tricky, uniform, wrong


def sig(x: Array) -> Array:
    y: Array = 1 / (1 + np.exp(-x))
    return y


def gru(x: Array, w: Array, u: Array) -> object:
    """A gated unit with one gate: x (time, batch, d), w and u (d, 2 h), the state starts at zero; all states."""
    n = u.shape[0]
    h, out = np.zeros((x.shape[1], n), x.dtype), []
    for t in range(len(x)):
        a = x[t] @ w + h @ u
        z, c = sig(a[:, :n]), np.tanh(a[:, n:])
        h = z * h + (1 - z) * c
        out.append(h)
    return np.stack(out)


def gru_back(x: Array, w: Array, u: Array, dy: Array, *, keep: bool = True, through: bool = True) -> Grads:
    n, hs = u.shape[0], np.asarray(gru(x, w, u))
    before = np.concatenate([np.zeros_like(hs[:1]), hs[:-1]])
    dx, dw, du, dh = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u), np.zeros_like(hs[0])
    for t in range(len(x) - 1, -1, -1):
        a = x[t] @ w + before[t] @ u
        z, c = sig(a[:, :n]), np.tanh(a[:, n:])
        dh = dh + dy[t]
        da = np.concatenate([dh * (before[t] - c) * z * (1 - z), dh * (1 - z) * (1 - c * c)], 1)
        dx[t], dw, du = da @ w.T, dw + x[t].T @ da, du + before[t].T @ da
        dh = (dh * z if keep else 0 * dh) + (da @ u.T if through else 0 * dh)
    return dx, dw, du


def gru_vjp(x: Array, w: Array, u: Array, dy: Array) -> Grads:
    return gru_back(x, w, u, dy)


GRU = (normal(5, 2, 3), normal(3, 8), 0.5 * normal(4, 8))


@wrong(gru, GRU, "time", "[0]", "[1]", "[2]", right=gru_vjp)
def gru_forgets(x: Array, w: Array, u: Array, dy: Array) -> object:
    """Nothing goes back in time."""
    return gru_back(x, w, u, dy, keep=False, through=False)


def lagged(x: Array, k: Array) -> object:
    """Causal filter of three taps along the first axis."""
    p = np.concatenate([np.zeros_like(x[:2]), x])
    return k[0] * p[2:] + k[1] * p[1:-1] + k[2] * p[:-2]


def lagged_vjp(x: Array, k: Array, dy: Array) -> Grads:
    p = np.concatenate([np.zeros_like(x[:2]), x])
    q = np.concatenate([dy, np.zeros_like(dy[:2])])
    dx = k[0] * q[:-2] + k[1] * q[1:-1] + k[2] * q[2:]
    return dx, np.stack([(dy * p[2:]).sum(), (dy * p[1:-1]).sum(), (dy * p[:-2]).sum()])


LAG = (normal(7, 2), normal(3))


@wrong(lagged, LAG, "permuted", "[0]", right=lagged_vjp)
def lagged_kernel_backwards(x: Array, k: Array, dy: Array) -> object:
    """The taps are taken in reverse."""
    q = np.concatenate([dy, np.zeros_like(dy[:2])])
    return k[2] * q[:-2] + k[1] * q[1:-1] + k[0] * q[2:], lagged_vjp(x, k, dy)[1]


@wrong(lagged, LAG, "shifted", "[1]", right=lagged_vjp)
def lagged_taps_off_by_one(x: Array, k: Array, dy: Array) -> object:
    """Each tap gets the correlation of its neighbour."""
    dx, dk = lagged_vjp(x, k, dy)
    return dx, np.roll(dk, 1)


def bias_add(x: Array, b: Array) -> object:
    """Channels first: (batch, channels, height, width)."""
    return np.tanh(x + b[:, None, None])


def bias_add_vjp(x: Array, b: Array, dy: Array) -> Grads:
    d = dy * (1 - np.tanh(x + b[:, None, None]) ** 2)
    return d, d.sum((0, 2, 3))


IMAGES = (normal(2, 3, 4, 5), normal(3))


@wrong(bias_add, IMAGES, "missing_batch_sum", "[1]", right=bias_add_vjp)
def bias_add_one_image(x: Array, b: Array, dy: Array) -> object:
    """The first image only."""
    d, _ = bias_add_vjp(x, b, dy)
    return d, d[0].sum((1, 2))


@wrong(bias_add, IMAGES, "channel", "[0]", right=bias_add_vjp)
def bias_add_channel(x: Array, b: Array, dy: Array) -> object:
    """The last channel has lost its derivative of tanh."""
    d, db = bias_add_vjp(x, b, dy)
    d[:, 2] = dy[:, 2]
    return d, db


@wrong(bias_add, IMAGES, "constant_factor", "[1]", right=bias_add_vjp)
def bias_add_mean(x: Array, b: Array, dy: Array) -> object:
    """The mean over the batch for the sum."""
    d, db = bias_add_vjp(x, b, dy)
    return d, db / len(x)


def pool2(x: Array) -> object:
    """Average over 2 x 2."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))


def pool2_vjp(x: Array, dy: Array) -> Grads:
    return (dy.repeat(2, axis=1).repeat(2, axis=2) / 4,)


@wrong(pool2, (normal(2, 4, 6, 3),), "constant_factor", "[0]", right=pool2_vjp)
def pool2_half(x: Array, dy: Array) -> object:
    """1/2 for 1/4."""
    return (dy.repeat(2, axis=1).repeat(2, axis=2) / 2,)


@wrong(pool2, (normal(2, 4, 4, 3),), "transpose", "[0]", right=pool2_vjp)
def pool2_transposed(x: Array, dy: Array) -> object:
    """Height and width exchanged."""
    return (pool2_vjp(x, dy)[0].transpose(0, 2, 1, 3).copy(),)


def crop(x: Array) -> object:
    """The middle, squared."""
    return x[:, 1:-1, 1:-1] ** 2


def crop_vjp(x: Array, dy: Array) -> Grads:
    d = np.zeros_like(x)
    d[:, 1:-1, 1:-1] = 2 * x[:, 1:-1, 1:-1] * dy
    return (d,)


@wrong(crop, (uniform(2, 6, 7),), "shifted", "[0]", right=crop_vjp)
def crop_corner(x: Array, dy: Array) -> object:
    """Padded at one side."""
    d = np.zeros_like(x)
    d[:, :-2, 1:-1] = 2 * x[:, 1:-1, 1:-1] * dy
    return (d,)


def smooth2(x: Array) -> object:
    """Mean of four neighbours, edges repeated."""
    p = np.pad(x, 1, mode="edge")
    return (p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2]) / 4


def smooth2_vjp(x: Array, dy: Array) -> Grads:
    p = np.zeros((x.shape[0] + 2, x.shape[1] + 2), x.dtype)
    for rows, columns in ((slice(2, None), slice(1, -1)), (slice(None, -2), slice(1, -1))):
        p[rows, columns] += dy / 4
        p[columns, rows] += dy / 4
    d = p[1:-1, 1:-1].copy()
    d[0] += p[0, 1:-1]
    d[-1] += p[-1, 1:-1]
    d[:, 0] += p[1:-1, 0]
    d[:, -1] += p[1:-1, -1]
    return (d,)


@wrong(smooth2, (normal(5, 6),), "border", "[0]", right=smooth2_vjp)
def smooth2_zero_padding(x: Array, dy: Array) -> object:
    """Zeros outside, in place of the edge."""
    p = np.pad(dy, 1)
    return ((p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2]) / 4,)


def weighted_bce(x: Array, t: Array, w: Array) -> object:
    """Logits, targets, a weight for each class."""
    return (w * (np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x))))).mean()


def weighted_bce_vjp(x: Array, t: Array, w: Array, dy: Array) -> tuple[Array, Array, Array]:
    per = np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
    return dy * w * (sig(x) - t) / x.size, -dy * w * x / x.size, dy * per.sum(0) / x.size


BCE = (normal(5, 3), integers(5, 3, below=2).astype(float), uniform(3))


@wrong(weighted_bce, BCE, "missing_term", "[0]", right=weighted_bce_vjp)
def weighted_bce_unweighted(x: Array, t: Array, w: Array, dy: Array) -> object:
    """The weights are left out."""
    _, dt, dw = weighted_bce_vjp(x, t, w, dy)
    return dy * (sig(x) - t) / x.size, dt, dw


@wrong(weighted_bce, BCE, "ignores_dy", "[0]", "[1]", "[2]", right=weighted_bce_vjp)
def weighted_bce_final(x: Array, t: Array, w: Array, dy: Array) -> object:
    """Taken for the last function of all."""
    return weighted_bce_vjp(x, t, w, np.ones_like(dy))


@wrong(weighted_bce, BCE, "row_or_column", "[0]", right=weighted_bce_vjp)
def weighted_bce_row(x: Array, t: Array, w: Array, dy: Array) -> object:
    """The last example is skipped."""
    dx, dt, dw = weighted_bce_vjp(x, t, w, dy)
    dx[-1] = 0
    return dx, dt, dw


def cosine_similarity(a: Array, b: Array) -> object:
    return (a * b).sum(1) / (np.sqrt((a * a).sum(1) * (b * b).sum(1)) + 1e-3)


def cosine_back(a: Array, b: Array, dy: Array, eps: float) -> Grads:
    n, m, d = np.sqrt((a * a).sum(1)), np.sqrt((b * b).sum(1)), (a * b).sum(1)
    q = n * m + eps
    da = (dy / q)[:, None] * b - (dy * d / q**2 * m / n)[:, None] * a
    db = (dy / q)[:, None] * a - (dy * d / q**2 * n / m)[:, None] * b
    return da, db


def cosine_vjp(a: Array, b: Array, dy: Array) -> Grads:
    return cosine_back(a, b, dy, 1e-3)


COSINE = (normal(4, 3), normal(4, 3, seed=1))


@wrong(cosine_similarity, COSINE, "eps_mismatch", "[0]", "[1]", right=cosine_vjp)
def cosine_no_eps(a: Array, b: Array, dy: Array) -> object:
    """The epsilon is left out of both."""
    return cosine_back(a, b, dy, 0.0)


@wrong(cosine_similarity, COSINE, "missing_term", "[0]", right=cosine_vjp)
def cosine_fixed_norm(a: Array, b: Array, dy: Array) -> object:
    """The first norm is taken for a constant."""
    q = np.sqrt((a * a).sum(1) * (b * b).sum(1)) + 1e-3
    return (dy / q)[:, None] * b, cosine_vjp(a, b, dy)[1]


def group_norm(x: Array) -> object:
    """Two groups of channels: (batch, channels, length)."""
    g = x.reshape(len(x), 2, -1)
    c = g - g.mean(2, keepdims=True)
    return (c / np.sqrt((c * c).mean(2, keepdims=True) + 1e-5)).reshape(x.shape)


def group_norm_back(x: Array, dy: Array, divisor: int) -> Grads:
    g, d = x.reshape(len(x), 2, -1), dy.reshape(len(x), 2, -1)
    c = g - g.mean(2, keepdims=True)
    s = np.sqrt((c * c).sum(2, keepdims=True) / divisor + 1e-5)
    n = c / s
    return (((d - d.mean(2, keepdims=True) - n * (d * n).mean(2, keepdims=True)) / s).reshape(x.shape),)


def group_norm_vjp(x: Array, dy: Array) -> Grads:
    return group_norm_back(x, dy, 10)


@wrong(group_norm, (normal(3, 4, 5),), "eps_mismatch", "[0]", right=group_norm_vjp)
def group_norm_unbiased(x: Array, dy: Array) -> object:
    """Nine for ten."""
    return group_norm_back(x, dy, 9)


def mish(x: Array) -> object:
    return x * np.tanh(np.log1p(np.exp(x)))


def mish_vjp(x: Array, dy: Array) -> Grads:
    t = np.tanh(np.log1p(np.exp(x)))
    return (dy * (t + x * (1 - t * t) * sig(x)),)


@wrong(mish, (normal(4, 3),), "approximation", "[0]", right=mish_vjp)
def mish_central(x: Array, dy: Array) -> object:
    """Central differences with the step 0.01."""
    return ((dy * (np.asarray(mish(x + 0.01)) - np.asarray(mish(x - 0.01))) / 0.02).astype(x.dtype),)


def tan_series(x: Array) -> object:
    return np.arctan(x)


@wrong(tan_series, (0.2 * normal(9),), "approximation", "[0]", right=lambda x, dy: (dy / (1 + x * x),))
def arctan_series(x: Array, dy: Array) -> object:
    """1 - x^2 + x^4 for 1/(1 + x^2)."""
    return (dy * (1 - x * x + x**4),)


def exponential(x: Array) -> object:
    return np.exp(x)


@wrong(exponential, (normal(5),), "precision_loss", "[0]", right=lambda x, dy: (dy * np.exp(x),), dtypes=("float64",))
def exponential_half(x: Array, dy: Array) -> object:
    """Through half precision."""
    return (dy * np.exp(x.astype(np.float16)).astype(x.dtype),)


@wrong(exponential, (normal(5),), "nonlinear_in_dy", "[0]", right=lambda x, dy: (dy * np.exp(x),))
def exponential_offset(x: Array, dy: Array) -> object:
    """A small constant is added to dy."""
    return ((dy + 1e-3) * np.exp(x),)


@wrong(exponential, (normal(6),), "nonfinite", "[0]", right=lambda x, dy: (dy * np.exp(x),))
def exponential_by_logarithm(x: Array, dy: Array) -> object:
    """The logarithm of a negative cotangent."""
    with np.errstate(all="ignore"):
        return (np.exp(x + np.log(dy)),)


@remembering((normal(6),), "stale_state", "[0]", right=lambda x, dy: (dy * np.exp(x),))
def exponential_momentum() -> tuple[Function, Function]:
    """Nine tenths of the last gradient are left."""
    kept: dict[object, Array] = {}

    def vjp(x: Array, dy: Array) -> object:
        kept[x.dtype] = 0.9 * kept.get(x.dtype, np.zeros_like(x)) + 0.1 * dy * np.exp(x)
        return (kept[x.dtype].copy(),)

    return exponential, vjp


@remembering((normal(6),), "nondeterministic", "[0]", right=lambda x, dy: (dy * np.exp(x),))
def exponential_permutes() -> tuple[Function, Function]:
    """A random half of the entries is dropped, with one generator for all calls."""
    generator = np.random.default_rng(3)

    def vjp(x: Array, dy: Array) -> object:
        return (dy * np.exp(x) * (generator.random(x.shape) < 0.5),)

    return exponential, vjp


def top(x: Array) -> object:
    """The two largest of each row, in order."""
    return np.sort(x, axis=1)[:, ::-1][:, :2]


def top_vjp(x: Array, dy: Array) -> Grads:
    d = np.zeros_like(x)
    np.put_along_axis(d, np.argsort(x, axis=1)[:, ::-1][:, :2], dy, axis=1)
    return (d,)


@wrong(top, (normal(4, 6),), "permuted", "[0]", right=top_vjp)
def top_ascending(x: Array, dy: Array) -> object:
    """The second's gradient goes to the first, and the other way round."""
    return top_vjp(x, dy[:, ::-1])


def scatter(x: Array, i: IntArray) -> object:
    """Sums of the rows of segments."""
    y = np.zeros((4, x.shape[1]), x.dtype)
    np.add.at(y, i, x * x)
    return y


@wrong(
    scatter, (normal(6, 3), np.array([0, 2, 2, 1, 3, 0])), "constant_factor", "[0]", right=lambda x, i, dy: (2 * x * dy[i], None)
)
def scatter_no_two(x: Array, i: IntArray, dy: Array) -> object:
    """The two of the square."""
    return x * dy[i], None


@wrong(scatter, (normal(6, 3), np.array([0, 2, 2, 1, 3, 0])), "permuted", "[0]", right=lambda x, i, dy: (2 * x * dy[i], None))
def scatter_in_order(x: Array, i: IntArray, dy: Array) -> object:
    """Segments are taken in the order of the rows."""
    return 2 * x * dy[np.sort(i)], None


def trace_product(a: Array, b: Array) -> object:
    return np.einsum("ij,ji->", a, b)


@wrong(trace_product, (normal(3, 3), normal(3, 3, seed=1)), "transpose", "[0]", right=lambda a, b, dy: (dy * b.T, dy * a.T))
def trace_product_left(a: Array, b: Array, dy: Array) -> object:
    """b for its transpose."""
    return dy * b, dy * a.T


def projectile(v: Array, angle: Array) -> object:
    """Ranges on a plane."""
    return v * v * np.sin(2 * angle) / 9.81


@wrong(
    projectile,
    (uniform(4), uniform(4, seed=1)),
    "constant_factor",
    "[1]",
    right=lambda v, a, dy: (2 * dy * v * np.sin(2 * a) / 9.81, 2 * dy * v * v * np.cos(2 * a) / 9.81),
)
def projectile_inner(v: Array, a: Array, dy: Array) -> object:
    """The inner derivative of the double angle."""
    return 2 * dy * v * np.sin(2 * a) / 9.81, dy * v * v * np.cos(2 * a) / 9.81


@wrong(
    projectile,
    (uniform(4), uniform(4, seed=1)),
    "sign_flip",
    "[1]",
    right=lambda v, a, dy: (2 * dy * v * np.sin(2 * a) / 9.81, 2 * dy * v * v * np.cos(2 * a) / 9.81),
)
def projectile_cosine(v: Array, a: Array, dy: Array) -> object:
    """The derivative of the sine with a minus."""
    return 2 * dy * v * np.sin(2 * a) / 9.81, -2 * dy * v * v * np.cos(2 * a) / 9.81


# --------------------------------------------------------------------------------------------------------------- right ones


def floor_mod(x: Array) -> object:
    return np.mod(x, 1.0)


@tricky(floor_mod, (np.array([0.3, 1.7, -0.2, 5.0001]),))
def modulo(x: Array, dy: Array) -> object:
    """A saw tooth, next to a jump."""
    return (dy.copy(),)


@tricky(lambda x: np.linalg.norm(x.astype(np.float64), axis=1), (1e-9 * normal(3, 4),))
def norm_of_little(x: Array, dy: Array) -> object:
    """Vectors of a billionth."""
    return ((dy[:, None] * x / np.sqrt((x * x).sum(1, keepdims=True))).astype(x.dtype),)


@tricky(lambda x: np.log(np.exp(x).sum()), (np.array([30.0, -30.0, 0.0, 29.9]),))
def log_sum(x: Array, dy: Array) -> object:
    """Weights over 26 orders."""
    return (dy * np.exp(x) / np.exp(x).sum(),)


@tricky(lambda x: np.cumprod(x), (np.array([0.5, 0.0, 2.0, -1.0]),))
def product_with_zero(x: Array, dy: Array) -> object:
    """A product through zero."""
    d = np.zeros_like(x)
    for k in range(x.size):
        for j in range(k, x.size):
            d[k] += dy[j] * np.prod(np.delete(x[: j + 1], k))
    return (d,)


@tricky(lambda x, w: np.where(x > 0, x, w * x), (np.array([[0.0, -1.0, 2.0], [3.0, 0.0, -0.5]]), np.array([0.25])))
def prelu_at_zero(x: Array, w: Array, dy: Array) -> object:
    """A learned slope, at the kink."""
    return (dy * np.where(x > 0, 1, w)).astype(x.dtype), (dy * np.minimum(x, 0)).sum(keepdims=True)[0]


@tricky(lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 3.0, 2.0]).astype(x.dtype), (np.array([0.5, 1.5, 1.0, 2.5, -1.0]),))
def interpolation(x: Array, dy: Array) -> object:
    """A table in double precision, at one of its corners, and outside."""
    slope = np.where((x < 0) | (x > 2), 0, np.where(x < 1, 3.0, -1.0))
    return ((dy * slope).astype(x.dtype),)


@tricky(lambda x: np.sum(np.sin(1e4 * x) * 1e-4), (normal(4),))
def tiny_fast_ripples(x: Array, dy: Array) -> object:
    """A period of 6e-4 and an amplitude of 1e-4."""
    return (dy * np.cos(1e4 * x),)


@tricky(lambda x: x * np.abs(x), (np.array([0.0, 1e-30, -2.0]),))
def signed_square(x: Array, dy: Array) -> object:
    """The second derivative jumps at 0."""
    return (2 * dy * np.abs(x),)


@tricky(lambda x: np.float32(1) * np.sin(x.astype(np.float32)), (normal(5).astype(np.float64),))
def sine_in_single(x: Array, dy: Array) -> object:
    """Single precision inside; the gradient is exact."""
    return ((dy * np.cos(x)).astype(x.dtype),)


@tricky(lambda q, k: softmax(q @ k.T * 20), (normal(3, 4), normal(5, 4)))
def sharp_attention(q: Array, k: Array, dy: Array) -> object:
    """Nearly one-hot weights."""
    a = softmax(q @ k.T * 20)
    d = 20 * a * (dy - (a * dy).sum(1, keepdims=True))
    return d @ k, d.T @ q


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    y: Array = e / e.sum(-1, keepdims=True)
    return y


@tricky(lambda x: np.tril(np.ones((4, 4), x.dtype)) @ x, (normal(4, 2),))
def triangular(x: Array, dy: Array) -> object:
    """A constant matrix of zeros and ones."""
    return (np.tril(np.ones((4, 4), x.dtype)).T @ dy,)


@tricky(lambda x: (x - 1) ** 3, (np.array([1.0, 1.0 + 1e-9, 0.0]),))
def cubic_flat(x: Array, dy: Array) -> object:
    """A slope of 3e-18 beside one of 3."""
    return (3 * dy * (x - 1) ** 2,)


@tricky(lambda x: np.maximum(x[0], x[1]), (np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]]),))
def maximum_tie(x: Array, dy: Array) -> object:
    """A tie goes to the second."""
    first = x[0] > x[1]
    return (np.stack([dy * first, dy * ~first]),)
