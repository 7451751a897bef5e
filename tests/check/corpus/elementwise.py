"""Mistakes in activations and other functions of one entry at a time."""

from __future__ import annotations

import math

import numpy as np

from funcnn.typing import Array
from tests.check.corpus.entry import Grads, normal, uniform, wrong

X = (normal(4, 5),)


def sigmoid_of(x: Array) -> Array:
    y: Array = 0.5 * (1 + np.tanh(0.5 * x))
    return y


def relu(x: Array) -> object:
    return np.maximum(x, 0)


def relu_vjp(x: Array, dy: Array) -> Grads:
    return (dy * (x > 0),)


@wrong(relu, X, "nonlinear_in_dy", "[0]", right=relu_vjp)
def relu_masked_by_cotangent(x: Array, dy: Array) -> object:
    """The mask is taken from dy > 0 instead of x > 0."""
    return (dy * (dy > 0),)


@wrong(relu, X, "nonlinear_in_dy", "[0]", right=relu_vjp)
def relu_guided(x: Array, dy: Array) -> object:
    """Guided back-propagation: both masks."""
    return (dy * (x > 0) * (dy > 0),)


@wrong(relu, X, "region", "[0]", right=relu_vjp)
def relu_without_mask(x: Array, dy: Array) -> object:
    """The gradient goes through negative inputs too."""
    return (1.0 * dy,)


def sigmoid(x: Array) -> object:
    return sigmoid_of(x)


def sigmoid_vjp(x: Array, dy: Array) -> Grads:
    s = sigmoid_of(x)
    return (dy * s * (1 - s),)


@wrong(sigmoid, X, "missing_term", "[0]", right=sigmoid_vjp)
def sigmoid_half_derivative(x: Array, dy: Array) -> object:
    """The derivative is s where s (1 - s) is due."""
    return (dy * sigmoid_of(x),)


@wrong(sigmoid, X, "missing_term", "[0]", right=sigmoid_vjp)
def sigmoid_derivative_of_input(x: Array, dy: Array) -> object:
    """The textbook's s (1 - s) is written with the input in the place of the output."""
    return (dy * x * (1 - x),)


@wrong(sigmoid, (normal(4, 5, seed=7),), "approximation", "[0]", right=sigmoid_vjp)
def sigmoid_forward_difference(x: Array, dy: Array) -> object:
    """The derivative is a forward difference with a coarse step."""
    return (dy * (sigmoid_of(x + 1e-2) - sigmoid_of(x)) / 1e-2,)


@wrong(sigmoid, X, "nonlinear_in_dy", "[0]", right=sigmoid_vjp)
def sigmoid_gradient_clipped(x: Array, dy: Array) -> object:
    """The backward pass clips what flows through it."""
    s = sigmoid_of(x)
    return (np.clip(dy * s * (1 - s), -0.02, 0.02),)


def tanh(x: Array) -> object:
    return np.tanh(x)


def tanh_vjp(x: Array, dy: Array) -> Grads:
    return (dy * (1 - np.tanh(x) ** 2),)


@wrong(tanh, X, "missing_term", "[0]", right=tanh_vjp)
def tanh_square_forgotten(x: Array, dy: Array) -> object:
    """The derivative is 1 - y where 1 - y^2 is due."""
    return (dy * (1 - np.tanh(x)),)


@wrong(tanh, X, "approximation", "[0]", right=tanh_vjp)
def tanh_rational(x: Array, dy: Array) -> object:
    """The derivative is that of a fast rational approximation."""
    x2 = x * x
    y = x * (27 + x2) / (27 + 9 * x2)
    return (dy * (1 - y * y),)


@wrong(tanh, X, "missing_term", "[0]", right=tanh_vjp)
def tanh_chain_twice(x: Array, dy: Array) -> object:
    """The derivative is applied twice."""
    return (dy * (1 - np.tanh(x) ** 2) ** 2,)


@wrong(tanh, X, "ignores_dy", "[0]", right=tanh_vjp)
def tanh_derivative_only(x: Array, dy: Array) -> object:
    """The derivative is returned without the cotangent."""
    return (1 - np.tanh(x) ** 2,)


