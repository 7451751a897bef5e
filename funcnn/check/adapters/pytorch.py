"""Functions of PyTorch: ``torch.autograd.Function``, modules, and whatever else takes and gives tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any, Unpack, cast

import numpy as np
from attrs import field, frozen

from funcnn.check import requests
from funcnn.check.adapters.forms import fields, to_tree
from funcnn.check.adapters.frameworks import Handed, load, paired
from funcnn.check.adapters.pose import judge, spelled_options
from funcnn.check.adapters.terms import Options
from funcnn.check.case.problem import Question
from funcnn.check.functions import argument_names, called, name_of
from funcnn.check.report import Report
from funcnn.typing import Array

_CALLS = 3
_KEPT = "the function keeps a graph from one call to the next, which grows, or runs backward only once: detach() what it keeps"
_EXPLAINED = {
    "backward through the graph a second time": _KEPT,
    "modified by an inplace operation": (
        "a tensor that backward needs is written into after it was saved: clone it, or compute out of place"
    ),
    "leaf Variable that requires grad is being used in an in-place operation": (
        "the function writes into its argument: clone it, or compute out of place"
    ),
}
"""What PyTorch says of mistakes, and what they are in the words of this library."""


@frozen(eq=False)
class Tensors:
    """PyTorch's tensors."""

    torch: ModuleType
    only: bool  # whether only what requires grad is differentiated: the rest are settings

    def array(self, node: object, path: str) -> Array | None:
        """Return a tensor as an array, or None for what is no tensor."""
        if not isinstance(node, self.torch.Tensor):
            if isinstance(node, np.ndarray):
                raise TypeError(f"{path} is a NumPy array, expected a tensor: torch.from_numpy({path})")
            return None
        tensor: Any = node
        self.check(tensor, path)
        if self.only and tensor.is_floating_point() and not tensor.requires_grad:
            return None
        return cast(Array, tensor.detach().numpy())

    def check(self, tensor: Any, path: str) -> None:  # an extra's type, unknown where it is not installed
        """Refuse tensors that cannot be moved by differences."""
        if tensor.device.type != "cpu":
            raise ValueError(
                f"{path} is on the device {tensor.device}, expected the CPU: pass {path}.cpu(), and a function that moves"
                f" its arguments, such as lambda x: f(x.to({str(tensor.device)!r})).cpu()"
            )
        if tensor.layout is not self.torch.strided:
            raise TypeError(f"{path} is a {tensor.layout} tensor, expected a dense one")
        if not tensor.is_leaf:
            made = tensor.grad_fn.name() if tensor.grad_fn is not None else "an operation"
            raise ValueError(f"{path} is not a leaf, it was made by {made}: pass {path}.detach().requires_grad_()")
        if tensor.is_complex():
            raise TypeError(f"{path} is {tensor.dtype}: only real functions are checked; pass real and imaginary parts")
        if tensor.is_floating_point() and tensor.dtype not in (self.torch.float32, self.torch.float64):
            raise TypeError(f"{path} is {tensor.dtype}, expected torch.float64, or torch.float32")

    def foreign(self, array: Array, like: object) -> object:
        """Return a fresh tensor with the array's numbers, precision and (positive) strides."""
        if array.dtype == np.longdouble and array.dtype != np.float64:
            raise TypeError("PyTorch has no long double")
        strides = [step // array.itemsize for step in array.strides]
        source = self.torch.from_numpy(np.array(array, order="C"))
        if any(step <= 0 for step in strides) or not array.size or array.flags.c_contiguous:
            return source
        size = 1 + sum((length - 1) * step for length, step in zip(array.shape, strides, strict=True))
        gaps = float("nan") if array.dtype.kind == "f" else 0  # whoever reads them gets what cannot be overlooked
        around = self.torch.full((max(size, 0),), gaps, dtype=source.dtype)
        return self.torch.as_strided(around, array.shape, strides).copy_(source)


@frozen(eq=False)
class Outputs:
    """PyTorch's tensors among the results of a function, with or without a graph."""

    torch: ModuleType

    def array(self, node: object, path: str) -> Array | None:
        """Return a copy of a tensor as an array."""
        if isinstance(node, self.torch.Tensor):
            tensor: Any = node
            if tensor.device.type != "cpu":
                raise ValueError(f"the output{path} is on the device {tensor.device}, expected the CPU: return .cpu()")
            return numbers_of(tensor)
        return np.asarray(node) if isinstance(node, (float, np.ndarray)) else None

    def foreign(self, array: Array, like: object) -> object:
        """Return a tensor with the array's numbers."""
        return self.torch.from_numpy(np.array(array))


@frozen(eq=False)
class TensorFunction:
    """A function of tensors as one of trees of arrays, with its gradient by ``torch.autograd``."""

    torch: ModuleType
    f: Callable[..., object]
    like: tuple[object, ...]
    kind: Tensors
    earlier: list[Any] = field(factory=list)  # the leaves of the first calls

    def __call__(self, *args: object) -> object:
        """Return the output."""
        handed = Handed(self.like, args, self.kind)
        with explained(), self.torch.enable_grad():
            output = to_tree(self.f(*handed.args), Outputs(self.torch))
        show_writing(handed.pairs)
        return output

    def pullback(self, *args_and_dy: object) -> object:
        """Return what backward gives: zeros where no graph leads to an argument."""
        *args, dy = args_and_dy
        handed = Handed(self.like, tuple(args), self.kind)
        leaves: list[Any] = [cast(Any, leaf).requires_grad_() for leaf in handed.floating()]
        with explained(), self.torch.enable_grad():
            output = self.f(*handed.args)
            pairs = [(array, cast(Any, tensor)) for array, tensor in paired(output, dy)]
            tied = [(array, tensor) for array, tensor in pairs if getattr(tensor, "requires_grad", False)]
            cotangents = [self.kind.foreign(array, None) for array, _ in tied]
            found: list[Any] = [None] * len(leaves)
            self.check_graph(leaves, [tensor for _, tensor in tied])
            if tied:
                found = self.torch.autograd.grad([tensor for _, tensor in tied], leaves, cotangents, allow_unused=True)
        show_writing(handed.pairs)
        show_writing([(array, given) for (array, _), given in zip(tied, cotangents, strict=True)])
        grads = [
            np.zeros(tuple(leaf.shape), leaf.detach().numpy().dtype) if grad is None else numbers_of(grad)
            for leaf, grad in zip(leaves, found, strict=True)
        ]
        return handed.gradient(tuple(args), grads)

    def check_graph(self, leaves: list[Any], outputs: list[Any]) -> None:
        """Raise where the graph leads to an earlier call's arguments: looked at in the first calls."""
        if len(self.earlier) < _CALLS * len(leaves):
            if set(map(id, self.earlier)) & arguments_of(outputs):
                raise RuntimeError(_KEPT)
            self.earlier.extend(leaves)


def numbers_of(tensor: Any) -> Array:  # an extra's type, unknown where it is not installed
    """Return a copy of a tensor's numbers: also of those that PyTorch holds back, such as zeros and signs not yet written."""
    return np.array(tensor.detach().numpy(force=True))


def arguments_of(outputs: list[Any]) -> set[int]:  # an extra's type, unknown where it is not installed
    """Return the identities of the leaves that a graph leads to."""
    todo, seen, found = [one.grad_fn for one in outputs if one.grad_fn is not None], set(), set()
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            if hasattr(node, "variable"):
                found.add(id(node.variable))
            todo += [after for after, _ in node.next_functions]
    return found


def show_writing(pairs: list[tuple[Array, object]]) -> None:
    """Carry what a function wrote into its tensors over to the arrays that they were made of, where the check looks."""
    for array, tensor in pairs:
        now = cast(Any, tensor).detach().numpy()
        if array.flags.writeable and not np.array_equal(array, now, equal_nan=array.dtype.kind == "f"):
            array[...] = now


@contextmanager
def explained() -> Iterator[None]:
    """Say in plain words what PyTorch's errors about graphs mean."""
    try:
        yield
    except RuntimeError as error:
        said = next((ours for theirs, ours in _EXPLAINED.items() if theirs in str(error)), None)
        if said is None:
            raise
        raise RuntimeError(said) from error


def check_torch(function: Callable[..., object], *args: object, **options: Unpack[Options]) -> Report:
    """Check the backward of a function of PyTorch, written by hand or not.

    Parameters
    ----------
    function : callable
        A subclass of ``torch.autograd.Function``, whose ``apply`` is taken; a ``torch.nn.Module``, whose parameters that require
        grad are checked too, and whose buffers stay as they are; or any callable.  It gives tensors, in lists, tuples, dicts or
        dataclasses, if it likes.
    *args
        Tensors on the CPU in float64 (or float32), in lists, tuples, dicts or dataclasses.  When some require grad, only these
        are differentiated, else all floating ones.  What is no tensor stays as it is.
    **options
        As in :func:`check_foreign`.

    Returns
    -------
    Report
        Of a module, leaves are named ``params['weight']``, and arguments are numbered from 0.

    Raises
    ------
    ImportError
        When PyTorch is not installed.
    TypeError
        When a tensor is complex, sparse or of half precision, with its path.
    ValueError
        When a tensor is not a leaf or not on the CPU, when nothing is floating, or a module drops out at random.
    RuntimeError
        When a graph is kept from one call to the next, or a tensor that backward needs is written over.

    Notes
    -----
    Differences are taken in float64: PyTorch has no long double.  The function is called with tensors that the caller never sees
    again, so nothing of the caller's is written into, nor does ``.grad`` change.

    Examples
    --------
    ::

        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, dy):
                (x,) = ctx.saved_tensors
                return dy * x

        print(fn.check.check_torch(Square, torch.randn(3, dtype=torch.float64)))  # constant_factor: 0.5
    """
    requests.functions(function=function)
    torch = load("torch", "PyTorch", "check_torch")
    name, f = name_of(function), function
    prefixes: tuple[str, ...] = tuple(f"[{index}]" for index in range(len(args)))
    if isinstance(function, torch.nn.Module):
        module: Any = function
        refuse_dropout(module)
        f = partial(call_module, torch, module)
        trained = {key: one for key, one in module.named_parameters() if one.requires_grad}
        args, prefixes = (trained, *args), ("params", *prefixes)
    elif isinstance(function, type) and issubclass(function, torch.autograd.Function):
        f = cast(Any, function).apply
    names = names_of(torch, function, len(prefixes))
    inputs = args[1:] if "params" in prefixes else args
    kind = Tensors(torch, any(requires_grad(torch, one) for one in inputs))
    trees = tuple(
        to_tree(arg, Tensors(torch, True) if prefix == "params" else kind, name)
        for arg, prefix, name in zip(args, prefixes, names, strict=True)
    )
    call = ", ".join([called(function, "function"), *names[len(args) - len(inputs) :], *spelled_options(options)])
    made = TensorFunction(torch, f, args, kind)
    question = Question(name, made, made.pullback, reproduce=f"fn.check.check_torch({call})")
    given = options.get("cotangent")
    cotangent = None if given is None else to_tree(given, Outputs(torch), "cotangent")
    return judge(question, trees, names, options, cotangent=cotangent, prefixes=prefixes)


def names_of(torch: ModuleType, function: Callable[..., object], count: int) -> tuple[str, ...]:
    """Return the names of the arguments: of a module's or autograd function's ``forward``."""
    if isinstance(function, torch.nn.Module):
        return ("params", *argument_names(cast(Any, function).forward, count - 1))
    if isinstance(function, type) and issubclass(function, torch.autograd.Function):
        forward = cast(Any, function).forward
        names = argument_names(forward, count + 1)
        return names[1:] if names and names[0] in ("ctx", "context", "self") else names[:count]
    return argument_names(function, count)


def requires_grad(torch: ModuleType, node: object) -> bool:
    """Tell whether some tensor of a tree requires grad."""
    if isinstance(node, torch.Tensor):
        return bool(cast(Any, node).requires_grad)
    if isinstance(node, dict):
        return any(requires_grad(torch, child) for child in node.values())
    names = fields(node)
    if names:
        return any(requires_grad(torch, getattr(node, name)) for name in names)
    return isinstance(node, (list, tuple)) and any(requires_grad(torch, child) for child in node)


def refuse_dropout(module: Any) -> None:  # an extra's type, unknown where it is not installed
    """Raise when a module drops out: it has another output at every call."""
    for path, part in module.named_modules():
        drops = "Dropout" in type(part).__name__ and getattr(part, "p", 0) > 0
        inside = not drops and isinstance(getattr(part, "dropout", None), float) and part.dropout > 0
        if part.training and (drops or inside):
            raise ValueError(
                f"the module{'.' + path if path else ''}, a {type(part).__name__}, drops out at random: call module.eval(),"
                " or set its probability to 0, and check the rest"
            )


def call_module(torch: ModuleType, module: Any, params: dict[str, Any], *args: object) -> object:
    """Call a module with parameters given, contiguous as modules keep them, and copies of its buffers in their precision."""
    dtype = next((one.dtype for one in params.values()), None)
    buffers = {
        name: one.to(dtype, copy=True) if dtype is not None and one.is_floating_point() else one.clone()
        for name, one in module.named_buffers()
    }
    frozen_ones = {name: one.detach().to(dtype or one.dtype) for name, one in module.named_parameters() if not one.requires_grad}
    given = {name: one.contiguous() for name, one in params.items()}
    return cast(object, torch.func.functional_call(module, (given, frozen_ones, buffers), args))
