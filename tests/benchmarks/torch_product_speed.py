"""Time the products of derivatives beside those of torch.func, in one process, one thread each.

    python -m tests.benchmarks.torch_product_speed

It needs PyTorch.  Each network is written in torch as a function of funcnn's own parameters, in float32, and both give the same
numbers first.  Ours and theirs are called in turn, and what is printed is the ratio of the two least times, ours over theirs, and
our least time over that of a gradient of ours.  Times are those of the processor, of one thread, so that the ratios hardly depend
on what else a machine does.  Where torch.func
has no product for a layer the network is written for it in another way, and where that fails too, "none" stands.
"""

from __future__ import annotations

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
ROUNDS = 15


@frozen
class Net:
    """A network of funcnn and the same of torch, a function of the list of its parameters and of the input."""

    name: str
    model: Any
    x: Any
    labels: Any
    theirs: Callable[[Any, list[Any], Any], Any]


def dense(torch: Any, p: list[Any], x: Any) -> Any:
    return torch.tanh(torch.tanh(x @ p[0] + p[1]) @ p[2] + p[3]) @ p[4] + p[5]


def convnet(torch: Any, p: list[Any], x: Any) -> Any:
    functional = torch.nn.functional
    y = x.permute(0, 3, 1, 2)
    for weight, bias in ((p[0], p[1]), (p[2], p[3])):
        y = functional.max_pool2d(functional.relu(functional.conv2d(y, weight.permute(3, 2, 0, 1), bias)), 2)
    return functional.relu(y.permute(0, 2, 3, 1).reshape(len(x), -1) @ p[4] + p[5]) @ p[6] + p[7]