def leaky(x: Array) -> object:
    return np.where(x > 0, x, 0.1 * x)


def leaky_vjp(x: Array, dy: Array) -> Grads:
    return (np.where(x > 0, dy, 0.1 * dy),)


@wrong(leaky, X, "region", "[0]", right=leaky_vjp)
def leaky_as_relu(x: Array, dy: Array) -> object:
    """Negative inputs get no gradient, as if it were relu."""
    return (dy * (x > 0),)


@wrong(leaky, X, "region", "[0]", right=leaky_vjp)
def leaky_slope_mistyped(x: Array, dy: Array) -> object:
    """The slope is 0.1 forward and 0.01 backward."""
    return (np.where(x > 0, dy, 0.01 * dy),)


def elu(x: Array) -> object:
    return np.where(x > 0, x, 1.5 * np.expm1(np.minimum(x, 0)))


def elu_vjp(x: Array, dy: Array) -> Grads:
    return (dy * np.where(x > 0, 1, 1.5 * np.exp(np.minimum(x, 0))),)


@wrong(elu, X, "region", "[0]", right=elu_vjp)
def elu_forgets_alpha(x: Array, dy: Array) -> object:
    """The negative branch has y where y + alpha is due."""
    return (dy * np.where(x > 0, 1, 1.5 * np.expm1(np.minimum(x, 0))),)


def gelu(x: Array) -> object:
    return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))


def gelu_vjp(x: Array, dy: Array) -> Grads:
    t = np.tanh(0.7978845608028654 * (x + 0.044715 * x**3))
    return (dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x)),)


@wrong(gelu, X, "approximation", "[0]", right=gelu_vjp)
def gelu_by_sigmoid(x: Array, dy: Array) -> object:
    """The derivative is that of x sigmoid(1.702 x), a coarser approximation."""
    s = sigmoid_of(1.702 * x)
    return (dy * (s + 1.702 * x * s * (1 - s)),)


@wrong(gelu, X, "missing_term", "[0]", right=gelu_vjp)
def gelu_inner_derivative(x: Array, dy: Array) -> object:
    """The inner polynomial's derivative is left out."""
    t = np.tanh(0.7978845608028654 * (x + 0.044715 * x**3))
    return (dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t)),)


def silu(x: Array) -> object:
    return x * sigmoid_of(x)


def silu_vjp(x: Array, dy: Array) -> Grads:
    s = sigmoid_of(x)
    return (dy * (s + x * s * (1 - s)),)


@wrong(silu, X, "missing_term", "[0]", right=silu_vjp)
def silu_gate_only(x: Array, dy: Array) -> object:
    """The product rule's second half is missing."""
    return (dy * sigmoid_of(x),)


@wrong(silu, (normal(3, 7),), "sign_flip", "[0]", right=silu_vjp)
def silu_sign(x: Array, dy: Array) -> object:
    """The whole gradient has the wrong sign."""
    s = sigmoid_of(x)
    return (-dy * s * (1 + x * (1 - s)),)


def softplus(x: Array) -> object:
    return np.logaddexp(x, 0)


def softplus_vjp(x: Array, dy: Array) -> Grads:
    return (dy * sigmoid_of(x),)


@wrong(softplus, (normal(4, 5, seed=2) * 2,), "region", "[0]", right=softplus_vjp)
def softplus_linear_above_two(x: Array, dy: Array) -> object:
    """Above a threshold the derivative is taken to be one."""
    return (dy * np.where(x > 2, 1, sigmoid_of(x)),)


@wrong(softplus, (np.array([[-30000.0, -2.0, 0.5], [1.0, 3.0, 30000.0]]),), "nonfinite", "[0]", right=softplus_vjp)
def softplus_overflows(x: Array, dy: Array) -> object:
    """The derivative e^x / (1 + e^x) is inf / inf for a large input."""
    with np.errstate(all="ignore"):
        e = np.exp(x)
        return (dy * e / (1 + e),)


