"""A sixth lot, written by someone who had not seen the other lots: mistakes as they are made in other compositions."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array, BoolArray, IntArray
from tests.check.corpus.entry import Function, Grads, integers, normal, remembering, tricky, uniform, wrong

# ------------------------------------------------------------------------------------------------------------ tied weights


def tied(x: Array, w: Array) -> object:
    """An autoencoder with one weight (d, h), used twice."""
    return np.tanh(x @ w) @ w.T


def tied_vjp(x: Array, w: Array, dy: Array) -> Grads:
    h = np.tanh(x @ w)
    da = (dy @ w) * (1 - h * h)
    return da @ w.T, x.T @ da + dy.T @ h


TIED = (normal(5, 4), normal(4, 3))


@wrong(tied, TIED, "missing_term", "[1]", right=tied_vjp)
def tied_used_once(x: Array, w: Array, dy: Array) -> Grads:
    """The use of the weight in the decoder is forgotten."""
    h = np.tanh(x @ w)
    da = (dy @ w) * (1 - h * h)
    return da @ w.T, x.T @ da


# ------------------------------------------------------------------------------------------------------------ bilinear form


def scores(x: Array, w: Array, z: Array) -> object:
    """Scores of all pairs of rows: x (m, d), w (d, d), z (n, d)."""
    return x @ w @ z.T


def scores_vjp(x: Array, w: Array, z: Array, dy: Array) -> Grads:
    return dy @ z @ w.T, x.T @ dy @ z, dy.T @ x @ w


SCORES = (normal(3, 4), normal(4, 4), normal(5, 4))


@wrong(scores, SCORES, "transpose", "[1]", right=scores_vjp)
def scores_weight_transposed(x: Array, w: Array, z: Array, dy: Array) -> Grads:
    """The weight is square, so its gradient fits either way."""
    return dy @ z @ w.T, z.T @ dy.T @ x, dy.T @ x @ w


# ------------------------------------------------------------------------------------------------------------ normalization


def over_time(x: Array, gain: Array) -> object:
    """Normalize over the middle axis: (batch, time, channels), gain (channels,)."""
    c = x - x.mean(1, keepdims=True)
    return gain * c / np.sqrt((c * c).mean(1, keepdims=True) + x.dtype.type(1e-3))


def over_time_back(x: Array, gain: Array, dy: Array, axis: int = 1, centre: bool = True) -> Grads:
    c = x - x.mean(1, keepdims=True)
    s = 1 / np.sqrt((c * c).mean(1, keepdims=True) + x.dtype.type(1e-3))
    n, d = c * s, dy * gain
    back = d - n * (d * n).mean(axis, keepdims=True)
    if centre:
        back -= d.mean(axis, keepdims=True)
    return s * back, (dy * n).sum((0, 1))


def over_time_vjp(x: Array, gain: Array, dy: Array) -> Grads:
    return over_time_back(x, gain, dy)


TIMES = (normal(2, 5, 3), uniform(3))


@wrong(over_time, TIMES, "wrong_axis", "[0]", right=over_time_vjp)
def over_time_over_channels(x: Array, gain: Array, dy: Array) -> Grads:
    """The means in the gradient run over the channels."""
    return over_time_back(x, gain, dy, axis=2)


@wrong(over_time, TIMES, "missing_term", "[0]", right=over_time_vjp)
def over_time_mean_held(x: Array, gain: Array, dy: Array) -> Grads:
    """The mean is taken for a constant."""
    return over_time_back(x, gain, dy, centre=False)


def root_mean_square(x: Array) -> object:
    """Divide by the root mean square of a row; the epsilon is 0.05."""
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + x.dtype.type(0.05))


def root_mean_square_back(x: Array, dy: Array, eps: float = 0.05) -> Grads:
    s = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + x.dtype.type(eps))
    return (s * (dy - x * s * s * (dy * x).mean(-1, keepdims=True)),)


def root_mean_square_vjp(x: Array, dy: Array) -> Grads:
    return root_mean_square_back(x, dy)


@wrong(root_mean_square, (normal(3, 5),), "eps_mismatch", "[0]", right=root_mean_square_vjp)
def root_mean_square_other_epsilon(x: Array, dy: Array) -> Grads:
    """Backward has an epsilon of its own."""
    return root_mean_square_back(x, dy, 1e-3)


# --------------------------------------------------------------------------------------------------------------- attention


def soft(z: Array, axis: int = -1) -> Array:
    e: Array = np.exp(z - z.max(axis, keepdims=True))
    p: Array = e / e.sum(axis, keepdims=True)
    return p


def attend(q: Array, k: Array, v: Array) -> object:
    """Attention of queries (b, m, d) over keys (b, n, d) and values (b, n, e)."""
    return soft(q @ k.transpose(0, 2, 1) / np.sqrt(q.dtype.type(q.shape[-1]))) @ v


def attend_back(q: Array, k: Array, v: Array, dy: Array, *, scaled: bool = True, centred: bool = True) -> Grads:
    root = np.sqrt(q.dtype.type(q.shape[-1]))
    p = soft(q @ k.transpose(0, 2, 1) / root)
    dp = dy @ v.transpose(0, 2, 1)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True)) if centred else p * dp
    if scaled:
        ds = ds / root
    return ds @ k, ds.transpose(0, 2, 1) @ q, p.transpose(0, 2, 1) @ dy


def attend_vjp(q: Array, k: Array, v: Array, dy: Array) -> Grads:
    return attend_back(q, k, v, dy)


ATTEND = (normal(2, 2, 5), normal(2, 3, 5), normal(2, 3, 4))


@wrong(attend, ATTEND, "constant_factor", "[0]", "[1]", right=attend_vjp)
def attend_unscaled(q: Array, k: Array, v: Array, dy: Array) -> Grads:
    """The division by the root of the width is forgotten on the way back."""
    return attend_back(q, k, v, dy, scaled=False)


@wrong(attend, ATTEND, "missing_term", "[0]", "[1]", right=attend_vjp)
def attend_uncentred(q: Array, k: Array, v: Array, dy: Array) -> Grads:
    """The softmax's Jacobian without its second term."""
    return attend_back(q, k, v, dy, centred=False)


