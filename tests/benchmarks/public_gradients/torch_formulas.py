"""PyTorch: the formulas of its own backward passes, and of the backward passes of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import funcnn as fn
from tests.benchmarks.public_gradients.case import Case

ANYWHERE = (
    "sin cos tan sinh cosh tanh asinh atan exp exp2 expm1 sigmoid erf erfc sinc abs square neg sign relu selu celu prod amax amin"
    " median std var sum mean norm"
)
ALONG = "logcumsumexp cumsum cumprod logsumexp softmax log_softmax"
BETWEEN = "log log2 log10 log1p sqrt rsqrt reciprocal asin acos atanh erfinv logit lgamma digamma i0"
SPECIAL = "i0e i1 i1e ndtri log_ndtr entr erfcx"
ACTIVATIONS = (
    "gelu elu leaky_relu hardtanh hardswish hardsigmoid hardshrink softshrink tanhshrink softplus softsign silu mish logsigmoid"
    " rrelu relu6 glu"
)
"""Functions by the numbers that they take: any, any along an axis, numbers between 0 and 1, the same."""

Functions = dict[str, tuple[Callable[..., Any], np.ndarray]]
"""Functions of one tensor, with a point for each."""


def torch_cases(rng: np.random.Generator) -> Iterator[Case]:
    import torch

    torch.set_num_threads(1)
    functions: Functions = {}
    for family in (_elementwise, _linear_algebra, _losses, _images, _sequences):
        functions |= family(rng)
    for name, (function, point) in functions.items():
        yield of_function(name, function, point)
        if point.any():  # a norm has one slope at 0 by convention, and no second one
            yield of_function(f"{name}, backward twice", partial(gradient, function, rng.normal(size=64)), point)


def gradient(function: Callable[..., Any], weights: np.ndarray, x: Any) -> Any:
    """Return the gradient of a weighted sum of what a function gives: a function whose backward is the double backward."""
    import torch

    with torch.enable_grad():
        given = x if x.requires_grad else x.detach().requires_grad_()
        y = function(given)
        dy = torch.from_numpy(np.resize(weights, y.shape))
        if not y.requires_grad:
            return torch.zeros_like(x)
        (dx,) = torch.autograd.grad(y, given, dy, create_graph=True, materialize_grads=True)
        return dx


def of_function(name: str, function: Callable[..., Any], point: np.ndarray) -> Case:
    """Return the case of a function of one tensor: checked as such, and confirmed as one of vectors."""
    import torch

    def tensor(flat: np.ndarray) -> Any:
        return torch.from_numpy(np.array(flat, float).reshape(point.shape))

    def value(flat: np.ndarray) -> np.ndarray:
        return np.array(function(tensor(flat)).detach().numpy()).ravel()

    def jacobian(flat: np.ndarray) -> np.ndarray:
        found = torch.autograd.functional.jacobian(function, tensor(flat))
        return np.array(found.numpy()).reshape(-1, flat.size)

    checked = partial(fn.check.check_torch, function, tensor(point.ravel()), explain=False)
    return Case(name, value, jacobian, point.ravel().copy(), checked)


def _elementwise(rng: np.random.Generator) -> Functions:
    import torch
    from torch.nn import functional

    v, m, inside = rng.normal(size=5) * 1.3, rng.normal(size=(3, 3)), rng.uniform(0.1, 0.9, 5)
    above = rng.uniform(1.1, 3, 5)
    made: Functions = {}
    made |= {name: (getattr(torch, name), v) for name in ANYWHERE.split()}
    made |= {name: (partial(getattr(torch, name), dim=0), v) for name in ALONG.split()}
    made |= {name: (getattr(torch, name), inside) for name in BETWEEN.split()}
    made |= {f"special.{name}": (getattr(torch.special, name), inside) for name in SPECIAL.split()}
    made["acosh"] = (torch.acosh, above)
    made |= {
        "polygamma": (partial(torch.special.polygamma, 1), above),
        "zeta by its second": (lambda q: torch.special.zeta(2.5, q), above),
        "mvlgamma": (partial(torch.mvlgamma, p=2), above),
        "pow": (lambda x: x**2.7, inside),
        "power of": (lambda x: 1.7**x, v),
        "pow of itself": (lambda x: x**x, inside),
        "atan2": (lambda x: torch.atan2(x[:2], x[2:4]), v),
        "hypot": (lambda x: torch.hypot(x[:2], x[2:4]), v),
        "logaddexp": (lambda x: torch.logaddexp(x[:2], x[2:4]), v),
        "lerp": (lambda x: torch.lerp(x[:2], x[2:4], x[4:]), v),
        "addcdiv": (lambda x: torch.addcdiv(x[:1], x[1:2], x[2:3], value=0.7), above),
        "cross": (lambda x: torch.linalg.cross(x[0], x[1]), m),
        "cdist": (lambda x: torch.cdist(x[:2], x[1:] + 0.3), m),
        "cdist, p=1": (lambda x: torch.cdist(x[:2], x[1:] + 0.3, p=1.0), m),
        "cdist, p=3": (lambda x: torch.cdist(x[:2], x[1:] + 0.3, p=3.0), m),
        "pdist": (functional.pdist, m),
        "renorm": (lambda x: torch.renorm(x, 2, 0, 0.8), m),
        "cosine_similarity": (lambda x: functional.cosine_similarity(x[:1], x[1:]), m),
        "trace of a product": (lambda x: torch.trace(x @ x), m),
        "cov": (torch.cov, m),
        "corrcoef": (torch.corrcoef, m),
        "trapezoid": (lambda x: torch.trapezoid(x, torch.cumsum(x * x, 0)), v),
        "gather": (lambda x: torch.gather(x, 0, torch.tensor([0, 2, 2])), v),
        "index_add": (lambda x: torch.zeros(3).double().index_add(0, torch.tensor([0, 2, 2, 1, 0]), x), v),
        "scatter_reduce, prod": (
            lambda x: torch.ones(3).double().scatter_reduce(0, torch.tensor([0, 2, 2, 1, 0]), x, "prod"),
            v,
        ),
        "scatter_reduce, amax": (
            lambda x: torch.zeros(3).double().scatter_reduce(0, torch.tensor([0, 2, 2, 1, 0]), x, "amax"),
            v,
        ),
        "fft": (lambda x: torch.view_as_real(torch.fft.fft(x)), v),
        "irfft of rfft": (lambda x: torch.fft.irfft(torch.fft.rfft(x) ** 2, n=5), v),
        "stft": (
            lambda x: torch.stft(x, 4, window=torch.hann_window(4).double(), return_complex=True).abs(),
            rng.normal(size=12),
        ),
    }
    made |= {name: (getattr(functional, name), v[:4]) for name in ACTIVATIONS.split()}
    made["gelu, tanh"] = (partial(functional.gelu, approximate="tanh"), v)
    made["prelu"] = (lambda x: functional.prelu(x, x[:1]), v)
    return made


def _linear_algebra(rng: np.random.Generator) -> Functions:
    import torch

    v, m = rng.normal(size=5), rng.normal(size=(3, 3))
    spd = m @ m.T + np.eye(3)

    def symmetric(x: Any) -> Any:
        return (x + x.T) / 2

    linalg = torch.linalg
    return {
        "inv": (linalg.inv, m),
        "det": (linalg.det, m),
        "det of a singular matrix": (linalg.det, np.outer(m[0], m[1])),
        "slogdet": (lambda x: linalg.slogdet(x)[1], m),
        "pinv": (lambda x: linalg.pinv(x[:, :2]), m),
        "matrix_exp": (linalg.matrix_exp, m),
        "matrix_power -2": (lambda x: linalg.matrix_power(x, -2), m),
        "cholesky": (lambda x: linalg.cholesky(symmetric(x)), spd),
        "cholesky_inverse": (lambda x: torch.cholesky_inverse(torch.tril(x)), spd),
        "cholesky_solve": (lambda x: torch.cholesky_solve(x[:, :1], torch.tril(x) + 2 * torch.eye(3).double()), spd),
        "solve": (lambda x: linalg.solve(x, x[:, :1] ** 2), m),
        "solve_triangular": (lambda x: linalg.solve_triangular(torch.triu(x), x[:, :1] ** 2, upper=True), spd),
        "lstsq": (lambda x: linalg.lstsq(x[:, :2], x[:, 2:]).solution, m),
        "lu": (lambda x: torch.cat(list(linalg.lu(x)[1:])), m),
        "qr": (lambda x: torch.cat(linalg.qr(x)), m),
        "householder_product": (lambda x: linalg.householder_product(torch.tril(x, -1), x[0] ** 2), m),
        "eigvalsh": (lambda x: linalg.eigvalsh(symmetric(x)), spd),
        "eigh, projectors": (lambda x: (lambda e: e[1][:, :1] @ e[1][:, :1].T)(linalg.eigh(symmetric(x))), spd),
        "eigvals, magnitudes": (lambda x: linalg.eigvals(x).abs().sort().values, spd),
        "svdvals": (linalg.svdvals, m),
        "svd, polar factor": (lambda x: (lambda s: s[0] @ s[2])(linalg.svd(x)), m),
        "nuclear norm": (partial(linalg.matrix_norm, ord="nuc"), m),
        "spectral norm": (partial(linalg.matrix_norm, ord=2), m),
        "norm, p=1.5": (lambda x: linalg.vector_norm(x, 1.5), v),
        "norm, p=inf": (lambda x: linalg.vector_norm(x, float("inf")), v),
        "norm at 0": (linalg.vector_norm, np.zeros(3)),
        "norm, p=3, at 0": (lambda x: linalg.vector_norm(x, 3), np.zeros(3)),
        "vander": (torch.vander, v),
    }


def _losses(rng: np.random.Generator) -> Functions:
    import torch
    from torch.nn import functional

    m, made = rng.normal(size=(3, 3)), dict[str, tuple[Callable[..., Any], np.ndarray]]()
    other, labels = torch.from_numpy(rng.normal(size=(3, 3))), torch.tensor([0, 2, 1])
    shares = torch.softmax(other, -1)
    for name, options in {
        "mse_loss": {},
        "l1_loss": {},
        "smooth_l1_loss": {"beta": 0.7},
        "huber_loss": {"delta": 0.7},
        "soft_margin_loss": {},
        "poisson_nll_loss": {"full": True},
        "kl_div": {"reduction": "batchmean"},
        "binary_cross_entropy_with_logits": {"pos_weight": torch.tensor([0.5, 2.0, 1.5]).double()},
    }.items():
        target = shares if name in ("kl_div", "binary_cross_entropy_with_logits", "poisson_nll_loss") else torch.sign(other)
        made[name] = (lambda x, name=name, target=target, options=options: getattr(functional, name)(x, target, **options), m)
    made |= {
        "binary_cross_entropy": (lambda x: functional.binary_cross_entropy(torch.sigmoid(x), shares), m),
        "cross_entropy": (lambda x: functional.cross_entropy(x, labels, label_smoothing=0.1), m),
        "cross_entropy of shares": (lambda x: functional.cross_entropy(x, shares), m),
        "nll_loss": (lambda x: functional.nll_loss(x, labels, weight=torch.tensor([0.5, 2.0, 1.5]).double()), m),
        "multi_margin_loss": (lambda x: functional.multi_margin_loss(x, labels, p=2), m),
        "multilabel_margin_loss": (lambda x: functional.multilabel_margin_loss(x[0], torch.tensor([2, 0, -1])), m),
        "hinge_embedding_loss": (lambda x: functional.hinge_embedding_loss(x, torch.sign(other)), m),
        "cosine_embedding_loss": (lambda x: functional.cosine_embedding_loss(x, other, torch.tensor([1, -1, 1])), m),
        "triplet_margin_loss": (lambda x: functional.triplet_margin_loss(x, other, other.T, p=2), m),
        "gaussian_nll_loss": (lambda x: functional.gaussian_nll_loss(x, other, x**2 + 0.3), m),
        "ctc_loss": (
            lambda x: functional.ctc_loss(
                functional.log_softmax(x, -1), torch.tensor([[1, 2, 2]]), torch.tensor([7]), torch.tensor([3])
            ),
            rng.normal(size=(7, 1, 4)),
        ),
    }
    return made


def _images(rng: np.random.Generator) -> Functions:
    import torch
    from torch.nn import functional

    image, line = rng.normal(size=(1, 2, 5, 5)), rng.normal(size=(2, 3, 7))
    weight, kernel = torch.from_numpy(rng.normal(size=(3, 2, 3, 3))), torch.from_numpy(rng.normal(size=(4, 3, 3)))
    grid = torch.from_numpy(rng.uniform(-0.9, 0.9, size=(1, 3, 3, 2)))
    return {
        "conv1d": (lambda x: functional.conv1d(x, kernel, stride=2, padding=1), line),
        "conv1d by its kernel": (lambda w: functional.conv1d(torch.from_numpy(line), w, dilation=2), kernel.numpy()),
        "conv2d": (lambda x: functional.conv2d(x, weight, padding=1), image),
        "conv2d by its kernel": (lambda w: functional.conv2d(torch.from_numpy(image), w, stride=2), weight.numpy()),
        "conv_transpose2d": (
            lambda x: functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2, output_padding=1),
            image,
        ),
        "unfold": (partial(functional.unfold, kernel_size=(3, 2), stride=2), image),
        "max_pool2d": (partial(functional.max_pool2d, kernel_size=2), image),
        "avg_pool2d": (partial(functional.avg_pool2d, kernel_size=3, padding=1, count_include_pad=False), image),
        "lp_pool2d": (partial(functional.lp_pool2d, norm_type=3, kernel_size=2), np.abs(image)),
        "adaptive_avg_pool2d": (partial(functional.adaptive_avg_pool2d, output_size=3), image),
        "adaptive_max_pool2d": (partial(functional.adaptive_max_pool2d, output_size=3), image),
        "interpolate, bicubic": (partial(functional.interpolate, scale_factor=1.7, mode="bicubic"), image),
        "interpolate, bilinear": (partial(functional.interpolate, size=(7, 3), mode="bilinear", align_corners=True), image),
        "pad, reflect": (partial(functional.pad, pad=(2, 1), mode="reflect"), line),
        "pad, circular": (partial(functional.pad, pad=(2, 1), mode="circular"), line),
        "pixel_shuffle": (lambda x: functional.pixel_shuffle(x.transpose(0, 1).reshape(1, 50, 1, 1)[:, :48], 4), image),
        "grid_sample": (lambda x: functional.grid_sample(x, grid, align_corners=False), image),
        "grid_sample by its grid": (
            lambda g: functional.grid_sample(torch.from_numpy(image), g, align_corners=True, padding_mode="border"),
            grid.numpy(),
        ),
        "grid_sample, bicubic, by its grid": (
            lambda g: functional.grid_sample(torch.from_numpy(image), g, mode="bicubic", align_corners=True),
            grid.numpy(),
        ),
        "affine_grid": (lambda t: functional.affine_grid(t[None], [1, 1, 3, 2], align_corners=False), rng.normal(size=(2, 3))),
        "batch_norm": (lambda x: functional.batch_norm(x, None, None, training=True), line),
        "layer_norm": (lambda x: functional.layer_norm(x, (7,), x[0, 0], x[0, 1]), line),
        "group_norm": (lambda x: functional.group_norm(x, 3, x[0, :, 0]), line),
        "instance_norm": (functional.instance_norm, line),
        "local_response_norm": (partial(functional.local_response_norm, size=2), line),
        "rms_norm": (lambda x: functional.rms_norm(x, (7,), x[0, 0]), line),
        "normalize": (partial(functional.normalize, p=3.0, dim=-1), line),
    }


def _sequences(rng: np.random.Generator) -> Functions:
    import torch
    from torch.nn import functional

    m, x = rng.normal(size=(3, 3)), rng.normal(size=(3, 2, 2))
    made: Functions = {
        "embedding": (lambda w: functional.embedding(torch.tensor([0, 2, 2, 1]), w), m),
        "embedding_bag, mean": (
            lambda w: functional.embedding_bag(torch.tensor([0, 2, 2, 1]), w, torch.tensor([0, 3]), mode="mean"),
            m,
        ),
        "bilinear": (lambda x: functional.bilinear(x[:2], x[1:], x[:, :, None] * x), m),
        "scaled_dot_product_attention": (
            lambda x: functional.scaled_dot_product_attention(x[None], 2 * x[None] ** 2, x[None].sin(), is_causal=True),
            m,
        ),
    }
    for kind in ("RNN", "LSTM", "GRU"):
        torch.manual_seed(0)
        net = getattr(torch.nn, kind)(2, 2, bidirectional=True).double()
        made[kind] = (lambda x, net=net: net(x)[0], x)
    return made
