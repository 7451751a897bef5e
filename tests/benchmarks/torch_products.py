"""Compare the products of derivatives with those of torch.func, number by number, in float64.

    python -m tests.benchmarks.torch_products

It needs PyTorch.  Each network is written in torch as a function of funcnn's own parameters.  Printed is the largest difference
of each product, relative to its largest number; or, where torch.func has none, what it says.  Where the two differ, central
differences of the gradient in long double decide.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn import tree

MODE = fn.Eval()
PRODUCTS = ("jvp", "hvp", "ggn", "per example", "jacobian", "hessian", "input hvp", "mixed")


@frozen
class Pair:
    """A network of funcnn and the same of torch, a function of the list of its parameters and of the input."""

    name: str
    model: Any
    shape: Any
    theirs: Callable[[Any, list[Any], Any], Any]
    tokens: bool = False


def mlp(torch: Any, p: list[Any], x: Any) -> Any:
    return torch.tanh(x @ p[0] + p[1]) @ p[2] + p[3]


def normed(torch: Any, p: list[Any], x: Any) -> Any:
    y = torch.nn.functional.layer_norm(x @ p[0] + p[1], (6,), p[2], p[3])
    return torch.nn.functional.gelu(y) @ p[4] + p[5]


def convnet(torch: Any, p: list[Any], x: Any) -> Any:
    functional = torch.nn.functional
    y = functional.conv2d(x.permute(0, 3, 1, 2), p[0].permute(3, 2, 0, 1), p[1]).permute(0, 2, 3, 1)
    return functional.silu(y).reshape(len(x), -1) @ p[2] + p[3]


def pooled(torch: Any, p: list[Any], x: Any) -> Any:
    functional = torch.nn.functional
    y = functional.relu(functional.conv2d(x.permute(0, 3, 1, 2), p[0].permute(3, 2, 0, 1), p[1]))
    return functional.max_pool2d(y, 2).permute(0, 2, 3, 1).reshape(len(x), -1) @ p[2] + p[3]


def tokens(torch: Any, p: list[Any], x: Any) -> Any:
    return torch.nn.functional.embedding(x, p[0]).reshape(len(x), -1) @ p[1] + p[2]


def attention(torch: Any, p: list[Any], x: Any) -> Any:
    y, _ = torch.nn.functional.multi_head_attention_forward(
        *[x.transpose(0, 1)] * 3, 4, 2, p[0].T, p[1], None, None, False, 0.0, p[2].T, p[3], need_weights=False
    )
    return y.transpose(0, 1).mean(1)


def lstm(torch: Any, p: list[Any], x: Any) -> Any:
    order = [part for gate in (0, 1, 3, 2) for part in range(4 * gate, 4 * gate + 4)]  # torch has i, f, g, o
    weights = [p[0][:, order].T, p[1][:, order].T, p[2][order], torch.zeros_like(p[2])]
    start = torch.zeros(1, len(x), 4, dtype=x.dtype)
    return torch._VF.lstm(x, (start, start), weights, True, 1, 0.0, False, False, True)[0][:, -1]


PAIRS = (
    Pair("dense, tanh", fn.dense(6) >> fn.tanh() >> fn.dense(3), (4,), mlp),
    Pair("layer norm, gelu", fn.dense(6) >> fn.layer_norm() >> fn.gelu() >> fn.dense(3), (4,), normed),
    Pair("convolution, silu", fn.conv2d(3, 2) >> fn.silu() >> fn.flatten() >> fn.dense(3), (4, 5, 2), convnet),
    Pair(
        "convolution, max pool",
        fn.conv2d(3, 2) >> fn.relu() >> fn.max_pool2d(2) >> fn.flatten() >> fn.dense(3),
        (5, 5, 2),
        pooled,
    ),
    Pair("embedding", fn.embedding(7, 3) >> fn.flatten() >> fn.dense(3), (4,), tokens, tokens=True),
    Pair("attention", fn.attention(2) >> fn.mean_steps(), (5, 4), attention),
    Pair("LSTM", fn.lstm(4) >> fn.last_step(), (5, 3), lstm),
)


def ours(pair: Pair, at: Any, target: Any, loss: Any, vector: Any, dx: Any) -> dict[str, list[Any]]:
    """Return each product of funcnn, as arrays."""
    made: dict[str, Any] = {
        "jvp": fn.jvp(pair.model)(*at, vector, None, MODE).tangent,
        "hvp": fn.hvp(pair.model, loss)(*at, target, vector, MODE),
        "ggn": fn.ggn_product(pair.model, loss)(*at, target, vector, MODE),
        "per example": fn.per_example_grads(pair.model, loss)(*at, target, MODE),
        "jacobian": fn.jacobian(pair.model)(*at, MODE),
        "hessian": fn.hessian(pair.model, loss)(*at, target, MODE),
    }
    if not pair.tokens:
        made["input hvp"] = fn.input_hvp(pair.model, loss)(*at, target, dx, MODE)
        made["mixed"] = fn.mixed_product(pair.model, loss)(*at, target, dx, MODE)
    return {name: list(tree.leaves(value)) for name, value in made.items()}


def theirs(torch: Any, pair: Pair, at: Any, target: Any, vector: Any, dx: Any) -> dict[str, Callable[[], Any]]:
    """Return what computes each product by torch.func."""
    func = torch.func
    params = [torch.from_numpy(np.array(leaf)) for leaf in tree.leaves(at[0])]
    ways = [torch.from_numpy(np.array(leaf)) for leaf in tree.leaves(vector)]
    x, labels = torch.from_numpy(np.array(at[2])), torch.from_numpy(target)
    step = None if pair.tokens else torch.from_numpy(dx)

    def run(p: Any, given: Any) -> Any:
        return pair.theirs(torch, p, given)

    def lost(output: Any, labels: Any = labels) -> Any:
        return torch.nn.functional.cross_entropy(output, labels)

    def loss_of(p: Any) -> Any:
        return lost(run(p, x))

    def ggn() -> Any:
        output, along = func.jvp(lambda p: run(p, x), (params,), (ways,))
        _, curved = func.jvp(func.grad(lost), (output,), (along,))
        return func.vjp(lambda p: run(p, x), params)[1](curved)[0]

    def single(p: Any, given: Any, label: Any) -> Any:
        return lost(run(p, given[None]), label[None])

    def hessian() -> Any:
        sizes = [leaf.numel() for leaf in params]

        def flat(vector: Any) -> Any:
            return loss_of([part.reshape(leaf.shape) for part, leaf in zip(vector.split(sizes), params, strict=True)])

        return func.hessian(flat)(torch.cat([leaf.ravel() for leaf in params]))

    def of_input(p: Any) -> Any:
        return func.jvp(lambda given: lost(run(p, given)), (x,), (step,))[1]

    return {
        "jvp": lambda: func.jvp(lambda p: run(p, x), (params,), (ways,))[1],
        "hvp": lambda: func.jvp(func.grad(loss_of), (params,), (ways,))[1],
        "ggn": ggn,
        "per example": lambda: func.vmap(func.grad(single), (None, 0, 0))(params, x, labels),
        "jacobian": lambda: func.jacrev(lambda p: run(p, x))(params),
        "hessian": hessian,
        "input hvp": lambda: func.jvp(func.grad(lambda given: lost(run(params, given))), (x,), (step,))[1],
        "mixed": lambda: func.grad(of_input)(params),
    }


def difference(found: list[Any], expected: Any) -> float:
    """Return the largest difference, relative to the largest number."""
    leaves = [expected] if hasattr(expected, "numpy") else list(expected)
    pairs = [(np.asarray(a), b.detach().numpy()) for a, b in zip(found, leaves, strict=True)]
    largest = max(float(np.abs(b).max()) for _, b in pairs)
    return max(float(np.abs(a - b).max()) for a, b in pairs) / largest


def by_differences(pair: Pair, at: Any, target: Any, dx: Any, name: str) -> list[Any]:
    """Return the Hessian, or the mixed product, from gradients in long double."""
    wide, step = np.longdouble, np.longdouble(1e-7)
    vector, unravel = tree.ravel(tree.astype(at[0], wide))
    gradient = fn.loss_and_grad(pair.model, fn.softmax_cross_entropy())

    def at_point(params: Any, x: Any) -> Any:
        return tree.leaves(gradient(params, at[1], x, target, MODE).grads)

    x = at[2] if pair.tokens else at[2].astype(wide)
    if name == "mixed":
        above, below = (at_point(unravel(vector), x + sign * step * dx) for sign in (1, -1))
        return [(a - b) / (2 * step) for a, b in zip(above, below, strict=True)]
    columns = []
    for unit in np.eye(len(vector)):
        above, below = (np.concatenate([g.ravel() for g in at_point(unravel(vector + s * step * unit), x)]) for s in (1, -1))
        columns.append((above - below) / (2 * step))
    return [np.stack(columns, axis=1)]


def compare(torch: Any) -> tuple[list[str], float]:
    """Return the lines of the table, and the largest difference of all."""
    generator = np.random.default_rng(0)
    lines, worst = [f"{'':<22}" + "".join(f"{name:>13}" for name in PRODUCTS)], 0.0
    refusals: dict[str, list[str]] = {}
    wrong: list[str] = []
    for pair in PAIRS:
        start = pair.model.init(fn.Key(0), pair.shape)
        shape = (5, *pair.shape)
        x: Any = generator.integers(0, 7, shape) if pair.tokens else generator.normal(size=shape)
        target = generator.integers(0, 3, 5)
        params = tree.map(lambda leaf: leaf + 0.1 * generator.normal(size=leaf.shape), start.params)
        vector = tree.map(lambda leaf: generator.normal(size=leaf.shape), start.params)
        dx, at = generator.normal(size=shape), (params, start.state, x)
        found = ours(pair, at, target, fn.softmax_cross_entropy(), vector, dx)
        cells = []
        for name, function in theirs(torch, pair, at, target, vector, dx).items():
            if name not in found:
                cells.append("")
                continue
            try:
                expected = function()
                error = difference(found[name], expected)
            except (RuntimeError, NotImplementedError) as said:
                cells.append("none")
                refusals.setdefault(" ".join(str(said).split())[:110], []).append(f"{pair.name} {name}")
                continue
            if error > 1e-12 and name in ("hessian", "mixed"):
                exact = by_differences(pair, at, target, dx, name)
                if difference(exact, [torch.from_numpy(np.asarray(one)) for one in found[name]]) < 1e-9:
                    cells.append("torch wrong")
                    wrong.append(f"{pair.name} {name}: torch is off by {error:.0e}, as differences in long double say")
                    continue
            worst = max(worst, error)
            cells.append(f"{error:.0e}")
        lines.append(f"{pair.name:<22}" + "".join(f"{cell:>13}" for cell in cells))
    lines += [*wrong, *[f"{', '.join(where)}: {said}" for said, where in refusals.items()]]
    return lines, worst


def main() -> int:
    """Print the table; return 1 when a product differs by more than 1e-12."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines, worst = compare(torch)
    print(f"torch {torch.__version__}, numpy {np.__version__}: largest relative difference")
    print("\n".join(lines))
    return int(worst > 1e-12)


if __name__ == "__main__":
    raise SystemExit(main())