# ------------------------------------------------------------------------------------------------------------- convolution


def smooth(x: Array, w: Array) -> object:
    """Filter each row of images (b, h, w) along the width by five taps, zeros around."""
    p = np.pad(x, ((0, 0), (0, 0), (2, 2)))
    return sum(w[k] * p[:, :, k : k + x.shape[2]] for k in range(5))


def smooth_vjp(x: Array, w: Array, dy: Array) -> Grads:
    p, q = (np.pad(one, ((0, 0), (0, 0), (2, 2))) for one in (x, dy))
    n = x.shape[2]
    dx = sum(w[k] * q[:, :, 4 - k : 4 - k + n] for k in range(5))
    return np.asarray(dx), np.stack([(dy * p[:, :, k : k + n]).sum() for k in range(5)])


SMOOTH = (normal(2, 2, 7), normal(5))


@wrong(smooth, SMOOTH, "border", "[0]", right=smooth_vjp)
def smooth_inside_only(x: Array, w: Array, dy: Array) -> Grads:
    """The gradient stays away from the border, as without padding."""
    dx, dw = smooth_vjp(x, w, dy)
    dx[:, :, :2] = 0
    dx[:, :, -2:] = 0
    return dx, dw


@wrong(smooth, SMOOTH, "permuted", "[0]", right=smooth_vjp)
def smooth_not_flipped(x: Array, w: Array, dy: Array) -> Grads:
    """The transposed convolution with the kernel the wrong way round."""
    return smooth_vjp(x, w[::-1], dy)[0], smooth_vjp(x, w, dy)[1]


# --------------------------------------------------------------------------------------------------------------- sequences


def leaky(x: Array, w: Array, u: Array) -> object:
    """A leaky network (batch, time, d): h = 0.7 h + 0.3 tanh(x w + h u), its last state."""
    h = np.zeros((len(x), u.shape[0]), x.dtype)
    for t in range(x.shape[1]):
        h = x.dtype.type(0.7) * h + x.dtype.type(0.3) * np.tanh(x[:, t] @ w + h @ u)
    return h


def leaky_back(x: Array, w: Array, u: Array, dy: Array, steps: int | None = None) -> Grads:
    a, b, h = x.dtype.type(0.7), x.dtype.type(0.3), np.zeros((len(x), u.shape[0]), x.dtype)
    before, tanhs = [], []
    for t in range(x.shape[1]):
        before.append(h)
        tanhs.append(np.tanh(x[:, t] @ w + h @ u))
        h = a * h + b * tanhs[-1]
    dx, dw, du = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u)
    for t in list(range(x.shape[1] - 1, -1, -1))[:steps]:
        da = b * dy * (1 - tanhs[t] ** 2)
        dx[:, t], dw, du = da @ w.T, dw + x[:, t].T @ da, du + before[t].T @ da
        dy = a * dy + da @ u.T
    return dx, dw, du


