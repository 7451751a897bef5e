"""A second table of right gradients that a checker could take for wrong ones, written without a look at the first."""

from __future__ import annotations

import attrs
import numpy as np

from funcnn.typing import Array, BoolArray, IntArray
from tests.check.corpus.entry import Grads, integers, normal, tricky, uniform


def relu(x: Array) -> object:
    return np.maximum(x, 0)


HALF_ZERO = (np.array([[0.0, -1.0, 2.0], [0.5, 0.0, -0.0]]),)


@tricky(relu, HALF_ZERO)
def relu_open(x: Array, dy: Array) -> object:
    """0 at 0."""
    return (dy * (x > 0),)


@tricky(relu, HALF_ZERO)
def relu_closed(x: Array, dy: Array) -> object:
    """1 at 0."""
    return (dy * (x >= 0),)


@tricky(relu, HALF_ZERO)
def relu_half(x: Array, dy: Array) -> object:
    """1/2 at 0."""
    return ((dy * np.heaviside(x, 0.5)).astype(x.dtype),)


@tricky(relu, (-uniform(3, 4),))
def relu_all_dead(x: Array, dy: Array) -> object:
    """All units are dead."""
    return (np.zeros_like(x),)


@tricky(relu, (np.array([1e-9, -1e-9, 3e-7, -2e-12, 1.0, -1.0]),))
def relu_next_to_zero(x: Array, dy: Array) -> object:
    """Kinks much nearer than a usual step."""
    return (dy * (x > 0),)


@tricky(lambda x: np.abs(x).sum(-1), (np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 2.0]]),))
def abs_sign(x: Array, dy: Array) -> object:
    """Sign of zero is zero."""
    return (dy[:, None] * np.sign(x),)


@tricky(lambda x: x.max(-1), (np.array([[1.0, 3.0, 3.0, 3.0], [2.0, 2.0, 0.0, 1.0]]),))
def max_shared(x: Array, dy: Array) -> object:
    """Ties share."""
    top = x == x.max(-1, keepdims=True)
    return (dy[:, None] * top / top.sum(-1, keepdims=True).astype(x.dtype),)


@tricky(lambda x: x.max(-1), (np.array([[1.0, 3.0, 3.0, 3.0], [2.0, 2.0, 0.0, 1.0]]),))
def max_first(x: Array, dy: Array) -> object:
    """The first of ties takes all."""
    d = np.zeros_like(x)
    np.put_along_axis(d, x.argmax(-1)[:, None], dy[:, None], -1)
    return (d,)


@tricky(lambda x: np.median(x, axis=-1), (np.array([[1.0, 5.0, 2.0], [0.1, -2.0, 7.0]]),))
def median_middle(x: Array, dy: Array) -> object:
    """A selection by rank."""
    d = np.zeros_like(x)
    np.put_along_axis(d, np.argsort(x, -1)[:, 1:2], dy[:, None], -1)
    return (d,)


@tricky(lambda x: np.sort(x), (np.array([2.0, 1.0, 2.0, -1.0, 1.0]),))
def sort_ties(x: Array, dy: Array) -> object:
    """Ties in a sort: any order of theirs."""
    d = np.empty_like(x)
    d[np.argsort(x, kind="stable")] = dy
    return (d,)


@tricky(lambda x: np.clip(x, -1, 1), (np.array([-1.0, 1.0, 0.3, 4.0, -1.0 - 1e-10]),))
def clip_open(x: Array, dy: Array) -> object:
    """Zero at both ends."""
    return (dy * (np.abs(x) < 1),)


@tricky(lambda x: np.where(x > 2, x * x, 4 * x - 4), (np.array([2.0, 2.0 + 1e-9, 1.0, 3.0]),))
def smooth_switch(x: Array, dy: Array) -> object:
    """Pieces that fit with their first derivative; the second jumps."""
    return (dy * np.where(x > 2, 2 * x, 4).astype(x.dtype),)


@tricky(
    lambda x: np.where(np.abs(x) < 1e-4, 1 - x * x / 6, np.sin(x) / np.where(x == 0, 1, x)), (np.array([9e-5, 0.0, 2e-4, 1.3]),)
)
def sinc_by_series(x: Array, dy: Array) -> object:
    """A series near zero: the pieces fit to 1e-18."""
    safe = np.where(np.abs(x) < 1e-4, 1, x)
    return (
        (dy * np.where(np.abs(x) < 1e-4, -x / 3 + x**3 / 30, (np.cos(safe) * safe - np.sin(safe)) / safe**2)).astype(x.dtype),
    )


