"""A fourth lot of mistakes: losses, contractions, indices, linear algebra, formulas of physics; in several scales."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array, IntArray
from tests.check.corpus.entry import Grads, integers, normal, uniform, wrong


def mse(x: Array, t: Array) -> object:
    return ((x - t) ** 2).mean()


def mse_vjp(x: Array, t: Array, dy: Array) -> Grads:
    d = 2 * (x - t) * dy / x.size
    return d, -d


PAIR = (normal(4, 3), normal(4, 3, seed=1))


@wrong(mse, PAIR, "constant_factor", "[0]", "[1]", right=mse_vjp)
def mse_by_batch(x: Array, t: Array, dy: Array) -> object:
    """Divided by the batch, not by all entries."""
    d = 2 * (x - t) * dy / len(x)
    return d, -d


@wrong(mse, PAIR, "sign_flip", "[1]", right=mse_vjp)
def mse_target_sign(x: Array, t: Array, dy: Array) -> object:
    """The target's gradient has the prediction's sign."""
    d = 2 * (x - t) * dy / x.size
    return d, d.copy()


@wrong(mse, PAIR, "ignores_dy", "[0]", "[1]", right=mse_vjp)
def mse_no_dy(x: Array, t: Array, dy: Array) -> object:
    """The cotangent is forgotten."""
    d = 2 * (x - t) / x.size
    return d, -d


@wrong(mse, PAIR, "shape", "[0]", right=mse_vjp)
def mse_flat(x: Array, t: Array, dy: Array) -> object:
    """The gradient comes back flat."""
    d, e = mse_vjp(x, t, dy)
    return d.ravel(), e


def huber(x: Array) -> object:
    a = np.abs(x)
    return np.where(a < 1, x * x / 2, a - 0.5)


def huber_vjp(x: Array, dy: Array) -> Grads:
    return (dy * np.clip(x, -1, 1),)


@wrong(huber, (2 * normal(4, 5),), "region", "[0]", right=huber_vjp)
def huber_unclipped(x: Array, dy: Array) -> object:
    """Linear parts have the slope of the parabola."""
    return (dy * x,)


@wrong(huber, (2 * normal(4, 5),), "nonlinear_in_dy", "[0]", right=huber_vjp)
def huber_clips_dy(x: Array, dy: Array) -> object:
    """The cotangent is clipped, not the residual."""
    return (np.clip(dy * x, -1, 1),)


def hinge(x: Array, t: Array) -> object:
    return np.maximum(0, 1 - t * x).sum(-1)


def hinge_vjp(x: Array, t: Array, dy: Array) -> Grads:
    on = (t * x < 1) * dy[:, None]
    return -t * on, -x * on


SIGNS = np.sign(normal(4, 5, seed=2))


@wrong(hinge, (1.5 * normal(4, 5), SIGNS), "region", "[0]", "[1]", right=hinge_vjp)
def hinge_always(x: Array, t: Array, dy: Array) -> object:
    """Satisfied margins push as well."""
    return -t * dy[:, None], -x * dy[:, None]


@wrong(hinge, (1.5 * normal(4, 5), SIGNS), "sign_flip", "[0]", right=hinge_vjp)
def hinge_ascent(x: Array, t: Array, dy: Array) -> object:
    """The sign of the prediction's gradient."""
    dx, dt = hinge_vjp(x, t, dy)
    return -dx, dt


def kl(p: Array, q: Array) -> object:
    return (p * np.log(p / q)).sum(-1)


def kl_vjp(p: Array, q: Array, dy: Array) -> Grads:
    d = dy[:, None]
    return (np.log(p / q) + 1) * d, -p / q * d


@wrong(kl, (uniform(3, 4), uniform(3, 4, seed=1)), "missing_term", "[0]", right=kl_vjp)
def kl_without_one(p: Array, q: Array, dy: Array) -> object:
    """(p log p)' without its 1."""
    return np.log(p / q) * dy[:, None], kl_vjp(p, q, dy)[1]


@wrong(kl, (uniform(3, 4), uniform(3, 4, seed=1)), "sign_flip", "[1]", right=kl_vjp)
def kl_second_sign(p: Array, q: Array, dy: Array) -> object:
    """The sign of -p/q."""
    dp, dq = kl_vjp(p, q, dy)
    return dp, -dq


