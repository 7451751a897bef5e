"""Mistakes in convolution, pooling and other functions of pictures; channels last, no padding unless it is said."""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array
from tests.check.corpus.entry import Grads, normal, uniform, wrong


def windows(x: Array, kh: int, kw: int) -> Array:
    """Return (N, H', W', C, kh, kw)."""
    view: Array = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))
    return view


def conv_of(x: Array, w: Array) -> Array:
    y: Array = np.einsum("nhwcij,ijco->nhwo", windows(x, w.shape[0], w.shape[1]), w)
    return y


def pad(x: Array, rows: int, columns: int) -> Array:
    return np.pad(x, ((0, 0), (rows, rows), (columns, columns), (0, 0)))


def conv(x: Array, w: Array, b: Array) -> object:
    return conv_of(x, w) + b


def conv_dx(w: Array, dy: Array) -> Array:
    kh, kw = w.shape[:2]
    return conv_of(pad(dy, kh - 1, kw - 1), w[::-1, ::-1].swapaxes(2, 3))


def conv_dw(x: Array, w: Array, dy: Array) -> Array:
    dw: Array = np.einsum("nhwcij,nhwo->ijco", windows(x, w.shape[0], w.shape[1]), dy)
    return dw


def conv_vjp(x: Array, w: Array, b: Array, dy: Array) -> Grads:
    return conv_dx(w, dy), conv_dw(x, w, dy), dy.sum((0, 1, 2))


CONV = (normal(2, 4, 5, 2), normal(3, 2, 2, 3), normal(3))