@tricky(lambda x: np.sqrt(x), (np.array([1e-12, 1e-6, 4.0, 1e12]),))
def sqrt_at_the_edge(x: Array, dy: Array) -> object:
    """Slopes between 1e-6 and 1e+6."""
    return (dy / (2 * np.sqrt(x)),)


@tricky(lambda x: np.log(x), (np.array([1e-15, 1e-3, 1.0, 1e9]),))
def log_near_zero(x: Array, dy: Array) -> object:
    """Slopes over 24 orders."""
    return (dy / x,)


@tricky(lambda x: np.arcsin(x), (np.array([0.999999, -0.9999, 0.2]),))
def arcsin_at_the_edge(x: Array, dy: Array) -> object:
    """The domain ends at 1."""
    return (dy / np.sqrt((1 - x) * (1 + x)),)


@tricky(lambda x: x**1.5, (np.array([0.0, 1e-8, 2.0]),))
def power_at_zero(x: Array, dy: Array) -> object:
    """Defined on one side only, with slope zero at the edge."""
    return (dy * 1.5 * np.sqrt(x),)


@tricky(lambda x: x**5, (np.array([0.0, 0.0, 1.0]),))
def flat_to_fourth_order(x: Array, dy: Array) -> object:
    """Four derivatives vanish at 0."""
    return (dy * 5 * x**4,)


@tricky(lambda x: np.where(x == 0, 0, np.exp(-1 / np.where(x == 0, 1, x) ** 2)), (np.array([0.0, 0.5, -2.0]),))
def flat_to_all_orders(x: Array, dy: Array) -> object:
    """All derivatives vanish at 0."""
    safe = np.where(x == 0, 1, x)
    return ((dy * np.where(x == 0, 0, 2 / safe**3 * np.exp(-1 / safe**2))).astype(x.dtype),)


@tricky(lambda x: np.sin(1000 * x), (normal(6),))
def fast_sine(x: Array, dy: Array) -> object:
    """A period of 0.006."""
    return (1000 * dy * np.cos(1000 * x),)


@tricky(lambda x: x + 1e-3 * np.sin(5000 * x), (normal(6),))
def rippled(x: Array, dy: Array) -> object:
    """Small ripples with a large slope."""
    return (dy * (1 + 5 * np.cos(5000 * x)),)


@tricky(lambda x: np.exp(-((x - 0.5) ** 2) / 2e-6), (np.array([0.5004, 0.4991, 0.501]),))
def narrow_peak(x: Array, dy: Array) -> object:
    """A peak of width 0.001."""
    return (-dy * (x - 0.5) / 1e-6 * np.exp(-((x - 0.5) ** 2) / 2e-6),)


@tricky(lambda x: np.tanh(x), (np.array([[25.0, -40.0], [0.1, 300.0]]),))
def tanh_far_out(x: Array, dy: Array) -> object:
    """Slopes below what any difference can see, beside one that is not."""
    return (dy / np.cosh(np.clip(x, -300, 300)) ** 2 if x.dtype != np.float32 else dy / np.cosh(np.clip(x, -40, 40)) ** 2,)


@tricky(lambda x: 1 / (1 + np.exp(-x)), (np.array([36.0, 50.0, -30.0]),))
def sigmoid_all_saturated(x: Array, dy: Array) -> object:
    """Every unit is saturated."""
    return (dy * np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))) ** 2,)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    y: Array = e / e.sum(-1, keepdims=True)
    return y


@tricky(softmax, (np.array([[1000.0, 0.0, -1000.0], [0.0, 0.1, 0.2]]),))
def softmax_certain(x: Array, dy: Array) -> object:
    """A row without any slope."""
    y = softmax(x)
    return (y * (dy - (y * dy).sum(-1, keepdims=True)),)


def masked_softmax(x: Array, mask: BoolArray) -> object:
    return softmax(np.where(mask, x, -np.inf))