def log_loss(p: Array, t: Array) -> object:
    return -(t * np.log(p + 1e-3) + (1 - t) * np.log(1 - p + 1e-3))


def log_loss_vjp(p: Array, t: Array, dy: Array) -> tuple[Array, Array]:
    return dy * ((1 - t) / (1 - p + 1e-3) - t / (p + 1e-3)), dy * (np.log(1 - p + 1e-3) - np.log(p + 1e-3))


CERTAIN = (uniform(3, 4, low=0.05, high=0.95), integers(3, 4, below=2).astype(float))


@wrong(log_loss, CERTAIN, "eps_mismatch", "[0]", right=log_loss_vjp)
def log_loss_bare(p: Array, t: Array, dy: Array) -> object:
    """The epsilon inside the logarithms is left out of backward."""
    return dy * ((1 - t) / (1 - p) - t / p), log_loss_vjp(p, t, dy)[1]


def ridge(w: Array, x: Array, y: Array) -> object:
    r = x @ w - y
    return (r * r).sum() / 2 + 0.1 * (w * w).sum()


def ridge_vjp(w: Array, x: Array, y: Array, dy: Array) -> Grads:
    r = (x @ w - y) * dy
    return x.T @ r + 0.2 * w * dy, np.outer(r, w), -r


RIDGE = (normal(3), normal(6, 3), normal(6))


@wrong(ridge, RIDGE, "missing_term", "[0]", right=ridge_vjp)
def ridge_no_decay(w: Array, x: Array, y: Array, dy: Array) -> object:
    """The penalty has no gradient."""
    r = (x @ w - y) * dy
    return x.T @ r, np.outer(r, w), -r


@wrong(ridge, RIDGE, "row_or_column", "[1]", right=ridge_vjp)
def ridge_first_example(w: Array, x: Array, y: Array, dy: Array) -> object:
    """The loop over examples starts at 1."""
    dw, dx, dr = ridge_vjp(w, x, y, dy)
    dx[0] = 0
    return dw, dx, dr


# ------------------------------------------------------------------------------------------------------------- contractions


def batched(a: Array, b: Array) -> object:
    return np.einsum("bij,bjk->bik", a, b)


def batched_vjp(a: Array, b: Array, dy: Array) -> Grads:
    return np.einsum("bik,bjk->bij", dy, b), np.einsum("bij,bik->bjk", a, dy)


CUBES = (normal(2, 3, 3), normal(2, 3, 3, seed=1))


@wrong(batched, CUBES, "transpose", "[1]", right=batched_vjp)
def batched_letters(a: Array, b: Array, dy: Array) -> object:
    """kj for jk in the result."""
    return batched_vjp(a, b, dy)[0], np.einsum("bij,bik->bkj", a, dy)


def bilinear(x: Array, m: Array, y: Array) -> object:
    return np.einsum("bi,ij,bj->b", x, m, y)


def bilinear_vjp(x: Array, m: Array, y: Array, dy: Array) -> Grads:
    d = dy[:, None]
    return d * (y @ m.T), np.einsum("b,bi,bj->ij", dy, x, y), d * (x @ m)


FORMS = (normal(5, 3), normal(3, 3), normal(5, 3, seed=1))


@wrong(bilinear, FORMS, "transpose", "[1]", right=bilinear_vjp)
def bilinear_outer(x: Array, m: Array, y: Array, dy: Array) -> object:
    """y x' for x y'."""
    dx, _, dz = bilinear_vjp(x, m, y, dy)
    return dx, np.einsum("b,bi,bj->ij", dy, y, x), dz


@wrong(bilinear, FORMS, "missing_batch_sum", "[1]", right=bilinear_vjp)
def bilinear_last(x: Array, m: Array, y: Array, dy: Array) -> object:
    """The last example overwrites the others."""
    dx, _, dz = bilinear_vjp(x, m, y, dy)
    return dx, dy[-1] * np.outer(x[-1], y[-1]), dz