def leaky_vjp(x: Array, w: Array, u: Array, dy: Array) -> Grads:
    return leaky_back(x, w, u, dy)


LEAKY = (normal(2, 5, 2), normal(2, 3), 0.5 * normal(3, 3))


@wrong(leaky, LEAKY, "time", "[0]", "[1]", "[2]", right=leaky_vjp)
def leaky_last_step(x: Array, w: Array, u: Array, dy: Array) -> Grads:
    """Only the last step is gone back."""
    return leaky_back(x, w, u, dy, 1)


# -------------------------------------------------------------------------------------------------------------- regression


def ridge(w: Array, x: Array, t: Array) -> object:
    """Mean squared error with weight decay."""
    return ((x @ w - t) ** 2).mean() + x.dtype.type(0.3) * (w * w).sum()


def ridge_vjp(w: Array, x: Array, t: Array, dy: Array) -> Grads:
    r = 2 * dy * (x @ w - t) / t.size
    return x.T @ r + 2 * x.dtype.type(0.3) * dy * w, r @ w.T, -r


RIDGE = (normal(3, 2), normal(7, 3), normal(7, 2))


@wrong(ridge, RIDGE, "missing_term", "[0]", right=ridge_vjp)
def ridge_without_decay(w: Array, x: Array, t: Array, dy: Array) -> Grads:
    """The penalty is in the loss and not in its gradient."""
    r = 2 * dy * (x @ w - t) / t.size
    return x.T @ r, r @ w.T, -r


@wrong(ridge, RIDGE, "constant_factor", "[0]", "[1]", "[2]", right=ridge_vjp)
def ridge_summed(w: Array, x: Array, t: Array, dy: Array) -> Grads:
    """The decay is right, the mean is taken for a sum, and then everything is halved."""
    return tuple(half * dy.dtype.type(0.5) for half in ridge_vjp(w, x, t, dy))


def orthogonal(x: Array) -> object:
    """How far the columns are from orthonormal."""
    g = x.T @ x - np.eye(x.shape[1], dtype=x.dtype)
    return (g * g).sum()


def orthogonal_vjp(x: Array, dy: Array) -> Grads:
    return (4 * dy * x @ (x.T @ x - np.eye(x.shape[1], dtype=x.dtype)),)


@wrong(orthogonal, (normal(6, 3),), "constant_factor", "[0]", right=orthogonal_vjp)
def orthogonal_half(x: Array, dy: Array) -> Grads:
    """Both factors hold x: the product rule gives twice this."""
    return (2 * dy * x @ (x.T @ x - np.eye(x.shape[1], dtype=x.dtype)),)


def weighted_entropy(z: Array, labels: IntArray, weight: Array) -> object:
    """Cross-entropy with class weights, divided by the sum of the weights."""
    p, rows = soft(z), np.arange(len(z))
    own = weight[labels]
    return -(own * np.log(p[rows, labels])).sum() / own.sum()


def weighted_entropy_back(z: Array, labels: IntArray, weight: Array, dy: Array, by: Array) -> tuple[Array, None, Array]:
    p, rows = soft(z), np.arange(len(z))
    own = weight[labels]
    loss = -np.log(p[rows, labels])
    d = p.copy()
    d[rows, labels] -= 1
    dweight = np.zeros_like(weight)
    np.add.at(dweight, labels, dy * (loss - (own * loss).sum() / own.sum()) / own.sum())
    return dy * d * own[:, None] / by, None, dweight


def weighted_entropy_vjp(z: Array, labels: IntArray, weight: Array, dy: Array) -> tuple[Array, None, Array]:
    return weighted_entropy_back(z, labels, weight, dy, weight[labels].sum())


ENTROPY = (normal(7, 4), integers(7, below=4), uniform(4))


@wrong(weighted_entropy, ENTROPY, "constant_factor", "[0]", right=weighted_entropy_vjp)
def weighted_entropy_by_count(z: Array, labels: IntArray, weight: Array, dy: Array) -> tuple[Array, None, Array]:
    """Divided by the number of examples instead of the sum of their weights."""
    return weighted_entropy_back(z, labels, weight, dy, np.asarray(len(z), z.dtype))


# ----------------------------------------------------------------------------------------------------------- modulation