@wrong(softplus, (normal(6) * 2,), "missing_term", "[0]", right=softplus_vjp)
def softplus_as_exp(x: Array, dy: Array) -> object:
    """The derivative is e^x, as if the logarithm were not there."""
    return (dy * np.exp(x),)


def clip(x: Array) -> object:
    return np.clip(x, -1, 1)


def clip_vjp(x: Array, dy: Array) -> Grads:
    return (dy * (abs(x) < 1),)


@wrong(clip, (normal(4, 5) * 1.5,), "region", "[0]", right=clip_vjp)
def clip_straight_through(x: Array, dy: Array) -> object:
    """The gradient goes through where the function is flat."""
    return (1.0 * dy,)


@wrong(clip, (normal(4, 5) * 1.5,), "region", "[0]", right=clip_vjp)
def clip_one_side_only(x: Array, dy: Array) -> object:
    """The lower end is not masked."""
    return (dy * (x < 1),)


def absolute(x: Array) -> object:
    return abs(x)


def absolute_vjp(x: Array, dy: Array) -> Grads:
    return (dy * np.sign(x),)


@wrong(absolute, X, "region", "[0]", right=absolute_vjp)
def absolute_without_sign(x: Array, dy: Array) -> object:
    """The derivative is one on both sides."""
    return (1.0 * dy,)


def charbonnier(x: Array) -> object:
    return np.sqrt(x * x + 0.01)


def charbonnier_vjp(x: Array, dy: Array) -> Grads:
    return (dy * x / np.sqrt(x * x + 0.01),)


@wrong(charbonnier, (normal(4, 6),), "eps_mismatch", "[0]", right=charbonnier_vjp)
def charbonnier_without_eps(x: Array, dy: Array) -> object:
    """The backward pass leaves out the epsilon under the root."""
    return (dy * x / np.sqrt(x * x),)


def log_eps(x: Array) -> object:
    return np.log(x + 1e-3)


def log_eps_vjp(x: Array, dy: Array) -> Grads:
    return (dy / (x + 1e-3),)


@wrong(log_eps, (uniform(5, 4, low=0.01, high=2.0),), "eps_mismatch", "[0]", right=log_eps_vjp)
def log_without_eps(x: Array, dy: Array) -> object:
    """log(x + eps) is differentiated as log(x)."""
    return (dy / x,)


@wrong(log_eps, (uniform(5, 4, low=0.01, high=2.0),), "sign_flip", "[0]", right=log_eps_vjp)
def log_sign(x: Array, dy: Array) -> object:
    """A minus that belongs to the entropy around it."""
    return (-dy / (x + 1e-3),)


def exponential(x: Array) -> object:
    return np.exp(0.5 * x)


def exponential_vjp(x: Array, dy: Array) -> Grads:
    return (0.5 * dy * np.exp(0.5 * x),)


@wrong(exponential, X, "constant_factor", "[0]", right=exponential_vjp)
def exponential_inner(x: Array, dy: Array) -> object:
    """The inner derivative, a half, is missing."""
    return (dy * np.exp(0.5 * x),)


@wrong(exponential, (normal(4, 5) / 3,), "approximation", "[0]", right=exponential_vjp)
def exponential_series(x: Array, dy: Array) -> object:
    """The exponential is cut off after its third term."""
    z = 0.5 * x
    return (0.5 * dy * (1 + z + z * z / 2 + z**3 / 6),)


def sine_degrees(x: Array) -> object:
    return np.sin(x * (math.pi / 180))


def sine_degrees_vjp(x: Array, dy: Array) -> Grads:
    return (dy * np.cos(x * (math.pi / 180)) * (math.pi / 180),)


@wrong(sine_degrees, (normal(3, 4) * 90,), "constant_factor", "[0]", right=sine_degrees_vjp)
def sine_degrees_inner(x: Array, dy: Array) -> object:
    """The change of unit is missing in the derivative."""
    return (dy * np.cos(x * (math.pi / 180)),)


def cube(x: Array) -> object:
    return x**3


def cube_vjp(x: Array, dy: Array) -> Grads:
    return (3 * x * x * dy,)