def lstm(torch: Any, p: list[Any], x: Any) -> Any:
    size = p[1].shape[0]
    h = c = torch.zeros_like(x[:, 0, :1]).expand(len(x), size)
    for step in (x @ p[0] + p[2]).unbind(1):
        i, f, o, g = (step + h @ p[1]).split(size, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return h @ p[3] + p[4]


def gpt(torch: Any, p: list[Any], tokens: Any) -> Any:
    functional = torch.nn.functional
    x = functional.embedding(tokens, p[0]) + p[1][: tokens.shape[1]]
    features = x.shape[-1]
    for block in range(2):
        q = p[2 + 12 * block : 14 + 12 * block]
        y = functional.layer_norm(x, (features,), q[0], q[1]) @ q[2] + q[3]
        heads = [part.unflatten(-1, (4, features // 4)).transpose(1, 2) for part in y.split(features, -1)]
        x = x + functional.scaled_dot_product_attention(*heads, is_causal=True).transpose(1, 2).flatten(2) @ q[4] + q[5]
        y = functional.layer_norm(x, (features,), q[6], q[7]) @ q[8] + q[9]
        x = x + functional.gelu(y, approximate="tanh") @ q[10] + q[11]
    return functional.layer_norm(x, (features,), p[-2], p[-1]) @ p[0].T


def nets() -> list[Net]:
    """Return the networks with their data."""
    draw = np.random.default_rng(0)

    def numbers(*shape: int) -> Any:
        return draw.normal(size=shape).astype(np.float32)

    images = fn.conv2d(6, 5) >> fn.relu() >> fn.max_pool2d(2) >> fn.conv2d(16, 5) >> fn.relu() >> fn.max_pool2d(2)
    lenet = images >> fn.flatten() >> fn.dense(84) >> fn.relu() >> fn.dense(10)
    perceptron = fn.dense(256) >> fn.tanh() >> fn.dense(256) >> fn.tanh() >> fn.dense(10)
    recurrent = fn.lstm(64) >> fn.last_step() >> fn.dense(10)
    language = fn.gpt(65, layers=2, heads=4, features=64, context_length=32)
    return [
        Net("dense 64-256-256-10, 128 rows", perceptron, numbers(128, 64), draw.integers(0, 10, 128), dense),
        Net("LeNet, 32 images", lenet, numbers(32, 28, 28, 1), draw.integers(0, 10, 32), convnet),
        Net("LSTM 64, 20 steps, 32 rows", recurrent, numbers(32, 20, 16), draw.integers(0, 10, 32), lstm),
        Net("GPT 2 x 64, 32 tokens, 8 rows", language, draw.integers(0, 65, (8, 32)), draw.integers(0, 65, (8, 32)), gpt),
    ]


def ours(net: Net, params: Any, state: Any, vector: Any) -> dict[str, Callable[[], Any]]:
    """Return what computes each product of funcnn."""
    loss = fn.softmax_cross_entropy()
    at = params, state, net.x, net.labels
    made: dict[str, Any] = {
        name: getattr(fn, name)(net.model, loss)
        for name in ("loss_and_grad", "hvp", "ggn_product", "per_example_grads", "per_example_norms")
    }
    forward = fn.jvp(net.model)
    return {
        "gradient": lambda: made["loss_and_grad"](*at, MODE).grads,
        "jvp": lambda: forward(params, state, net.x, vector, None, MODE).tangent,
        "hvp": lambda: made["hvp"](*at, vector, MODE),
        "ggn": lambda: made["ggn_product"](*at, vector, MODE),
        "per example": lambda: made["per_example_grads"](*at, MODE),
        "norms": lambda: made["per_example_norms"](*at, MODE),
    }


def theirs(torch: Any, net: Net, params: Any, vector: Any) -> dict[str, Callable[[], Any]]:
    """Return what computes each product by torch.func."""
    func = torch.func
    p = [torch.from_numpy(np.array(leaf)) for leaf in tree.leaves(params)]
    ways = [torch.from_numpy(np.array(leaf)) for leaf in tree.leaves(vector)]
    x, labels = torch.from_numpy(np.array(net.x)), torch.from_numpy(np.array(net.labels))

    def lost(output: Any, target: Any) -> Any:
        return torch.nn.functional.cross_entropy(output.flatten(0, -2), target.flatten())

    def loss_of(own: Any) -> Any:
        return lost(net.theirs(torch, own, x), labels)

    def ggn() -> Any:
        output, along = func.jvp(lambda own: net.theirs(torch, own, x), (p,), (ways,))
        _, curved = func.jvp(func.grad(lambda y: lost(y, labels)), (output,), (along,))
        return func.vjp(lambda own: net.theirs(torch, own, x), p)[1](curved)[0]

    def single(own: Any, given: Any, label: Any) -> Any:
        return lost(net.theirs(torch, own, given[None]), label[None])

    each = func.vmap(func.grad(single), (None, 0, 0))

    def norms() -> Any:
        return torch.stack([leaf.flatten(1).square().sum(1) for leaf in each(p, x, labels)]).sum(0).sqrt()

    return {
        "gradient": lambda: func.grad(loss_of)(p),
        "jvp": lambda: func.jvp(lambda own: net.theirs(torch, own, x), (p,), (ways,))[1],
        "hvp": lambda: func.jvp(func.grad(loss_of), (p,), (ways,))[1],
        "ggn": ggn,
        "per example": lambda: each(p, x, labels),
        "norms": norms,
    }


def pinn(torch: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return what computes the gradient of the mean square of a network's Laplacian: ours, and by nested forward derivatives."""
    net = fn.dense(64) >> fn.tanh() >> fn.dense(64) >> fn.tanh() >> fn.dense(1)
    model, loss = fn.laplacian(net), fn.mean_squared_error()
    start = model.init(fn.Key(0), (2,))
    params, x = start.params, np.random.default_rng(0).normal(size=(500, 2))
    gradient, zero = fn.loss_and_grad(model, loss), np.zeros((500, 1))
    p, points = [torch.from_numpy(np.array(leaf)) for leaf in tree.leaves(params)], torch.from_numpy(x)
    func, units = torch.func, torch.eye(2, dtype=torch.float64)

    def network(own: Any, one: Any) -> Any:
        return (torch.tanh(torch.tanh(one @ own[0] + own[1]) @ own[2] + own[3]) @ own[4] + own[5])[0]

    def second(own: Any, one: Any, way: Any) -> Any:
        def slope(there: Any) -> Any:
            return func.jvp(lambda place: network(own, place), (there,), (way,))[1]

        return func.jvp(slope, (one,), (way,))[1]

    def mean_square(own: Any) -> Any:
        laplacians = func.vmap(lambda one: second(own, one, units[0]) + second(own, one, units[1]))(points)
        return (laplacians**2).mean()

    return lambda: gradient(params, start.state, x, zero, MODE).grads, lambda: func.grad(mean_square)(p)


def directions(params: Any) -> Any:
    """Draw a direction for parameters."""
    draw = np.random.default_rng(1)
    return tree.map(lambda leaf: draw.normal(size=leaf.shape).astype(np.float32), params)


def difference(mine: Any, other: Any) -> float:
    """Return the largest difference, relative to the largest number."""
    leaves = [other] if hasattr(other, "numpy") else list(other)
    pairs = [(np.asarray(a), b.detach().numpy()) for a, b in zip(tree.leaves(mine), leaves, strict=True)]
    return max(float(np.abs(a - b).max()) for a, b in pairs) / max(float(np.abs(b).max()) for _, b in pairs)


def in_turn(*functions: Callable[[], Any]) -> list[float]:
    """Return the least processor time of each function, called in turn."""
    least = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for place, function in enumerate(functions):
            start = time.process_time()
            function()
            least[place] = min(least[place], time.process_time() - start)
    return least


def rows(torch: Any) -> list[str]:
    """Return the lines of the table."""
    lines = [f"{'':<32}{'product':<13}{'ours / torch.func':>18}{'over a gradient':>17}{'difference':>12}"]
    for net in nets():
        start = net.model.init(fn.Key(0), net.x.shape[1:])
        params = tree.astype(start.params, np.float32)
        vector = directions(params)
        mine, other = ours(net, params, start.state, vector), theirs(torch, net, params, vector)
        for name, function in mine.items():
            try:
                off = difference(function(), other[name]())
            except (RuntimeError, NotImplementedError):
                own, gradient = in_turn(function, mine["gradient"])
                lines.append(f"{net.name:<32}{name:<13}{'none':>18}{own / gradient:>17.2f}{'':>12}")
                continue
            own, peer, gradient = in_turn(function, other[name], mine["gradient"])
            lines.append(f"{net.name:<32}{name:<13}{own / peer:>18.2f}{own / gradient:>17.2f}{off:>12.0e}")
    function, peer_function = pinn(torch)
    off = difference(function(), peer_function())
    own, peer = in_turn(function, peer_function)
    lines.append(f"{'PINN 2-64-64-1, 500 points':<32}{'laplacian':<13}{own / peer:>18.2f}{'':>17}{off:>12.0e}")
    return lines


def main() -> int:
    """Print the table."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    fn.keep_memory()  # as fit does; of the whole process, so that torch's arrays come from it too
    backend = importlib.import_module("torch.nn.attention")
    with warnings.catch_warnings(), backend.sdpa_kernel(backend.SDPBackend.MATH):  # the others have no forward derivative
        warnings.simplefilter("ignore")
        print(f"torch {torch.__version__}, numpy {np.__version__}, one thread each")
        print("\n".join(rows(torch)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