def film(x: Array, gain: Array, shift: Array) -> object:
    """Each channel scaled and shifted, per example: x (b, t, c), gain and shift (b, c)."""
    return np.tanh(gain[:, None] * x + shift[:, None])


def film_vjp(x: Array, gain: Array, shift: Array, dy: Array) -> Grads:
    d = dy * (1 - np.tanh(gain[:, None] * x + shift[:, None]) ** 2)
    return d * gain[:, None], (d * x).sum(1), d.sum(1)


FILM = (normal(3, 5, 4), uniform(3, 4), normal(3, 4))


@wrong(film, FILM, "swapped_leaf", "[1]", "[2]", right=film_vjp)
def film_swapped(x: Array, gain: Array, shift: Array, dy: Array) -> Grads:
    """Gain and shift have one shape, and each other's gradient."""
    dx, dgain, dshift = film_vjp(x, gain, shift, dy)
    return dx, dshift, dgain


@wrong(film, FILM, "channel", "[0]", right=film_vjp)
def film_channel(x: Array, gain: Array, shift: Array, dy: Array) -> Grads:
    """The gain of the second channel is left out."""
    dx, dgain, dshift = film_vjp(x, gain, shift, dy)
    dx[:, :, 1] /= gain[:, None, 1]
    return dx, dgain, dshift


@wrong(film, FILM, "zero_gradient", "[1]", right=film_vjp)
def film_gain_held(x: Array, gain: Array, shift: Array, dy: Array) -> Grads:
    """The gain is taken for a constant."""
    dx, _, dshift = film_vjp(x, gain, shift, dy)
    return dx, np.zeros_like(gain), dshift


def positions(x: Array, table: Array) -> object:
    """Add a vector for each step: x (b, t, d), table (t, d)."""
    return np.sin(x + table)


def positions_vjp(x: Array, table: Array, dy: Array) -> Grads:
    d = dy * np.cos(x + table)
    return d, d.sum(0)


POSITIONS = (normal(4, 5, 3), normal(5, 3))


@wrong(positions, POSITIONS, "missing_batch_sum", "[1]", right=positions_vjp)
def positions_overwritten(x: Array, table: Array, dy: Array) -> Grads:
    """Each example overwrites what the one before it gave."""
    d = dy * np.cos(x + table)
    dtable = np.zeros_like(table)
    for one in d:
        dtable[:] = one
    return d, dtable


@wrong(positions, POSITIONS, "approximation", "[0]", right=positions_vjp)
def positions_by_series(x: Array, table: Array, dy: Array) -> Grads:
    """The cosine by four terms of its series."""
    z = x + table
    series = 1 - z**2 / 2 + z**4 / 24 - z**6 / 720
    return dy * series, positions_vjp(x, table, dy)[1]


# ------------------------------------------------------------------------------------------------------- masks and regions


def dropped(x: Array, mask: BoolArray) -> object:
    """Inverted dropout of three quarters, on squares."""
    return np.where(mask, x * x / x.dtype.type(0.75), 0)


def dropped_vjp(x: Array, mask: BoolArray, dy: Array) -> tuple[Array, None]:
    return np.where(mask, 2 * x * dy / x.dtype.type(0.75), 0), None


@wrong(dropped, (normal(5, 8), integers(5, 8, below=4) > 0), "region", "[0]", right=dropped_vjp)
def dropped_anyhow(x: Array, mask: BoolArray, dy: Array) -> tuple[Array, None]:
    """The mask is not used on the way back."""
    return 2 * x * dy / x.dtype.type(0.75), None


def dead_band(x: Array) -> object:
    """Huber's function, of width 0.8."""
    c = x.dtype.type(0.8)
    return np.where(np.abs(x) <= c, x * x / 2, c * np.abs(x) - c * c / 2)


def dead_band_vjp(x: Array, dy: Array) -> Grads:
    return (dy * np.clip(x, -x.dtype.type(0.8), x.dtype.type(0.8)),)


@wrong(dead_band, (normal(6, 9),), "region", "[0]", right=dead_band_vjp)
def dead_band_one_sided(x: Array, dy: Array) -> Grads:
    """Clipped from above and not from below."""
    return (dy * np.minimum(x, x.dtype.type(0.8)),)


# --------------------------------------------------------------------------------------------------------- single numbers


def polynomial(x: Array, c: Array) -> object:
    """The sum of c[k] x**k, by Horner's rule."""
    y = np.zeros_like(x)
    for one in c[::-1]:
        y = y * x + one
    return y