@wrong(bilinear, FORMS, "swapped_leaf", "[0]", "[2]", right=bilinear_vjp)
def bilinear_sides(x: Array, m: Array, y: Array, dy: Array) -> object:
    """Left and right exchanged."""
    dx, dm, dz = bilinear_vjp(x, m, y, dy)
    return dz, dm, dx


def outer_sum(row: Array, column: Array) -> object:
    """Broadcasting: sin of all the sums."""
    return np.sin(row[None, :] + column[:, None])


def outer_sum_vjp(row: Array, column: Array, dy: Array) -> Grads:
    d = dy * np.cos(row[None, :] + column[:, None])
    return d.sum(0), d.sum(1)


@wrong(outer_sum, (normal(4), normal(4, seed=1)), "wrong_axis", "[0]", right=outer_sum_vjp)
def outer_sum_row(row: Array, column: Array, dy: Array) -> object:
    """The broadcast axis of the row is summed wrongly."""
    d = dy * np.cos(row[None, :] + column[:, None])
    return d.sum(1), d.sum(1)


@wrong(outer_sum, (normal(4), normal(3)), "shape", "[1]", right=outer_sum_vjp)
def outer_sum_not_reduced(row: Array, column: Array, dy: Array) -> object:
    """The broadcasting is not undone."""
    d = dy * np.cos(row[None, :] + column[:, None])
    return d.sum(0), d


def subtract_mean(x: Array, m: Array) -> object:
    return (x - m) ** 2


def subtract_mean_vjp(x: Array, m: Array, dy: Array) -> Grads:
    d = 2 * (x - m) * dy
    return d, -d.sum(0)


@wrong(subtract_mean, (normal(5, 3), normal(3)), "sign_flip", "[1]", right=subtract_mean_vjp)
def subtract_mean_plus(x: Array, m: Array, dy: Array) -> object:
    """What is subtracted gets the gradient of what is added."""
    d = 2 * (x - m) * dy
    return d, d.sum(0)


# ------------------------------------------------------------------------------------------------------ cumulative and sorted


def running(x: Array) -> object:
    return np.cumsum(x * x, axis=1)


def running_vjp(x: Array, dy: Array) -> Grads:
    return (2 * x * np.cumsum(dy[:, ::-1], axis=1)[:, ::-1],)


@wrong(running, (normal(5, 5),), "wrong_axis", "[0]", right=running_vjp)
def running_other_axis(x: Array, dy: Array) -> object:
    """Summed backwards along the other axis."""
    return (2 * x * np.cumsum(dy[::-1], axis=0)[::-1],)


@wrong(running, (uniform(3, 5),), "shifted", "[0]", right=lambda x, dy: running_vjp(x, dy))
def running_roll(x: Array, dy: Array) -> object:
    """The gradient of the neighbour."""
    return (np.roll(running_vjp(x, dy)[0], 1, axis=1),)


@wrong(running, (normal(3, 5),), "zero_gradient", "[0]", right=running_vjp)
def running_nothing(x: Array, dy: Array) -> object:
    """Somebody has left this for later."""
    return (np.zeros_like(x),)


def exclusive(x: Array) -> object:
    """x[t] is added to what comes after t."""
    y = np.cumsum(x, axis=1)
    return np.concatenate([np.zeros_like(x[:, :1]), y[:, :-1]], 1)


def exclusive_vjp(x: Array, dy: Array) -> Grads:
    after = np.cumsum(dy[:, ::-1], axis=1)[:, ::-1]
    return (np.concatenate([after[:, 1:], np.zeros_like(dy[:, :1])], 1),)


@wrong(exclusive, (normal(3, 6),), "shifted", "[0]", right=exclusive_vjp)
def exclusive_inclusive(x: Array, dy: Array) -> object:
    """The gradient of the inclusive sum."""
    return (np.cumsum(dy[:, ::-1], axis=1)[:, ::-1].copy(),)


def delay(x: Array) -> object:
    """Two steps later."""
    return np.concatenate([np.zeros_like(x[:2]), np.exp(x[:-2])])


def delay_vjp(x: Array, dy: Array) -> Grads:
    return (np.concatenate([dy[2:] * np.exp(x[:-2]), np.zeros_like(x[:2])]),)