@tricky(masked_softmax, (normal(3, 4), np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]], bool)))
def softmax_masked(x: Array, mask: BoolArray, dy: Array) -> object:
    """Infinities inside, a mask that leaves one."""
    y = softmax(np.where(mask, x, -np.inf).astype(x.dtype))
    return y * (dy - (y * dy).sum(-1, keepdims=True)), None


@tricky(lambda x, w: x @ w[:3], (normal(4, 3), normal(5, 2)))
def unused_rows(x: Array, w: Array, dy: Array) -> object:
    """Part of a leaf is not used."""
    d = np.zeros_like(w)
    d[:3] = x.T @ dy
    return dy @ w[:3].T, d


@tricky(lambda p, x: np.tanh(x * p["used"]), ({"unused": normal(3), "used": normal(4)}, normal(2, 4)))
def unused_beside_used(p: dict[str, Array], x: Array, dy: Array) -> object:
    """A leaf without effect."""
    d = dy * (1 - np.tanh(x * p["used"]) ** 2)
    return {"unused": np.zeros_like(p["unused"]), "used": (d * x).sum(0)}, d * p["used"]


@tricky(lambda table, i: table[i], (normal(5, 2), np.array([1, 1, 1, 4, 1, 0])))
def repeated(table: Array, i: IntArray, dy: Array) -> object:
    """Rows taken many times, and rows not at all."""
    d = np.zeros_like(table)
    np.add.at(d, i, dy)
    return d, None


def layer_norm(x: Array) -> object:
    c = x - x.mean(-1, keepdims=True)
    return c / np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)


def layer_norm_vjp(x: Array, dy: Array) -> Grads:
    c = x - x.mean(-1, keepdims=True)
    s = np.sqrt((c * c).mean(-1, keepdims=True) + 1e-5)
    n = c / s
    return ((dy - dy.mean(-1, keepdims=True) - n * (dy * n).mean(-1, keepdims=True)) / s,)


@tricky(layer_norm, (1e-7 * normal(3, 5),))
def layer_norm_tiny(x: Array, dy: Array) -> object:
    """The variance is far below epsilon."""
    return layer_norm_vjp(x, dy)


@tricky(layer_norm, (np.full((2, 4), 3.0),))
def layer_norm_constant(x: Array, dy: Array) -> object:
    """No variance at all."""
    return layer_norm_vjp(x, dy)


@tricky(layer_norm, (1e4 + normal(3, 5),))
def layer_norm_offset(x: Array, dy: Array) -> object:
    """A large offset."""
    return layer_norm_vjp(x, dy)


@tricky(lambda x: ((x - x.mean()) ** 2).mean(), (1e6 + 8 * normal(7),))
def variance_offset(x: Array, dy: Array) -> object:
    """A variance at a huge offset."""
    return (2 * dy * (x - x.mean()) / x.size,)


@tricky(lambda x: ((x - x.mean(-1, keepdims=True)) ** 2).mean(-1), (64 + normal(3, 8) / 64,))
def variance_by_cubes(x: Array, dy: Array) -> object:
    """Digits that the offset costs anyway are lost by a roundabout formula, differently in each memory layout."""
    m = x.mean(-1, keepdims=True)
    return (2 * dy[:, None] * (x * x * x - m * x * x) / (x * x) / x.shape[-1],)


@tricky(lambda a, b: a.sum() + 1e-9 * (b * b).sum(), (normal(3), normal(4)))
def faint_second(a: Array, b: Array, dy: Array) -> object:
    """One leaf counts a billionth of the other."""
    return dy * np.ones_like(a), 2e-9 * dy * b


@tricky(lambda x: np.stack([x[0] * 1e10, x[1] * 1e-10, x[0] * x[1]]), (np.array([0.7, -1.1]),))
def mixed_scales(x: Array, dy: Array) -> object:
    """Outputs over 20 orders."""
    return (np.stack([1e10 * dy[0] + x[1] * dy[2], 1e-10 * dy[1] + x[0] * dy[2]]),)


@tricky(lambda x, e: np.concatenate([x, e * 2]), (normal(3), np.zeros(0)))
def empty_among_others(x: Array, e: Array, dy: Array) -> object:
    """One empty leaf."""
    return dy[:3].copy(), 2 * dy[3:]


@tricky(lambda a, b: a * b, (np.array(1.3), np.array(-0.4)))
def numbers(a: Array, b: Array, dy: Array) -> object:
    """Leaves without axes."""
    return np.asarray(dy * b), np.asarray(dy * a)