def polynomial_vjp(x: Array, c: Array, dy: Array) -> Grads:
    k = np.arange(len(c))
    powers = x[..., None] ** k.astype(x.dtype)
    slopes = (c[1:] * k[1:].astype(x.dtype) * powers[..., :-1]).sum(-1)
    return dy * slopes, (dy[..., None] * powers).sum((0, 1))


POLYNOMIAL = (normal(3, 4), normal(6))


@wrong(polynomial, POLYNOMIAL, "single_entry", "[1]", right=polynomial_vjp)
def polynomial_without_constant(x: Array, c: Array, dy: Array) -> Grads:
    """The loop over the coefficients begins at 1."""
    dx, dc = polynomial_vjp(x, c, dy)
    dc[0] = 0
    return dx, dc


def triangular(m: Array, x: Array) -> object:
    """The product of a lower triangle with vectors."""
    return np.tril(m) @ x


def triangular_vjp(m: Array, x: Array, dy: Array) -> Grads:
    return np.tril(dy @ x.T), np.tril(m).T @ dy


TRIANGULAR = (normal(5, 5), normal(5, 3))


@wrong(triangular, TRIANGULAR, "row_or_column", "[1]", right=triangular_vjp)
def triangular_last_row(m: Array, x: Array, dy: Array) -> Grads:
    """The loop over the rows ends one too early."""
    dl, dx = triangular_vjp(m, x, dy)
    dx[-1] = 0
    return dl, dx


@wrong(triangular, TRIANGULAR, "region", "[0]", right=triangular_vjp)
def triangular_all(m: Array, x: Array, dy: Array) -> Grads:
    """The entries above the diagonal have no influence, but get a gradient."""
    return dy @ x.T, np.tril(m).T @ dy


# ------------------------------------------------------------------------------------------------------- signs and places


def ranking(a: Array, b: Array) -> object:
    """Smooth ranking loss: softplus of the difference."""
    return np.logaddexp(0, b - a)


def ranking_vjp(a: Array, b: Array, dy: Array) -> Grads:
    p = dy / (1 + np.exp(a - b))
    return -p, p


@wrong(ranking, (normal(8), normal(8, seed=1)), "sign_flip", "[1]", right=ranking_vjp)
def ranking_both_down(a: Array, b: Array, dy: Array) -> Grads:
    """The worse one gets the sign of the better one."""
    da, _ = ranking_vjp(a, b, dy)
    return da, da.copy()


def rolled(x: Array) -> object:
    """Each step is given the exponential of the step two before, in a circle."""
    return np.roll(np.exp(x), 2, 0)


def rolled_vjp(x: Array, dy: Array) -> Grads:
    return (np.exp(x) * np.roll(dy, -2, 0),)


@wrong(rolled, (normal(7, 3),), "shifted", "[0]", right=rolled_vjp)
def rolled_too_little(x: Array, dy: Array) -> Grads:
    """The gradient goes back one step and not two."""
    return (np.roll(np.exp(x) * np.roll(dy, -2, 0), 1, 0),)


ORDER = np.array([3, 0, 4, 1, 5, 2])


def reordered(x: Array) -> object:
    """Rows in another order."""
    return (x**3)[ORDER]


def reordered_vjp(x: Array, dy: Array) -> Grads:
    return (3 * x * x * dy[np.argsort(ORDER)],)


@wrong(reordered, (normal(6, 4),), "permuted", "[0]", right=reordered_vjp)
def reordered_again(x: Array, dy: Array) -> Grads:
    """The same order is applied once more instead of being undone."""
    return (3 * x * x * dy[ORDER],)


# ---------------------------------------------------------------------------------------------------------- the cotangent


def pooled_energy(x: Array) -> object:
    """The smooth maximum of each row."""
    top = x.max(1)
    return top + np.log(np.exp(x - top[:, None]).sum(1))


def pooled_energy_vjp(x: Array, dy: Array) -> Grads:
    return (dy[:, None] * soft(x),)


ENERGY = (normal(5, 6),)


@wrong(pooled_energy, ENERGY, "ignores_dy", "[0]", right=pooled_energy_vjp)
def pooled_energy_gradient(x: Array, dy: Array) -> Grads:
    """The gradient of the sum, whatever is done with the output."""
    return (soft(x),)


@wrong(pooled_energy, ENERGY, "nonlinear_in_dy", "[0]", right=pooled_energy_vjp)
def pooled_energy_clipped(x: Array, dy: Array) -> Grads:
    """The gradient is clipped where it is made."""
    return (np.clip(dy[:, None] * soft(x), -0.05 * np.ones(1, x.dtype), 0.05 * np.ones(1, x.dtype)),)