@wrong(delay, (normal(8),), "shifted", "[0]", right=delay_vjp)
def delay_by_one(x: Array, dy: Array) -> object:
    """The cotangent is moved by one step, not by two."""
    return (np.concatenate([dy[1:-1] * np.exp(x[:-2]), np.zeros_like(x[:2])]),)


def ranked(x: Array) -> object:
    """Sorted, and weighed by rank."""
    return np.sort(x, axis=-1) * np.arange(1, x.shape[-1] + 1, dtype=x.dtype)


def ranked_vjp(x: Array, dy: Array) -> Grads:
    order = np.argsort(x, axis=-1)
    dx = np.empty_like(x)
    np.put_along_axis(dx, order, dy * np.arange(1, x.shape[-1] + 1, dtype=x.dtype), axis=-1)
    return (dx,)


@wrong(ranked, (normal(3, 6),), "permuted", "[0]", right=ranked_vjp)
def ranked_forward_order(x: Array, dy: Array) -> object:
    """The order, where its inverse is due."""
    d = dy * np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    return (np.take_along_axis(d, np.argsort(x, axis=-1), axis=-1),)


@wrong(ranked, (normal(3, 6),), "permuted", "[0]", right=ranked_vjp)
def ranked_not_sent_back(x: Array, dy: Array) -> object:
    """The cotangent stays sorted."""
    return (dy * np.arange(1, x.shape[-1] + 1, dtype=x.dtype),)


def gather(x: Array, index: IntArray) -> object:
    return np.tanh(x)[index]


def gather_vjp(x: Array, index: IntArray, dy: Array) -> tuple[Array, None]:
    d = np.zeros_like(x)
    np.add.at(d, index, dy)
    return d * (1 - np.tanh(x) ** 2), None


@wrong(gather, (normal(5, 3), np.array([4, 0, 2, 1, 3])), "permuted", "[0]", right=gather_vjp)
def gather_not_inverted(x: Array, index: IntArray, dy: Array) -> object:
    """The permutation is applied once more instead of undone."""
    return dy[index] * (1 - np.tanh(x) ** 2), None


@wrong(gather, (normal(5, 3), np.array([4, 0, 2, 2, 1, 2, 3])), "row_or_column", "[0]", right=gather_vjp)
def gather_overwrites(x: Array, index: IntArray, dy: Array) -> object:
    """The row that is taken three times keeps one."""
    d = np.zeros_like(x)
    d[index] = dy
    return d * (1 - np.tanh(x) ** 2), None


def slope(x: Array) -> object:
    """np.gradient: centred inside, one-sided at the ends."""
    return np.concatenate([x[1:2] - x[:1], (x[2:] - x[:-2]) / 2, x[-1:] - x[-2:-1]])


def slope_vjp(x: Array, dy: Array) -> Grads:
    d = np.zeros_like(x)
    d[2:] += dy[1:-1] / 2
    d[:-2] -= dy[1:-1] / 2
    d[1] += dy[0]
    d[0] -= dy[0]
    d[-1] += dy[-1]
    d[-2] -= dy[-1]
    return (d,)


@wrong(slope, (normal(9),), "border", "[0]", right=slope_vjp)
def slope_centred_ends(x: Array, dy: Array) -> object:
    """The ends are left out."""
    d = np.zeros_like(x)
    d[2:] += dy[1:-1] / 2
    d[:-2] -= dy[1:-1] / 2
    return (d,)


def laplace(x: Array) -> object:
    """The five-point stencil of the square, zero outside."""
    p = np.pad(x * x, 1)
    return p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2] - 4 * x * x


def laplace_vjp(x: Array, dy: Array) -> Grads:
    p = np.pad(dy, 1)
    return (2 * x * (p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2] - 4 * dy),)


@wrong(laplace, (normal(5, 6),), "border", "[0]", right=laplace_vjp)
def laplace_periodic(x: Array, dy: Array) -> object:
    """Periodic neighbours at the border."""
    around = sum(np.roll(dy, way, axis) for way in (1, -1) for axis in (0, 1))
    return (2 * x * (around - 4 * dy),)


def mirrored(x: Array) -> object:
    """Reflected by one on both sides, then averaged over three."""
    p = np.concatenate([x[:, 1:2], x, x[:, -2:-1]], 1)
    return (p[:, 2:] + p[:, 1:-1] + p[:, :-2]) / 3