@wrong(cube, (uniform(3, 4),), "missing_term", "[0]", right=cube_vjp)
def cube_exponent(x: Array, dy: Array) -> object:
    """The exponent is not lowered by one but by two."""
    return (3 * x * dy,)


@wrong(cube, X, "ignores_dy", "[0]", right=cube_vjp)
def cube_of_the_sum(x: Array, dy: Array) -> object:
    """The gradient of the sum of the outputs, whatever dy is."""
    return (3 * x * x,)


@wrong(cube, (normal(5, 3),), "nonlinear_in_dy", "[0]", right=cube_vjp)
def cube_gradient_normalized(x: Array, dy: Array) -> object:
    """The gradient is normalized on its way."""
    dx = 3 * x * x * dy
    return (dx / np.sqrt((dx * dx).sum() + 1e-6),)


@wrong(cube, (normal(5, 3),), "single_entry", "[0]", right=cube_vjp)
def cube_last_entry(x: Array, dy: Array) -> object:
    """A loop over the flat array stops before its last entry."""
    flat, out = x.ravel(), np.zeros(x.size, x.dtype)
    for k in range(x.size - 1):
        out[k] = 3 * flat[k] ** 2 * dy.ravel()[k]
    return (out.reshape(x.shape),)


def square(x: Array) -> object:
    return x * x


def square_vjp(x: Array, dy: Array) -> Grads:
    return (2 * x * dy,)


@wrong(square, (normal(6),), "constant_factor", "[0]", right=square_vjp)
def square_without_two(x: Array, dy: Array) -> object:
    """The product rule counted one factor only."""
    return (x * dy,)


@wrong(square, (normal(2, 3, 4),), "nonlinear_in_dy", "[0]", right=square_vjp)
def square_uses_squared_cotangent(x: Array, dy: Array) -> object:
    """The cotangent is squared along with the output."""
    return (2 * x * dy * dy,)


def quotient(a: Array, b: Array) -> object:
    return a / b


def quotient_vjp(a: Array, b: Array, dy: Array) -> Grads:
    return dy / b, -dy * a / (b * b)


QUOTIENT = (normal(4, 3), uniform(4, 3))


@wrong(quotient, QUOTIENT, "sign_flip", "[1]", right=quotient_vjp)
def quotient_sign(a: Array, b: Array, dy: Array) -> object:
    """The denominator's minus is missing."""
    return dy / b, dy * a / (b * b)


@wrong(quotient, QUOTIENT, "missing_term", "[1]", right=quotient_vjp)
def quotient_power(a: Array, b: Array, dy: Array) -> object:
    """The denominator is not squared."""
    return dy / b, -dy * a / b


def multiply(a: Array, b: Array) -> object:
    return a * b


def multiply_vjp(a: Array, b: Array, dy: Array) -> Grads:
    return dy * b, dy * a


@wrong(multiply, (normal(4, 3), normal(4, 3, seed=1)), "swapped_leaf", "[0]", "[1]", right=multiply_vjp)
def multiply_factors_swapped(a: Array, b: Array, dy: Array) -> object:
    """Each factor is multiplied by itself where the other is due."""
    return dy * a, dy * b


@wrong(multiply, (normal(4, 3), normal(4, 3, seed=1)), "zero_gradient", "[1]", right=multiply_vjp)
def multiply_mask_is_constant(a: Array, b: Array, dy: Array) -> object:
    """The second factor is taken for a constant mask."""
    return dy * b, np.zeros_like(b)


def prelu(x: Array, alpha: Array) -> object:
    return np.where(x > 0, x, alpha * x)


def prelu_vjp(x: Array, alpha: Array, dy: Array) -> Grads:
    return np.where(x > 0, dy, alpha * dy), (dy * np.minimum(x, 0)).sum(0)


PRELU = (normal(5, 3), uniform(3, low=0.1, high=0.3))