@tricky(lambda x: float(np.sum(x * x)), (normal(4),))
def python_float(x: Array, dy: Array) -> object:
    """A Python float comes out: fifteen digits at most."""
    return (2 * x * dy,)


@tricky(lambda x, w: x @ w, (np.asfortranarray(normal(4, 3)), normal(6, 2)[::2]))
def layouts(x: Array, w: Array, dy: Array) -> object:
    """Fortran order and strides."""
    return dy @ w.T, x.T @ dy


def locked(x: Array) -> Array:
    x.setflags(write=False)
    return x


@tricky(lambda x: np.cosh(x), (locked(normal(3, 2)),))
def read_only(x: Array, dy: Array) -> object:
    """A read-only argument."""
    return (dy * np.sinh(x),)


@tricky(lambda x, y: x.astype(np.float64) * y, (normal(4).astype(np.float32), normal(4)))
def mixed_dtypes(x: Array, y: Array, dy: Array) -> object:
    """float32 beside float64."""
    return (dy * y).astype(x.dtype), (dy * x).astype(y.dtype)


def single_only(x: Array) -> object:
    if x.dtype not in (np.float32, np.float64):
        raise TypeError("only float32 and float64")
    return np.log1p(np.exp(x))


@tricky(single_only, (normal(5),))
def kernel_of_two_precisions(x: Array, dy: Array) -> object:
    """A kernel for float32 and float64."""
    return (dy / (1 + np.exp(-x)),)


@tricky(lambda x: np.sin(np.float64(x)), (normal(5),))
def casts_inside(x: Array, dy: Array) -> object:
    """np.float64 inside: wider numbers are rounded."""
    return ((dy * np.cos(x)).astype(x.dtype),)


@tricky(lambda x: np.linalg.inv(x.astype(np.float64)), (np.eye(3) * 3 + normal(3, 3),))
def lapack(x: Array, dy: Array) -> object:
    """LAPACK knows no long double."""
    t = np.linalg.inv(x.astype(np.float64)).T
    return ((-t @ dy @ t).astype(x.dtype),)


@tricky(lambda x: np.linalg.det(x.astype(np.float64)), (normal(3, 3),))
def determinant(x: Array, dy: Array) -> object:
    """A number from LAPACK."""
    a = x.astype(np.float64)
    return ((dy * np.linalg.det(a) * np.linalg.inv(a).T).astype(x.dtype),)


def kepler(m: Array, e: Array) -> Array:
    """Eccentric anomaly by Newton, stopped at a tolerance."""
    u = m + e * np.sin(m)
    for _ in range(50):
        step = (u - e * np.sin(u) - m) / (1 - e * np.cos(u))
        u = u - step
        if np.abs(step).max() < 1e-8:
            break
    return u


@tricky(kepler, (np.array([0.3, 1.0, 2.5]), np.array([0.1, 0.4, 0.2])))
def kepler_implicit(m: Array, e: Array, dy: Array) -> object:
    """An iteration that stops at a tolerance, with the derivative of the solution."""
    u = kepler(m, e)
    d = dy / (1 - e * np.cos(u))
    return d, d * np.sin(u)


def babylon(x: Array) -> Array:
    y = np.ones_like(x)
    for _ in range(7):
        y = (y + x / y) / 2
    return y


@tricky(babylon, (uniform(4),))
def babylon_square_root(x: Array, dy: Array) -> object:
    """A fixed number of Newton steps."""
    return (dy / (2 * babylon(x)),)


def rough(x: Array) -> object:
    """Rounded to twelve digits, as from a table."""
    return np.round(np.exp(x.astype(np.float64)), 12)


@tricky(rough, (normal(4),))
def rounded_to_twelve(x: Array, dy: Array) -> object:
    """Noise of 1e-12."""
    return ((dy * np.exp(x)).astype(x.dtype),)


@tricky(lambda x, keep: x * keep * 2, (normal(4, 3), np.random.default_rng(5).random((4, 3)) < 0.5))
def fixed_mask(x: Array, keep: BoolArray, dy: Array) -> object:
    """Dropout with its mask as an argument."""
    return dy * keep * 2, None