def mirrored_vjp(x: Array, dy: Array) -> Grads:
    p = np.zeros((len(x), x.shape[1] + 2), x.dtype)
    for k in range(3):
        p[:, k : k + x.shape[1]] += dy / 3
    d = p[:, 1:-1].copy()
    d[:, 1] += p[:, 0]
    d[:, -2] += p[:, -1]
    return (d,)


@wrong(mirrored, (normal(3, 8),), "border", "[0]", right=mirrored_vjp)
def mirrored_lost(x: Array, dy: Array) -> object:
    """What the reflected entries get is lost."""
    p = np.zeros((len(x), x.shape[1] + 2), x.dtype)
    for k in range(3):
        p[:, k : k + x.shape[1]] += dy / 3
    return (p[:, 1:-1].copy(),)


def grey(x: Array) -> object:
    """Red, green and blue to grey, gamma corrected."""
    y = np.abs(x) ** 2
    return 0.299 * y[..., 0] + 0.587 * y[..., 1] + 0.114 * y[..., 2]


def grey_vjp(x: Array, dy: Array) -> Grads:
    return (2 * x * dy[..., None] * np.array([0.299, 0.587, 0.114], x.dtype),)


@wrong(grey, (uniform(2, 4, 5, 3),), "channel", "[0]", right=grey_vjp)
def grey_blue(x: Array, dy: Array) -> object:
    """A slip in the weight of blue."""
    return (2 * x * dy[..., None] * np.array([0.299, 0.587, 0.141], x.dtype),)


# ------------------------------------------------------------------------------------------------------------ linear algebra


def invert(a: Array) -> object:
    """The inverse of 2 x 2 matrices, written out."""
    p, q, r, s = a[..., 0, 0], a[..., 0, 1], a[..., 1, 0], a[..., 1, 1]
    return np.stack([np.stack([s, -q], -1), np.stack([-r, p], -1)], -2) / (p * s - q * r)[..., None, None]


def invert_vjp(a: Array, dy: Array) -> Grads:
    t = np.swapaxes(np.asarray(invert(a)), -1, -2)
    return (-t @ dy @ t,)


MATRICES = (np.eye(2) * 2 + 0.5 * normal(3, 2, 2),)


@wrong(invert, MATRICES, "sign_flip", "[0]", right=invert_vjp)
def invert_sign(a: Array, dy: Array) -> object:
    """The minus is lost."""
    return (-invert_vjp(a, dy)[0],)


@wrong(invert, MATRICES, "transpose", "[0]", right=invert_vjp)
def invert_transposed(a: Array, dy: Array) -> object:
    """The result should have been transposed."""
    return (np.swapaxes(invert_vjp(a, dy)[0], -1, -2).copy(),)


def cofactors(a: Array) -> Array:
    rows = [np.cross(a[1], a[2]), np.cross(a[2], a[0]), np.cross(a[0], a[1])]
    c: Array = np.stack(rows)
    return c


def volume(a: Array) -> object:
    """The determinant of a 3 x 3 matrix."""
    return a[0] @ np.cross(a[1], a[2])


@wrong(volume, (normal(3, 3, seed=3),), "single_entry", "[0]", right=lambda a, dy: (cofactors(a) * dy,))
def volume_cofactor(a: Array, dy: Array) -> object:
    """One cofactor has the wrong sign."""
    c = cofactors(a)
    c[1, 2] *= -1
    return (c * dy,)


@wrong(volume, (normal(3, 3, seed=3),), "ignores_dy", "[0]", right=lambda a, dy: (cofactors(a) * dy,))
def volume_alone(a: Array, dy: Array) -> object:
    """Cofactors, whatever dy."""
    return (cofactors(a),)


@wrong(volume, (normal(3, 3, seed=3),), "transpose", "[0]", right=lambda a, dy: (cofactors(a) * dy,))
def volume_adjugate(a: Array, dy: Array) -> object:
    """The adjugate for the cofactors."""
    return (cofactors(a).T * dy,)


def spin(q: Array, v: Array) -> object:
    """v turned by a quaternion (w, x, y, z) that need not be a unit."""
    w, u = q[0], q[1:]
    return v * (w * w - u @ u) + 2 * u * (u @ v) + 2 * w * np.cross(u, v)