@wrong(pooled_energy, ENERGY, "mutates_dy", "dy", right=pooled_energy_vjp)
def pooled_energy_in_place(x: Array, dy: Array) -> Grads:
    """The cotangent is divided where it stands."""
    e = np.exp(x - x.max(1, keepdims=True))
    dy /= e.sum(1)
    return (dy[:, None] * e,)


@wrong(pooled_energy, ENERGY, "mutates_input", "[0]", right=pooled_energy_vjp)
def pooled_energy_overwrites(x: Array, dy: Array) -> Grads:
    """Saves memory by writing the exponentials into x."""
    x -= x.max(1, keepdims=True)
    e = np.exp(x)
    return (dy[:, None] * e / e.sum(1, keepdims=True),)


@wrong(pooled_energy, ENERGY, "shape", "[0]", right=pooled_energy_vjp)
def pooled_energy_flat(x: Array, dy: Array) -> Grads:
    """The gradient comes back as a vector."""
    return ((dy[:, None] * soft(x)).reshape(-1),)


@wrong(pooled_energy, ENERGY, "precision_loss", "[0]", right=pooled_energy_vjp, dtypes=("float64",))
def pooled_energy_half(x: Array, dy: Array) -> Grads:
    """Computed in single precision to save time."""
    return ((dy[:, None].astype(np.float32) * soft(x.astype(np.float32))).astype(x.dtype),)


@wrong(pooled_energy, ENERGY, "dtype", "[0]", right=pooled_energy_vjp, dtypes=("float32",))
def pooled_energy_double(x: Array, dy: Array) -> Grads:
    """A constant makes the gradient double."""
    return (pooled_energy_vjp(x, dy)[0] * np.ones(1),)


def merge(a: Array, b: Array) -> object:
    """The sum of two branches."""
    return a + b


def merge_vjp(a: Array, b: Array, dy: Array) -> Grads:
    return dy.copy(), dy.copy()


@wrong(merge, (normal(3, 4), normal(3, 4, seed=1)), "aliasing", "[0]", "[1]", right=merge_vjp)
def merge_same(a: Array, b: Array, dy: Array) -> Grads:
    """Both branches are handed the very cotangent."""
    return dy, dy


def named(parts: dict[str, Array]) -> object:
    """A product of two named parts."""
    return parts["left"] @ parts["right"]


def named_vjp(parts: dict[str, Array], dy: Array) -> object:
    return ({"left": dy @ parts["right"].T, "right": parts["left"].T @ dy},)


@wrong(named, ({"left": normal(3, 4), "right": normal(4, 2)},), "structure", "[0]", right=named_vjp)
def named_half(parts: dict[str, Array], dy: Array) -> object:
    """One of two gradients is returned."""
    return ({"left": dy @ parts["right"].T},)


def length(x: Array) -> object:
    """The length of each row; one row is zero."""
    return np.sqrt((x * x).sum(1))


def length_vjp(x: Array, dy: Array) -> Grads:
    n = np.sqrt((x * x).sum(1, keepdims=True))
    return (dy[:, None] * x / np.where(n > 0, n, 1),)


LENGTH = (normal(4, 3) * np.array([[1.0], [1.0], [0.0], [1.0]]),)


@wrong(length, LENGTH, "nonfinite", "[0]", right=length_vjp)
def length_of_nothing(x: Array, dy: Array) -> Grads:
    """Divides by the length of a row of zeros."""
    with np.errstate(invalid="ignore"):
        return (dy[:, None] * x / np.sqrt((x * x).sum(1, keepdims=True)),)


@remembering((normal(6, 5),), "stale_state", "[0]", right=None)
def powers_cached() -> tuple[Function, Function]:
    """The output is kept from the first call, and used for every input of its shape."""
    kept: dict[tuple[int, ...], Array] = {}

    def f(x: Array) -> object:
        return np.exp(x)

    def vjp(x: Array, dy: Array) -> Grads:
        return (dy * kept.setdefault(x.shape, np.exp(x)),)

    return f, vjp


@remembering((normal(6, 5),), "nondeterministic", "[0]")
def noisy_gradient() -> tuple[Function, Function]:
    """A little noise is added to every gradient."""
    generator = np.random.default_rng(0)

    def f(x: Array) -> object:
        return np.exp(x)

    def vjp(x: Array, dy: Array) -> Grads:
        return ((dy * np.exp(x) * (1 + 1e-3 * generator.normal(size=x.shape))).astype(x.dtype),)

    return f, vjp