@wrong(prelu, PRELU, "region", "[1]", right=prelu_vjp)
def prelu_slope_counts_positives(x: Array, alpha: Array, dy: Array) -> object:
    """The slope's gradient sums over the positive inputs too."""
    return np.where(x > 0, dy, alpha * dy), (dy * x).sum(0)


@wrong(prelu, PRELU, "region", "[0]", right=prelu_vjp)
def prelu_input_forgets_slope(x: Array, alpha: Array, dy: Array) -> object:
    """Negative inputs get the gradient without their slope."""
    return 1.0 * dy, (dy * np.minimum(x, 0)).sum(0)


def sinc(x: Array) -> object:
    safe = np.where(x == 0, 1, x)
    return np.where(x == 0, 1, np.sin(safe) / safe)


def sinc_vjp(x: Array, dy: Array) -> Grads:
    safe = np.where(x == 0, 1, x)
    return (dy * np.where(x == 0, 0, (np.cos(safe) - np.sin(safe) / safe) / safe),)


@wrong(sinc, (np.array([[0.5, 0.0, -1.2], [2.0, -0.7, 1.1]]),), "nonfinite", "[0]", right=sinc_vjp)
def sinc_at_zero(x: Array, dy: Array) -> object:
    """The removable singularity is handled forward, and not backward."""
    with np.errstate(all="ignore"):
        return (dy * (np.cos(x) - np.sin(x) / x) / x,)


def masked_log(x: Array) -> object:
    return np.where(x > 0.1, np.log(np.maximum(x, 0.1)), math.log(0.1))


def masked_log_vjp(x: Array, dy: Array) -> Grads:
    return (dy * (x > 0.1) / np.maximum(x, 0.1),)


@wrong(masked_log, (np.array([0.5, 0.0, 1.5, 0.3, 0.0]),), "nonfinite", "[0]", right=masked_log_vjp)
def masked_log_zero_times_infinity(x: Array, dy: Array) -> object:
    """The mask multiplies an infinity: 0 * inf is nan."""
    with np.errstate(all="ignore"):
        return ((x > 0.1) * (dy / x),)


def product_of_all(x: Array) -> object:
    return x.prod()


def product_of_all_vjp(x: Array, dy: Array) -> Grads:
    return (dy * x.prod() / x,)


@wrong(product_of_all, (uniform(6),), "missing_term", "[0]", right=product_of_all_vjp)
def product_keeps_own_factor(x: Array, dy: Array) -> object:
    """The product of the others is due; this one still holds the entry itself."""
    return (dy * x.prod() + 0 * x,)


def softsign(x: Array) -> object:
    return x / (1 + abs(x))


def softsign_vjp(x: Array, dy: Array) -> Grads:
    return (dy / (1 + abs(x)) ** 2,)


@wrong(softsign, X, "region", "[0]", right=softsign_vjp)
def softsign_without_absolute(x: Array, dy: Array) -> object:
    """The denominator of the derivative forgets the absolute value."""
    return (dy / (1 + x) ** 2,)


def swish_beta(x: Array, beta: Array) -> object:
    return x * sigmoid_of(beta * x)


def swish_beta_vjp(x: Array, beta: Array, dy: Array) -> Grads:
    s = sigmoid_of(beta * x)
    return dy * (s + beta * x * s * (1 - s)), np.asarray((dy * x * x * s * (1 - s)).sum())


SWISH = (normal(3, 4), np.array(1.5))


@wrong(swish_beta, SWISH, "missing_term", "[0]", right=swish_beta_vjp)
def swish_input_forgets_beta(x: Array, beta: Array, dy: Array) -> object:
    """beta is missing in the second half of the product rule."""
    s = sigmoid_of(beta * x)
    return dy * (s + x * s * (1 - s)), np.asarray((dy * x * x * s * (1 - s)).sum())


@wrong(swish_beta, SWISH, "shape", "[1]", right=swish_beta_vjp)
def swish_beta_not_summed(x: Array, beta: Array, dy: Array) -> object:
    """The scalar's gradient was not summed."""
    s = sigmoid_of(beta * x)
    return dy * (s + beta * x * s * (1 - s)), dy * x * x * s * (1 - s)