def spin_vjp(q: Array, v: Array, dy: Array) -> Grads:
    w, u = q[0], q[1:]
    dw = 2 * w * (v @ dy) + 2 * np.cross(u, v) @ dy
    du = -2 * u * (v @ dy) + 2 * (u @ v) * dy + 2 * v * (u @ dy) + 2 * w * np.cross(v, dy)
    dv = dy * (w * w - u @ u) + 2 * u * (u @ dy) + 2 * w * np.cross(dy, u)
    return np.concatenate([[dw], du]).astype(q.dtype), dv


TURN = (np.array([0.6, -0.3, 0.8, 0.4]), np.array([1.2, -0.7, 0.5]))


@wrong(spin, TURN, "permuted", "[0]", right=spin_vjp)
def spin_order(q: Array, v: Array, dy: Array) -> object:
    """(x, y, z, w) for (w, x, y, z)."""
    dq, dv = spin_vjp(q, v, dy)
    return dq[[1, 2, 3, 0]], dv


@wrong(spin, TURN, "single_entry", "[0]", right=spin_vjp)
def spin_scalar_part(q: Array, v: Array, dy: Array) -> object:
    """The scalar part lacks its cross product."""
    dq, dv = spin_vjp(q, v, dy)
    dq[0] = 2 * q[0] * (v @ dy)
    return dq, dv


# ------------------------------------------------------------------------------------------------------- formulas of physics


def rotor(inertia: Array, speed: Array) -> object:
    """Kinetic energies of rotation."""
    return 0.5 * inertia * speed**2


@wrong(rotor, (uniform(5), normal(5)), "constant_factor", "[1]", right=lambda i, w, dy: (dy * w * w / 2, dy * i * w))
def rotor_half(i: Array, w: Array, dy: Array) -> object:
    """The half stays when the square is gone."""
    return dy * w * w / 2, dy * i * w / 2


def coulomb(q: Array, r: Array) -> object:
    """Energies of charges at distances, in units of 1e-8."""
    return 2.3e-8 * q[:, None] / r


@wrong(
    coulomb,
    (normal(3), uniform(3, 4)),
    "sign_flip",
    "[1]",
    right=lambda q, r, dy: ((2.3e-8 * dy / r).sum(1), -2.3e-8 * dy * q[:, None] / r**2),
)
def coulomb_force(q: Array, r: Array, dy: Array) -> object:
    """The force, which is minus the gradient."""
    return (2.3e-8 * dy / r).sum(1), 2.3e-8 * dy * q[:, None] / r**2


def decibel(p: Array) -> object:
    return 10 * np.log10(p)


@wrong(decibel, (uniform(6),), "constant_factor", "[0]", right=lambda p, dy: (dy * (10 / float(np.log(10))) / p,))
def decibel_natural(p: Array, dy: Array) -> object:
    """ln 10 is left out."""
    return (dy * 10 / p,)


def relativistic(v: Array) -> object:
    """Kinetic energy over m c^2, in units of 1e+8."""
    return 1e8 * (1 / np.sqrt(1 - v * v) - 1)


def relativistic_vjp(v: Array, dy: Array) -> Grads:
    return (1e8 * dy * v * (1 - v * v) ** -1.5,)


@wrong(relativistic, (uniform(6, low=0.05, high=0.15),), "approximation", "[0]", right=relativistic_vjp)
def relativistic_newton(v: Array, dy: Array) -> object:
    """The first terms of the series."""
    return (1e8 * dy * v * (1 + 1.5 * v * v),)


def pendulum(angle: Array) -> object:
    return np.sin(angle)


@wrong(pendulum, (0.2 * normal(3, 4),), "approximation", "[0]", right=lambda a, dy: (dy * np.cos(a),))
def pendulum_small(a: Array, dy: Array) -> object:
    """1 - a^2/2 for the cosine."""
    return (dy * (1 - a * a / 2),)


def gelu(x: Array) -> object:
    return x / (1 + np.exp(-2 * (0.7978845608 * (x + 0.044715 * x**3))))