# -------------------------------------------------------------------------------------------------------- right, but tricky


@tricky(lambda x: np.sort(x, 1) ** 2, (np.array([[3.0, 1.0, 2.0], [2.0, -2.0, 0.5]]),))
def sorted_squares(x: Array, dy: Array) -> Grads:
    """The permutation is undone."""
    dx = np.zeros_like(x)
    np.put_along_axis(dx, np.argsort(x, 1, kind="stable"), dy * 2 * np.sort(x, 1), 1)
    return (dx,)


@tricky(lambda x: np.sort(x, 1)[:, :2], (np.array([[1.0, 1.0, 2.0, 0.5], [0.0, 0.0, 0.0, 1.0]]),))
def two_smallest_tied(x: Array, dy: Array) -> Grads:
    """Sorting with ties: which of the equal ones comes first is a convention."""
    dx = np.zeros_like(x)
    np.put_along_axis(dx, np.argsort(x, 1, kind="stable")[:, :2], dy, 1)
    return (dx,)


@tricky(lambda x: np.clip(x, -1, 1) * 3, (np.array([-1.0, 1.0, 0.0, 2.0, -3.0, 0.999999999]),))
def clipped_at_the_bounds(x: Array, dy: Array) -> Grads:
    """Two entries stand exactly on the bounds, one hardly below."""
    return (3 * dy * ((x > -1) & (x <= 1)),)


@tricky(length, LENGTH)
def length_with_subgradient(x: Array, dy: Array) -> Grads:
    """The length of a row of zeros has the subgradient 0."""
    return length_vjp(x, dy)


def spread_of(x: Array) -> object:
    c = x - x.mean(1, keepdims=True)
    return (c * c).mean(1)


@tricky(spread_of, (normal(3, 6) + 1e6,))
def variance_far_off(x: Array, dy: Array) -> Grads:
    """A variance of 1 around a million."""
    return (2 * dy[:, None] * (x - x.mean(1, keepdims=True)) / x.shape[1],)


def soft_rows(x: Array) -> object:
    return soft(x)


def soft_rows_vjp(x: Array, dy: Array) -> Grads:
    p = soft(x)
    top = np.take_along_axis(dy, x.argmax(1)[:, None], 1)
    d = dy - top
    return (p * (d - (p * d).sum(1, keepdims=True)),)


@tricky(soft_rows, (np.array([[40.0, 0.0, -3.0], [0.0, 43.0, 43.5], [700.0, -700.0, 0.0]]),))
def softmax_nearly_certain(x: Array, dy: Array) -> Grads:
    """Probabilities of 1e-19 beside 1: outputs that hardly move and whose rounding is far larger than they."""
    return soft_rows_vjp(x, dy)


def single_inside(x: Array) -> object:
    return np.tanh(x.astype(np.float32)).astype(x.dtype) * x


@tricky(single_inside, (normal(4, 3),))
def single_precision_inside(x: Array, dy: Array) -> Grads:
    """One factor of the function is computed in float32."""
    t = np.tanh(x)
    return (dy * (t + x * (1 - t * t)),)


@tricky(lambda a, b: np.linalg.solve(a, b), (normal(4, 4) + 4 * np.eye(4), normal(4, 2)))
def solved(a: Array, b: Array, dy: Array) -> Grads:
    """A linear system: LAPACK knows no long double."""
    db = np.linalg.solve(a.T, dy)
    return -db @ np.linalg.solve(a, b).T, db


def both_zero(x: Array, y: Array) -> object:
    return np.abs(x) * np.abs(y) + np.maximum(x, y)


@tricky(both_zero, (np.array([0.0, 0.0, 1.0, -2.0]), np.array([0.0, 2.0, 1.0, 0.0])))
def kinks_of_two(x: Array, y: Array, dy: Array) -> Grads:
    """Kinks of both arguments at once, and ties between them."""
    left = x >= y
    return dy * (np.sign(x) * np.abs(y) + left), dy * (np.sign(y) * np.abs(x) + ~left)


def hard(x: Array) -> object:
    return np.where(np.abs(x) > 0.5, x, 0)


@tricky(hard, (np.array([1e8, -3e8, 0.0, 2e8, 0.0, 0.25]),))
def dead_zone_beside_large(x: Array, dy: Array) -> Grads:
    """Zeros in a dead zone, in a leaf of a hundred million."""
    return (dy * (np.abs(x) > 0.5),)


