"""Time what curvature is made of beside the libraries of PyTorch for it, in one process, one thread each.

    python -m tests.benchmarks.curvature_peers

It needs PyTorch, BackPACK (``backpack-for-pytorch``), curvlinops (``curvlinops-for-pytorch``) and ``laplace-torch``.  Both sides
have the same float32 parameters and give the same trace, sum or inner product first: the difference stands in the last column.
Ours and theirs are called in turn, and what is printed is the ratio of the two least processor times, ours over theirs.
"""

from __future__ import annotations

import copy
import importlib
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn import tree

MODE = fn.Eval()
ROUNDS = 5


@frozen
class Net:
    """A network of funcnn with its data, and the same of torch."""

    name: str
    model: Any
    params: Any
    state: Any
    x: Any
    labels: Any
    theirs: Any
    images: Any
    classes: Any


@frozen
class Row:
    """One product: whose it is beside ours, what computes both, and the number that both give."""

    product: str
    peer: str
    ours: Callable[[], float]
    theirs: Callable[[], float]


def nets(torch: Any) -> list[Net]:
    """Return the networks; kernels and the order of pixels are those of each library."""
    draw, nn = np.random.default_rng(0), torch.nn
    perceptron = fn.dense(256) >> fn.tanh() >> fn.dense(256) >> fn.tanh() >> fn.dense(10)
    images = fn.conv2d(6, 5) >> fn.relu() >> fn.max_pool2d(2) >> fn.conv2d(16, 5) >> fn.relu() >> fn.max_pool2d(2)
    lenet = images >> fn.flatten() >> fn.dense(84) >> fn.relu() >> fn.dense(10)
    dense = nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 10))
    convolutions = nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
    conv = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(256, 84), nn.ReLU(), nn.Linear(84, 10))
    made = []
    for name, model, theirs, shape in (
        ("dense 64-256-256-10, 128 rows", perceptron, dense, (128, 64)),
        ("LeNet, 32 images", lenet, conv, (32, 28, 28, 1)),
    ):
        x = draw.normal(size=shape).astype(np.float32)
        labels = draw.integers(0, 10, len(x))
        start = model.init(fn.Key(0), shape[1:])
        params = tree.astype(start.params, np.float32)
        pixels = torch.from_numpy(x if x.ndim == 2 else np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
        with torch.no_grad():
            for own, leaf in zip(theirs.parameters(), tree.leaves(params), strict=True):
                own.copy_(torch.from_numpy(in_their_order(leaf, own.shape)))
        made.append(Net(name, model, params, start.state, x, labels, theirs, pixels, torch.from_numpy(labels)))
    return made


def in_their_order(leaf: Any, shape: Any) -> Any:
    """Return a leaf in the layout of torch: outputs first, and after a flattened image channels before pixels."""
    if leaf.ndim == 4:
        return np.ascontiguousarray(leaf.transpose(3, 2, 0, 1))
    if leaf.shape == (256, 84):
        return np.ascontiguousarray(leaf.reshape(4, 4, 16, 84).transpose(3, 2, 0, 1).reshape(84, 256))
    return np.ascontiguousarray(leaf.T) if leaf.ndim == 2 else np.array(leaf)


def total(values: Any) -> float:
    """Return the sum of all numbers of the leaves."""
    return float(sum(leaf.sum(dtype=float) for leaf in tree.leaves(values)))


def squares(values: Any) -> float:
    """Return the sum of the squares."""
    return float(sum(np.vdot(leaf, leaf) for leaf in tree.leaves(values)))


def backpack_rows(torch: Any, net: Net) -> list[Row]:
    """Return gradients of single examples, the diagonal of the Gauss-Newton matrix, and Kronecker factors."""
    backpack = importlib.import_module("backpack")
    extensions = importlib.import_module("backpack.extensions")
    loss, at = fn.softmax_cross_entropy(), (net.params, net.state, net.x, net.labels)
    model, criterion = backpack.extend(copy.deepcopy(net.theirs)), backpack.extend(torch.nn.CrossEntropyLoss())

    def run(extension: Any) -> Any:
        model.zero_grad()
        with backpack.backpack(extension):
            criterion(model(net.images), net.classes).backward()
        return model.parameters()

    def trace_of_factors() -> float:
        """Ours come with their eigenvectors, as whatever uses them needs; so do theirs here."""
        every = [own.kflr for own in run(extensions.KFLR())]
        for own in every:
            for factor in own:
                torch.linalg.eigh(factor)
        last = every[-4:]  # of convolutions it does not divide by the windows
        return float(sum(np.prod([float(torch.trace(factor)) for factor in own]) for own in last))

    def our_trace() -> float:
        blocks = factors(*at, MODE).blocks[-2:]
        return float(sum(np.trace(block.input_factor) * np.trace(block.output_factor) for block in blocks))

    single, diagonal = fn.per_example_grads(net.model, loss), fn.curvature.ggn_diagonal(net.model, loss)
    factors: Any = fn.curvature.kronecker_factors(net.model, loss)
    count = len(net.x)
    return [
        Row(
            "gradients of examples",
            "BackPACK",
            lambda: squares(single(*at, MODE)),
            lambda: float(sum((own.grad_batch**2).sum() for own in run(extensions.BatchGrad()))) * count**2,
        ),
        Row(
            "Gauss-Newton diagonal",
            "BackPACK",
            lambda: total(diagonal(*at, MODE)),
            lambda: float(sum(own.diag_ggn_exact.sum() for own in run(extensions.DiagGGNExact()))),
        ),
        Row("Kronecker factors, eigh", "BackPACK (KFLR)", our_trace, trace_of_factors),
    ]


def curvlinops_rows(torch: Any, net: Net) -> list[Row]:
    """Return products with the Hessian and with the Gauss-Newton matrix: the vector is the parameters themselves."""
    curvlinops = importlib.import_module("curvlinops")
    loss, at = fn.softmax_cross_entropy(), (net.params, net.state, net.x, net.labels)
    own = dict(net.theirs.named_parameters())
    vector = torch.cat([leaf.detach().flatten() for leaf in own.values()])
    found = []
    for product, ours, kind in (("Hessian product", fn.hvp, "Hessian"), ("Gauss-Newton product", fn.ggn_product, "GGN")):
        make = getattr(curvlinops, f"{kind}LinearOperator")
        data = [(net.images, net.classes)]
        operator = make(net.theirs, torch.nn.CrossEntropyLoss(), list(own.values()), data, check_deterministic=False)
        function = ours(net.model, loss)
        found.append(
            Row(
                product,
                "curvlinops",
                lambda function=function: inner(net.params, function(*at, net.params, MODE)),
                lambda operator=operator: float(vector @ (operator @ vector)),
            )
        )
    return found


def inner(one: Any, other: Any) -> float:
    """Return the inner product of two trees."""
    return float(sum(np.vdot(a, b) for a, b in zip(tree.leaves(one), tree.leaves(other), strict=True)))


def laplace_rows(torch: Any, net: Net) -> list[Row]:
    """Return fitting a Laplace approximation, and the probabilities of the classes from it."""
    laplace = importlib.import_module("laplace")
    loaded = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(net.images, net.classes), len(net.images))
    loss, found = fn.softmax_cross_entropy(), []
    for structure, theirs in (("diagonal", "diag"), ("kronecker", "kron")):
        ours: Any = fn.curvature.laplace(net.model, loss, structure=structure)

        def fit(ours: Any = ours) -> Any:
            return ours(net.params, net.state, net.x, net.labels)

        def fit_theirs(theirs: str = theirs) -> Any:
            made = laplace.Laplace(net.theirs, "classification", subset_of_weights="all", hessian_structure=theirs)
            made.fit(loaded)
            return made

        fitted, their_fit = fit(), fit_theirs()
        found += [
            Row(
                f"Laplace {structure}, fit", "laplace-torch", lambda fit=fit: fit().loss, lambda fit=fit_theirs: float(fit().loss)
            ),
            Row(
                f"Laplace {structure}, predict",
                "laplace-torch",
                lambda fitted=fitted: float(fitted.probabilities(net.x)[:, 0].sum()),
                lambda fitted=their_fit: float(fitted(net.images, link_approx="probit")[:, 0].sum()),
            ),
        ]
    return found


def least_times(*functions: Callable[[], Any]) -> list[float]:
    """Return the least processor time of each function, called in turn."""
    least = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for place, function in enumerate(functions):
            start = time.process_time()
            function()
            least[place] = min(least[place], time.process_time() - start)
    return least


def main() -> int:
    """Print the table."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    fn.keep_memory()  # of the whole process: torch's arrays come from it too
    print(f"torch {torch.__version__}, numpy {np.__version__}, one thread each")
    print(f"{'':<32}{'':<28}{'peer':<17}{'ours, ms':>9}{'ours / peer':>13}{'difference':>12}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for net in nets(torch):
            for rows in (backpack_rows, curvlinops_rows, *([laplace_rows] if net.x.ndim > 2 else [])):
                for row in rows(torch, net):
                    mine, other = row.ours(), row.theirs()
                    own, peer = least_times(row.ours, row.theirs)
                    off = abs(mine - other) / abs(other)
                    print(
                        f"{net.name:<32}{row.product:<28}{row.peer:<17}{1e3 * own:>9.2f}{own / peer:>13.2f}{off:>12.0e}",
                        flush=True,
                    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