def gelu_vjp(x: Array, dy: Array) -> Grads:
    s = 1 / (1 + np.exp(-2 * (0.7978845608 * (x + 0.044715 * x**3))))
    return (dy * (s + x * s * (1 - s) * 2 * 0.7978845608 * (1 + 3 * 0.044715 * x * x)),)


@wrong(gelu, (normal(4, 5),), "approximation", "[0]", right=gelu_vjp)
def gelu_sigmoid(x: Array, dy: Array) -> object:
    """The derivative of the sigmoid form."""
    s = 1 / (1 + np.exp(-1.702 * x))
    return (dy * (s + 1.702 * x * s * (1 - s)),)


@wrong(gelu, (normal(4, 5),), "approximation", "[0]", right=gelu_vjp, dtypes=("float64",))
def gelu_differences(x: Array, dy: Array) -> object:
    """Forward differences with a large step."""
    return (dy * (np.asarray(gelu(x + 1e-3)) - np.asarray(gelu(x))) / 1e-3,)


def swish(x: Array) -> object:
    return x / (1 + np.exp(-x))


def swish_vjp(x: Array, dy: Array) -> Grads:
    s = 1 / (1 + np.exp(-x))
    return (dy * (s + x * s * (1 - s)),)


@wrong(swish, (normal(4, 5),), "missing_term", "[0]", right=swish_vjp)
def swish_product_rule(x: Array, dy: Array) -> object:
    """One half of the product rule."""
    return (dy / (1 + np.exp(-x)),)


def leaky(x: Array) -> object:
    return np.where(x > 0, x, 0.01 * x)


@wrong(leaky, (normal(4, 5),), "region", "[0]", right=lambda x, dy: (dy * np.where(x > 0, 1, 0.01).astype(x.dtype),))
def leaky_without_leak(x: Array, dy: Array) -> object:
    """The leak is left out."""
    return (dy * (x > 0),)


def limited(x: Array) -> object:
    return np.clip(x, -1, 1) * 3


@wrong(limited, (1.5 * normal(4, 5),), "region", "[0]", right=lambda x, dy: (3 * dy * (np.abs(x) < 1),))
def limited_through(x: Array, dy: Array) -> object:
    """Straight through."""
    return (3 * dy,)


def direction(x: Array) -> object:
    return x / np.sqrt((x * x).sum(-1, keepdims=True) + 1e-4)


def direction_back(x: Array, dy: Array, eps: float) -> Array:
    n = np.sqrt((x * x).sum(-1, keepdims=True) + eps)
    d: Array = dy / n - x * (x * dy).sum(-1, keepdims=True) / n**3
    return d


@wrong(direction, (0.3 * normal(4, 3),), "eps_mismatch", "[0]", right=lambda x, dy: (direction_back(x, dy, 1e-4),))
def direction_no_eps(x: Array, dy: Array) -> object:
    """The epsilon is left out."""
    return (direction_back(x, dy, 0.0),)


@wrong(direction, (0.3 * normal(4, 3),), "missing_term", "[0]", right=lambda x, dy: (direction_back(x, dy, 1e-4),))
def direction_length(x: Array, dy: Array) -> object:
    """The length is taken for a constant."""
    return (dy / np.sqrt((x * x).sum(-1, keepdims=True) + 1e-4),)


def heated(x: Array, temperature: Array) -> object:
    return np.exp(x / temperature)


def heated_vjp(x: Array, temperature: Array, dy: Array) -> Grads:
    d = dy * np.exp(x / temperature) / temperature
    return d, np.asarray(-(d * x / temperature).sum())


HEATED = (normal(4, 3), np.array(1.7))


@wrong(heated, HEATED, "shape", "[1]", right=heated_vjp)
def heated_vector(x: Array, temperature: Array, dy: Array) -> object:
    """The temperature's gradient has an axis too many."""
    dx, dt = heated_vjp(x, temperature, dy)
    return dx, dt.reshape(1)


@wrong(heated, HEATED, "ignores_dy", "[1]", right=heated_vjp)
def heated_sum(x: Array, temperature: Array, dy: Array) -> object:
    """dy is not in the temperature's gradient."""
    return heated_vjp(x, temperature, dy)[0], heated_vjp(x, temperature, np.ones_like(dy))[1]