def cross_entropy(x: Array, t: IntArray) -> object:
    m = x.max(-1, keepdims=True)
    return (np.log(np.exp(x - m).sum(-1)) + m[:, 0] - x[np.arange(len(x)), t]).mean()


@tricky(cross_entropy, (np.array([[60.0, 0.0, -3.0], [0.0, 55.0, 1.0]]), np.array([0, 1])))
def certain_and_right(x: Array, t: IntArray, dy: Array) -> object:
    """A loss of 1e-24, lost in rounding."""
    p = softmax(x)
    p[np.arange(len(x)), t] = -np.where(np.eye(3)[t] > 0, 0, p).sum(-1)
    return (p * dy / len(x)).astype(x.dtype), None


@tricky(cross_entropy, (1e4 * normal(3, 4), integers(3, below=4)))
def huge_logits(x: Array, t: IntArray, dy: Array) -> object:
    """Logits of 1e4."""
    p = softmax(x)
    p[np.arange(len(x)), t] -= 1
    return (p * dy / len(x)).astype(x.dtype), None


@attrs.frozen(eq=False)
class Unit:
    """Parameters."""

    weight: Array
    count: IntArray
    bias: Array


@tricky(lambda u, x: x @ u.weight / x.dtype.type(u.count) + u.bias, (Unit(normal(3, 2), np.array(4), normal(2)), normal(5, 3)))
def class_with_integer(u: Unit, x: Array, dy: Array) -> object:
    """An integer leaf inside a class."""
    n = x.dtype.type(u.count)
    return Unit(x.T @ dy / n, None, dy.sum(0)), dy @ u.weight.T / n  # type: ignore[arg-type]  # a cotangent


@tricky(lambda x: (x[:, :, None] * x[:, None, :]).sum((1, 2)), (normal(3, 4),))
def everything_twice(x: Array, dy: Array) -> object:
    """Each entry meets itself."""
    return (2 * dy[:, None] * x.sum(1, keepdims=True) * np.ones_like(x),)


@tricky(lambda x: x - x, (normal(5),))
def nothing_left(x: Array, dy: Array) -> object:
    """A function that is zero by cancellation."""
    return (np.zeros_like(x),)


@tricky(lambda x: np.floor(x) + x, (np.array([0.5, 1.25, -3.7]),))
def steps_and_slope(x: Array, dy: Array) -> object:
    """Jumps away from the point."""
    return (dy.copy(),)


@tricky(lambda x: np.sin(x), (1e6 + normal(4),))
def sine_far_out(x: Array, dy: Array) -> object:
    """Steps proportional to the variable skip periods."""
    return (dy * np.cos(x),)


@tricky(lambda x: np.exp(x), (np.array([-700.0, 0.0, 30.0]),))
def exponential_range(x: Array, dy: Array) -> object:
    """Slopes from 1e-304 to 1e13."""
    return (dy * np.exp(x),)


@tricky(lambda a, b: np.hypot(a, b), (np.array([1e-9, 0.0, 3.0]), np.array([0.0, 2e-9, 4.0])))
def hypot_near_zero(a: Array, b: Array, dy: Array) -> object:
    """Next to the tip of a cone."""
    h = np.hypot(a, b)
    return dy * a / h, dy * b / h


@tricky(lambda x: np.where(x > 0, x * x, 0), (np.array([0.0, 1e-7, -1e-7, 2.0]),))
def squared_relu(x: Array, dy: Array) -> object:
    """Once differentiable at 0."""
    return (2 * dy * np.maximum(x, 0),)


@tricky(lambda x: np.abs(x) ** 1.01, (np.array([0.0, 0.5, -2.0]),))
def almost_a_kink(x: Array, dy: Array) -> object:
    """The slope at 0 is zero, and hardly anywhere near."""
    return (dy * 1.01 * np.sign(x) * np.abs(x) ** 0.01,)


@tricky(lambda x: {"a": x[0] * x[1], "b": (np.cos(x), np.argmax(x))}, (normal(4),))
def tree_out(x: Array, dy: dict[str, object]) -> object:
    """A tree comes out, with an integer in it."""
    cosine = dy["b"]
    assert isinstance(cosine, tuple)
    d = -np.sin(x) * cosine[0]
    d[0] += np.asarray(dy["a"]) * x[1]
    d[1] += np.asarray(dy["a"]) * x[0]
    return (d,)