@wrong(conv, CONV, "permuted", "[1]", right=conv_vjp)
def conv_kernel_reversed(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The kernel's gradient comes out turned by 180 degrees: convolution for correlation."""
    return conv_dx(w, dy), conv_dw(x, w, dy)[::-1, ::-1].copy(), dy.sum((0, 1, 2))


@wrong(conv, CONV, "permuted", "[0]", right=conv_vjp)
def conv_input_kernel_not_turned(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The input's gradient correlates with the kernel as it is, without turning it."""
    return conv_of(pad(dy, 2, 1), w.swapaxes(2, 3)), conv_dw(x, w, dy), dy.sum((0, 1, 2))


@wrong(conv, CONV, "shifted", "[0]", right=conv_vjp)
def conv_input_one_pixel_off(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The full convolution is cropped one column off."""
    dx = conv_dx(w, dy)
    return np.concatenate([dx[:, :, 1:], np.zeros_like(dx[:, :, :1])], axis=2), conv_dw(x, w, dy), dy.sum((0, 1, 2))


@wrong(conv, CONV, "border", "[0]", right=conv_vjp)
def conv_input_border_lost(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The frame of the input's gradient is left zero: the padding of the full convolution was cut."""
    dx = np.zeros_like(x)
    dx[:, 1:-1, 1:-1] = conv_dx(w, dy)[:, 1:-1, 1:-1]
    return dx, conv_dw(x, w, dy), dy.sum((0, 1, 2))


@wrong(conv, CONV, "channel", "[1]", right=conv_vjp)
def conv_last_output_channel(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The loop over output channels ends one too early."""
    dw = conv_dw(x, w, dy)
    dw[..., -1] = 0
    return conv_dx(w, dy), dw, dy.sum((0, 1, 2))


@wrong(conv, CONV, "missing_batch_sum", "[1]", right=conv_vjp)
def conv_weight_first_image(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The kernel's gradient is that of the first image."""
    return conv_dx(w, dy), conv_dw(x[:1], w, dy[:1]), dy.sum((0, 1, 2))


@wrong(conv, CONV, "constant_factor", "[2]", right=conv_vjp)
def conv_bias_mean(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The bias's gradient is a mean over the positions."""
    return conv_dx(w, dy), conv_dw(x, w, dy), dy.mean((1, 2)).sum(0)


@wrong(conv, (normal(2, 4, 4, 3), normal(2, 2, 3, 3), normal(3)), "transpose", "[1]", right=conv_vjp)
def conv_weight_channels_exchanged(x: Array, w: Array, b: Array, dy: Array) -> object:
    """Input and output channels change places in the kernel's gradient."""
    return conv_dx(w, dy), conv_dw(x, w, dy).swapaxes(2, 3).copy(), dy.sum((0, 1, 2))


@wrong(conv, CONV, "zero_gradient", "[0]", right=conv_vjp)
def conv_first_layer(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The input's gradient is not computed, as in a first layer."""
    return np.zeros_like(x), conv_dw(x, w, dy), dy.sum((0, 1, 2))


@wrong(conv, CONV, "shape", "[0]", right=conv_vjp)
def conv_input_valid(x: Array, w: Array, b: Array, dy: Array) -> object:
    """The input's gradient is the 'valid' part of the full convolution."""
    return conv_dx(w, dy)[:, 1:-1, :], conv_dw(x, w, dy), dy.sum((0, 1, 2))


def depthwise(x: Array, w: Array) -> object:
    return np.einsum("nhwcij,ijc->nhwc", windows(x, w.shape[0], w.shape[1]), w)


def depthwise_vjp(x: Array, w: Array, dy: Array) -> Grads:
    kh, kw = w.shape[:2]
    dx = np.einsum("nhwcij,ijc->nhwc", windows(pad(dy, kh - 1, kw - 1), kh, kw), w[::-1, ::-1])
    return dx, np.einsum("nhwcij,nhwc->ijc", windows(x, kh, kw), dy)


DEPTHWISE = (normal(2, 4, 4, 3), normal(2, 2, 3))


@wrong(depthwise, DEPTHWISE, "channel", "[0]", right=depthwise_vjp)
def depthwise_first_channel_kernel(x: Array, w: Array, dy: Array) -> object:
    """The last channel is pulled back with the kernel of the first."""
    v = w.copy()
    v[..., -1] = w[..., 0]
    return depthwise_vjp(x, v, dy)[0], depthwise_vjp(x, w, dy)[1]


@wrong(depthwise, DEPTHWISE, "permuted", "[1]", right=depthwise_vjp)
def depthwise_channels_reversed(x: Array, w: Array, dy: Array) -> object:
    """The channels come back in the order BGR."""
    dx, dw = depthwise_vjp(x, w, dy)
    return dx, dw[..., ::-1]


def conv_same(x: Array, w: Array) -> object:
    return conv_of(pad(x, 1, 1), w)


def conv_same_vjp(x: Array, w: Array, dy: Array) -> Grads:
    return conv_dx(w, dy)[:, 1:-1, 1:-1], conv_dw(pad(x, 1, 1), w, dy)


SAME = (normal(1, 4, 5, 1), normal(3, 3, 1, 2))


@wrong(conv_same, SAME, "shifted", "[0]", right=conv_same_vjp)
def conv_same_cropped_at_corner(x: Array, w: Array, dy: Array) -> object:
    """The padding is cut off at one side only."""
    return conv_dx(w, dy)[:, 2:, 2:], conv_dw(pad(x, 1, 1), w, dy)


@wrong(conv_same, SAME, "border", "[0]", right=conv_same_vjp)
def conv_same_edge_counted_twice(x: Array, w: Array, dy: Array) -> object:
    """What falls on the padding is added to the edge, as for replicated padding."""
    full = conv_dx(w, dy)
    dx = full[:, 1:-1, 1:-1].copy()
    dx[:, 0] += full[:, 0, 1:-1]
    dx[:, -1] += full[:, -1, 1:-1]
    dx[:, :, 0] += full[:, 1:-1, 0]
    dx[:, :, -1] += full[:, 1:-1, -1]
    return dx, conv_dw(pad(x, 1, 1), w, dy)


def filter1d(x: Array, w: Array) -> object:
    """Causal filter of a signal (batch, time)."""
    z = np.pad(x, ((0, 0), (len(w) - 1, 0)))
    return np.einsum("btk,k->bt", np.lib.stride_tricks.sliding_window_view(z, len(w), axis=1), w)


def filter1d_vjp(x: Array, w: Array, dy: Array) -> Grads:
    k = len(w)
    z = np.pad(x, ((0, 0), (k - 1, 0)))
    e = np.pad(dy, ((0, 0), (0, k - 1)))
    dx = np.einsum("btk,k->bt", np.lib.stride_tricks.sliding_window_view(e, k, axis=1), w[::-1])
    return dx, np.einsum("btk,bt->k", np.lib.stride_tricks.sliding_window_view(z, k, axis=1), dy)


FILTER = (normal(2, 7), normal(3))


@wrong(filter1d, FILTER, "shifted", "[0]", right=filter1d_vjp)
def filter1d_one_step_late(x: Array, w: Array, dy: Array) -> object:
    """The signal's gradient comes one step late."""
    dx, dw = filter1d_vjp(x, w, dy)
    return np.concatenate([np.zeros_like(dx[:, :1]), dx[:, :-1]], axis=1), dw


@wrong(filter1d, FILTER, "permuted", "[1]", right=filter1d_vjp)
def filter1d_taps_reversed(x: Array, w: Array, dy: Array) -> object:
    """The taps' gradient is in reverse order."""
    dx, dw = filter1d_vjp(x, w, dy)
    return dx, dw[::-1].copy()


def blocks(x: Array) -> Array:
    """Return (N, H/2, W/2, C, 4)."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, c, 4)


def unblocks(b: Array) -> Array:
    n, h, w, c, _ = b.shape
    return b.reshape(n, h, w, c, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * h, 2 * w, c)


def max_pool(x: Array) -> object:
    return blocks(x).max(-1)


def max_pool_vjp(x: Array, dy: Array) -> Grads:
    b = blocks(x)
    return (unblocks((b == b.max(-1, keepdims=True)) * dy[..., None]),)


POOL = (normal(2, 4, 6, 2),)


@wrong(max_pool, POOL, "region", "[0]", right=max_pool_vjp)
def max_pool_whole_window(x: Array, dy: Array) -> object:
    """The whole window receives the gradient, not the maximum alone."""
    return (unblocks(np.repeat(dy[..., None], 4, axis=-1)),)


@wrong(max_pool, POOL, "missing_term", "[0]", right=max_pool_vjp)
def max_pool_as_average(x: Array, dy: Array) -> object:
    """The gradient is spread evenly over the window, as for an average."""
    return (unblocks(np.repeat(dy[..., None], 4, axis=-1)) / 4,)


def average_pool(x: Array) -> object:
    return blocks(x).mean(-1)


def average_pool_vjp(x: Array, dy: Array) -> Grads:
    return (unblocks(np.repeat(dy[..., None], 4, axis=-1)) / 4,)


@wrong(average_pool, POOL, "constant_factor", "[0]", right=average_pool_vjp)
def average_pool_without_area(x: Array, dy: Array) -> object:
    """The window's size is missing: a factor of k^2."""
    return (unblocks(np.repeat(dy[..., None], 4, axis=-1)),)


@wrong(average_pool, POOL, "shifted", "[0]", right=average_pool_vjp)
def average_pool_one_column_off(x: Array, dy: Array) -> object:
    """The windows start one column further right."""
    dx = average_pool_vjp(x, dy)[0]
    return (np.roll(dx, 1, axis=2),)


def global_average(x: Array) -> object:
    return x.mean((1, 2))


def global_average_vjp(x: Array, dy: Array) -> Grads:
    return (np.broadcast_to(dy[:, None, None], x.shape) / (x.shape[1] * x.shape[2]),)


@wrong(global_average, (normal(2, 3, 4, 2),), "constant_factor", "[0]", right=global_average_vjp)
def global_average_one_axis(x: Array, dy: Array) -> object:
    """Divided by the height alone, not by height times width."""
    return (np.broadcast_to(dy[:, None, None], x.shape) / x.shape[1],)


def blur(x: Array) -> object:
    """Mean over three neighbours, over two at the ends, of (batch, length)."""
    z = np.pad(x, ((0, 0), (1, 1)))
    count = np.pad(np.ones_like(x), ((0, 0), (1, 1)))
    return (z[:, :-2] + z[:, 1:-1] + z[:, 2:]) / (count[:, :-2] + count[:, 1:-1] + count[:, 2:])


def blur_vjp(x: Array, dy: Array) -> Grads:
    count = np.pad(np.ones_like(x), ((0, 0), (1, 1)))
    e = np.pad(dy / (count[:, :-2] + count[:, 1:-1] + count[:, 2:]), ((0, 0), (1, 1)))
    return (e[:, :-2] + e[:, 1:-1] + e[:, 2:],)


@wrong(blur, (normal(2, 7),), "border", "[0]", right=blur_vjp)
def blur_counts_padding(x: Array, dy: Array) -> object:
    """The ends are divided by three although two neighbours are averaged there."""
    e = np.pad(dy / 3, ((0, 0), (1, 1)))
    return (e[:, :-2] + e[:, 1:-1] + e[:, 2:],)


def difference(x: Array) -> object:
    return x[:, 1:] - x[:, :-1]


def difference_vjp(x: Array, dy: Array) -> Grads:
    z = np.pad(dy, ((0, 0), (1, 1)))
    return (z[:, :-1] - z[:, 1:],)


@wrong(difference, (normal(3, 6),), "border", "[0]", right=difference_vjp)
def difference_without_ends(x: Array, dy: Array) -> object:
    """The first and the last entry, with one neighbour only, are forgotten."""
    dx = np.zeros_like(x)
    dx[:, 1:-1] = dy[:, :-1] - dy[:, 1:]
    return (dx,)


@wrong(difference, (normal(3, 6),), "sign_flip", "[0]", right=difference_vjp)
def difference_sign(x: Array, dy: Array) -> object:
    """left - right instead of right - left."""
    z = np.pad(dy, ((0, 0), (1, 1)))
    return (z[:, 1:] - z[:, :-1],)


def pixel_shuffle(x: Array) -> object:
    n, h, w, c = x.shape
    return x.reshape(n, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * h, 2 * w, c // 4)


def pixel_shuffle_vjp(x: Array, dy: Array) -> Grads:
    n, h, w, c = x.shape
    return (dy.reshape(n, h, 2, w, 2, c // 4).transpose(0, 1, 3, 2, 4, 5).reshape(x.shape),)


@wrong(pixel_shuffle, (normal(1, 2, 3, 8),), "permuted", "[0]", right=pixel_shuffle_vjp)
def pixel_shuffle_order(x: Array, dy: Array) -> object:
    """Rows and columns of the small blocks change places."""
    n, h, w, c = x.shape
    return (dy.reshape(n, h, 2, w, 2, c // 4).transpose(0, 1, 3, 4, 2, 5).reshape(x.shape),)


def upsample(x: Array) -> object:
    return x.repeat(2, axis=1).repeat(2, axis=2)


def upsample_vjp(x: Array, dy: Array) -> Grads:
    return (blocks(dy).sum(-1),)


@wrong(upsample, (normal(2, 2, 3, 2),), "missing_term", "[0]", right=upsample_vjp)
def upsample_takes_corner(x: Array, dy: Array) -> object:
    """One of the four copies is counted."""
    return (dy[:, ::2, ::2].copy(),)


@wrong(upsample, (normal(2, 2, 3, 2),), "constant_factor", "[0]", right=upsample_vjp)
def upsample_averages(x: Array, dy: Array) -> object:
    """The four copies are averaged where they must be added."""
    return (blocks(dy).mean(-1),)


def colour(x: Array, w: Array) -> object:
    """A 1x1 convolution on (N, C, H, W)."""
    return np.einsum("nchw,oc->nohw", x, w)


def colour_vjp(x: Array, w: Array, dy: Array) -> Grads:
    return np.einsum("nohw,oc->nchw", dy, w), np.einsum("nohw,nchw->oc", dy, x)


COLOUR = (normal(2, 3, 2, 4), normal(2, 3))


@wrong(colour, COLOUR, "channel", "[0]", right=colour_vjp)
def colour_channel_forgotten(x: Array, w: Array, dy: Array) -> object:
    """The second input channel gets half of its gradient."""
    dx, dw = colour_vjp(x, w, dy)
    dx[:, 1] *= 0.5
    return dx, dw


@wrong(colour, (normal(2, 3, 2, 4), normal(3, 3)), "transpose", "[0]", right=colour_vjp)
def colour_weight_not_transposed(x: Array, w: Array, dy: Array) -> object:
    """The cotangent goes through the colour matrix forward."""
    return np.einsum("nohw,co->nchw", dy, w), colour_vjp(x, w, dy)[1]


def laplacian(x: Array) -> object:
    """Five-point stencil with zero boundary, on one picture."""
    z = np.pad(x, 1)
    return z[:-2, 1:-1] + z[2:, 1:-1] + z[1:-1, :-2] + z[1:-1, 2:] - 4 * x


def laplacian_vjp(x: Array, dy: Array) -> Grads:
    z = np.pad(dy, 1)
    return (z[:-2, 1:-1] + z[2:, 1:-1] + z[1:-1, :-2] + z[1:-1, 2:] - 4 * dy,)


@wrong(laplacian, (normal(4, 5),), "border", "[0]", right=laplacian_vjp)
def laplacian_periodic(x: Array, dy: Array) -> object:
    """The backward stencil wraps around the edges."""
    turned = np.roll(dy, 1, 0) + np.roll(dy, -1, 0) + np.roll(dy, 1, 1) + np.roll(dy, -1, 1)
    return (turned - 4 * dy,)


@wrong(laplacian, (normal(4, 5),), "missing_term", "[0]", right=laplacian_vjp)
def laplacian_centre_forgotten(x: Array, dy: Array) -> object:
    """The centre's weight is left out."""
    return (laplacian_vjp(x, dy)[0] + 4 * dy,)


def strided(x: Array, w: Array) -> object:
    """Stride 2, kernel 2: (N, L, C) with (2, C, O)."""
    n, length, c = x.shape
    return x.reshape(n, length // 2, 2 * c) @ w.reshape(2 * c, -1)


def strided_vjp(x: Array, w: Array, dy: Array) -> Grads:
    n, length, c = x.shape
    cols = x.reshape(n, length // 2, 2 * c)
    return (dy @ w.reshape(2 * c, -1).T).reshape(x.shape), np.einsum("nlk,nlo->ko", cols, dy).reshape(w.shape)


@wrong(strided, (normal(2, 6, 3), normal(2, 3, 2)), "permuted", "[0]", right=strided_vjp)
def strided_col2im_order(x: Array, w: Array, dy: Array) -> object:
    """col2im writes the two taps in each other's place."""
    n, length, c = x.shape
    dx = (dy @ w.reshape(2 * c, -1).T).reshape(n, length // 2, 2, c)[:, :, ::-1].reshape(x.shape)
    return dx, strided_vjp(x, w, dy)[1]


def spatial_gain(x: Array, g: Array) -> object:
    return x * g[:, :, None]


def spatial_gain_vjp(x: Array, g: Array, dy: Array) -> Grads:
    return dy * g[:, :, None], (dy * x).sum((0, 3))


@wrong(spatial_gain, (normal(2, 3, 4, 2), uniform(3, 4)), "border", "[1]", right=spatial_gain_vjp)
def spatial_gain_frame_fixed(x: Array, g: Array, dy: Array) -> object:
    """The frame of the map is not learned: its gradient is zero."""
    dx, dg = spatial_gain_vjp(x, g, dy)
    inner = np.zeros_like(dg)
    inner[1:-1, 1:-1] = dg[1:-1, 1:-1]
    return dx, inner
