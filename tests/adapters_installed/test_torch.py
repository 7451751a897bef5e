"""Functions of PyTorch: mistakes that are planted are found, and bad input is named."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

import funcnn as fn

torch.set_num_threads(1)  # small kernels are slower by many
check = fn.check.check_torch
GENERATOR = torch.Generator().manual_seed(0)


def draw(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR, dtype=dtype)


class Scaled(torch.autograd.Function):
    """tanh(x) w, with a backward that a test chooses."""

    wrong = ""

    @staticmethod
    def forward(ctx, x, w):
        y = torch.tanh(x)
        ctx.save_for_backward(y, w)
        return y @ w

    @staticmethod
    def backward(ctx, dy):
        y, w = ctx.saved_tensors
        dx, dw = dy @ w.T * (1 - y * y), y.T @ dy
        match Scaled.wrong:
            case "sign":
                dx = -dx
            case "factor":
                dw = dw / len(y)
            case "zero":
                dw = None
            case "term":
                dx = dy @ w.T
            case "writes":
                dy.zero_()
            case "memory":  # reads dy as if it had no gaps
                dw = y.T @ torch.as_strided(dy, dy.shape, (dy.shape[1], 1))
            case "adds":
                Scaled.total = dx = getattr(Scaled, "total", 0) + dx
        return dx, dw


@pytest.fixture
def planted(request: pytest.FixtureRequest):
    Scaled.wrong = request.param
    yield request.param
    Scaled.wrong = ""


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_right_backward_passes(dtype: torch.dtype) -> None:
    report = check(Scaled, draw(5, 3, dtype=dtype), draw(3, 2, dtype=dtype))
    assert report.ok, report
    assert [leaf.name for leaf in report.leaves] == ["x", "w"]
    assert max(leaf.power for leaf in report.leaves) < 1e-9


@pytest.mark.parametrize(
    ("planted", "path", "tag"),
    [
        ("sign", "[0]", "sign_flip"),
        ("factor", "[1]", "constant_factor"),
        ("zero", "[1]", "zero_gradient"),
        ("term", "[0]", "missing_term"),
        ("writes", "dy", "mutates_dy"),
        ("memory", "[1]", "permuted"),
        ("adds", "[0]", "stale_state"),
    ],
    indirect=["planted"],
)
def test_planted_mistakes_are_found(planted: str, path: str, tag: str) -> None:
    report = check(Scaled, draw(5, 3), draw(3, 2))
    assert (path, tag) in [(one.path, one.diagnosis.tag) for one in report.findings], report


@dataclasses.dataclass
class Cell:
    weights: list[torch.Tensor]
    name: str = "tanh"


def test_trees_of_tensors_and_outputs() -> None:
    def cell(cell: Cell, x: torch.Tensor, n: int) -> dict[str, object]:
        return {"y": torch.tanh(x @ cell.weights[0]) * n, "more": [x.sum(), (x > 0).sum()]}

    report = check(cell, Cell([draw(3, 2)]), draw(4, 3), 2)
    assert report.ok, report
    assert [leaf.path for leaf in report.leaves] == ["[0].weights[0]", "[1]"]


def test_only_what_requires_grad_is_differentiated_where_some_does() -> None:
    report = check(lambda x, y: x * y.detach(), draw(3).requires_grad_(), draw(3))
    assert report.ok, report
    assert len(report.leaves) == 1
    assert check(lambda x, y: x * y.detach(), draw(3), draw(3)).findings[0].diagnosis.tag == "zero_gradient"


def test_modules_with_their_parameters() -> None:
    module = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2), torch.nn.Dropout(0.5)).double()
    with pytest.raises(ValueError, match=r"module\.2, a Dropout, drops out"):
        check(module, draw(5, 3))
    before = module[0].running_mean.clone()
    module[2].p = 0.0
    report = check(module, draw(5, 3))
    assert report.ok, report
    assert {leaf.path for leaf in report.leaves} >= {"params['1.weight']", "[0]"}
    assert torch.equal(module[0].running_mean, before)
    assert module[1].weight.grad is None
    assert check(module.float().eval(), draw(5, 3, dtype=torch.float32)).ok


def kept(state: dict[str, torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    def step(x: torch.Tensor) -> torch.Tensor:
        state["h"] = torch.tanh(x + state["h"])
        return state["h"]

    return step


def saved(x: torch.Tensor) -> torch.Tensor:
    y = torch.exp(x)
    y.sub_(1)  # exp's backward needs its output
    return y


@pytest.mark.parametrize(
    ("function", "x", "error", "words"),
    [
        (torch.sin, draw(3).requires_grad_() * 2, ValueError, "not a leaf, it was made by MulBackward0"),
        (torch.sin, torch.empty(3, device="meta"), ValueError, "on the device meta"),
        (torch.sin, torch.arange(3), ValueError, "nothing to differentiate"),
        (torch.sin, draw(3).half(), TypeError, r"torch\.float16, expected torch\.float64"),
        (torch.sin, draw(3).bfloat16(), TypeError, "bfloat16"),
        (torch.sin, draw(3) + 1j, TypeError, "only real functions"),
        (torch.sin, draw(3).to_sparse(), TypeError, "expected a dense one"),
        (torch.sin, np.ones(3), TypeError, "expected a tensor"),
        (kept({"h": draw(3)}), draw(3), RuntimeError, "keeps a graph"),
        (saved, draw(3), RuntimeError, "written into after it was saved"),
        (lambda x: x.mul_(2), draw(3), RuntimeError, "writes into its argument"),
    ],
)
def test_bad_input_is_named(function: Callable[..., object], x: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check(function, x)


def test_random_functions_are_named() -> None:
    report = check(lambda x: torch.nn.functional.dropout(x, 0.5), draw(20))
    assert report.findings[0].kind == "determinism"


class Square(torch.autograd.Function):
    """The square of each entry, with a backward in place, or one that adds up what it should return anew."""

    way = ""
    total: torch.Tensor

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        if Square.way == "cotangent":
            return dy.mul_(2 * x)
        if Square.way == "saved":
            return x.mul_(2 * dy)
        Square.total = Square.total + 2 * x * dy
        return Square.total


@pytest.mark.parametrize(
    ("way", "kind", "tag"),
    [("cotangent", "mutation", "mutates_dy"), ("saved", "mutation", "mutates_input"), ("total", "state", "stale_state")],
)
def test_a_backward_in_place_is_found(way: str, kind: str, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Square, "way", way)
    monkeypatch.setattr(Square, "total", torch.zeros(3, dtype=torch.float64), raising=False)
    found = check(Square, draw(3)).findings[0]
    assert (found.kind, found.diagnosis.tag) == (kind, tag)


@pytest.mark.parametrize("module", [torch.nn.LSTM(3, 3, 2, dropout=0.5), torch.nn.MultiheadAttention(3, 1, dropout=0.5)])
def test_dropout_inside_a_module_is_refused(module: torch.nn.Module) -> None:
    with pytest.raises(ValueError, match=f"a {type(module).__name__}, drops out at random: call module.eval()"):
        check(module.double(), *[draw(4, 2, 3)] * (3 if isinstance(module, torch.nn.MultiheadAttention) else 1))


def test_zeros_that_torch_holds_back_are_zeros() -> None:
    def slope(x: torch.Tensor) -> torch.Tensor:
        given = x if x.requires_grad else x.detach().requires_grad_()
        return torch.autograd.grad(torch.abs(given).sum(), given, create_graph=True)[0]

    assert check(slope, draw(3)).ok