def soft_threshold(x: Array) -> object:
    return np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)


@tricky(soft_threshold, (np.array([1e8, -3e8, 0.0, 2e8, 0.0, 0.25, -0.3]),))
def soft_threshold_beside_large(x: Array, dy: Array) -> Grads:
    """A continuous dead zone there."""
    return (dy * (np.abs(x) > 0.5),)


@tricky(lambda x: np.median(x, 1), (np.array([[3.0, 1.0, 2.0, 5.0], [1.0, 1.0, 2.0, 2.0], [4.0, 4.0, 4.0, 0.0]]),))
def median_of_four(x: Array, dy: Array) -> Grads:
    """The mean of the two in the middle, with ties."""
    order = np.argsort(x, 1, kind="stable")
    dx = np.zeros_like(x)
    np.put_along_axis(dx, order[:, 1:3], np.repeat(dy[:, None] / 2, 2, 1), 1)
    return (dx,)


def rounded_corner(x: Array) -> Array:
    y: Array = np.sqrt(x * x + x.dtype.type(1e-10))
    return y


@tricky(rounded_corner, (np.array([0.0, 1e-6, -1e-5, 1.0]),))
def sharply_curved(x: Array, dy: Array) -> Grads:
    """A corner rounded on a scale of 1e-5."""
    return (dy * x / rounded_corner(x),)


def products(x: Array) -> object:
    return np.cumprod(x, 1)


@tricky(products, (np.array([[2.0, 0.0, 3.0, -1.0], [1.0, 0.0, 0.0, 2.0]]),))
def products_with_zeros(x: Array, dy: Array) -> Grads:
    """Products of the others, where dividing by x would fail."""
    dx = np.zeros_like(x)
    for i in range(x.shape[1]):
        for j in range(i, x.shape[1]):
            others = [k for k in range(j + 1) if k != i]
            dx[:, i] += dy[:, j] * x[:, others].prod(1)
    return (dx,)


KNOTS, HEIGHTS = np.array([-1.0, 0.0, 0.5, 2.0]), np.array([1.0, -1.0, 3.0, 0.0])


def broken_line(x: Array) -> object:
    return np.interp(x, KNOTS, HEIGHTS).astype(x.dtype)


@tricky(broken_line, (np.array([-1.0, 0.0, 0.25, 2.0, 3.0, -5.0]),))
def broken_line_at_knots(x: Array, dy: Array) -> Grads:
    """A broken line at its corners: np.interp, which knows float64 alone."""
    slopes = np.concatenate([[0.0], np.diff(HEIGHTS) / np.diff(KNOTS), [0.0]])
    return (dy * slopes[np.searchsorted(KNOTS, x, side="right")].astype(x.dtype),)


def widest(x: Array) -> object:
    return x.max(0)


@tricky(widest, (np.full((4, 3), 0.7),))
def maximum_of_equals(x: Array, dy: Array) -> Grads:
    """All tie, and share the gradient."""
    at = x == x.max(0)
    return (dy * at / at.sum(0).astype(x.dtype),)


def apart(a: Array, b: Array) -> object:
    return np.sin(a / a.dtype.type(1e12)) + np.exp(b * b.dtype.type(1e12))


@tricky(apart, (1e12 * normal(5), 1e-12 * normal(5, seed=1)))
def far_apart(a: Array, b: Array, dy: Array) -> Grads:
    """One leaf of a billion billion billion times the other."""
    return (
        dy * np.cos(a / a.dtype.type(1e12)) / a.dtype.type(1e12),
        dy * np.exp(b * b.dtype.type(1e12)) * b.dtype.type(1e12),
    )


VISIBLE = np.tri(4, dtype=bool)


def causal(x: Array, w: Array) -> object:
    return soft(np.where(VISIBLE, (x @ w) @ x.T, x.dtype.type(-1e30))) @ x


@tricky(causal, (normal(4, 3), normal(3, 3)))
def causal_by_large_number(x: Array, w: Array, dy: Array) -> Grads:
    """What must not be seen is moved to -1e30."""
    p = soft(np.where(VISIBLE, (x @ w) @ x.T, x.dtype.type(-1e30)))
    dp = dy @ x.T
    ds = np.where(VISIBLE, p * (dp - (dp * p).sum(1, keepdims=True)), 0)
    return p.T @ dy + ds @ x @ w.T + ds.T @ (x @ w), x.T @ ds @ x
