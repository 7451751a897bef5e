"""Scripts of plain NumPy give the bits of the library, and need nothing of it."""

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.deploy.script.prediction import npz, prediction
from funcnn.deploy.script.training import training
from tests.sweeps.factories import INNER, STEPS, Call


def loaded(text: str, weights: dict[str, Any], folder: Path) -> Any:
    """Return a script as a module, after seeing that it imports nothing but NumPy and the standard library."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            assert {str(name).split(".")[0] for name in names} <= {"numpy", *sys.stdlib_module_names}
    assert "funcnn" not in text.replace("Written by funcnn", "")
    (folder / "net.npz").write_bytes(npz(weights))
    (folder / "net.py").write_text(text)
    made = ModuleType("net")
    made.__file__ = str(folder / "net.py")
    sys.modules["net"] = made  # dataclasses look their module up
    exec(compile(text, "net.py", "exec"), made.__dict__)
    return made


def of_script(module: Any, value: Any) -> Any:
    """Return an input with the script's own records in the place of the library's."""
    if isinstance(value, fn.Masked):
        return module.Masked(value.values, value.mask)
    if isinstance(value, fn.Pooled):
        return module.Pooled(value.values, value.indices)
    return tuple([of_script(module, one) for one in value]) if isinstance(value, tuple) else value


def flat(value: Any) -> list[Any]:
    """Return the arrays of an output."""
    if isinstance(value, tuple):
        return [leaf for one in value for leaf in flat(one)]
    if isinstance(value, np.ndarray):
        return [value]
    return [getattr(value, name) for name in ("values", "mask", "indices") if hasattr(value, name)]


def same_bits(module: Any, layer: Any, params: Any, state: Any, x: Any) -> None:
    got, wanted = flat(module.predict(of_script(module, x))), flat(fn.apply(layer, params, state, x))
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


OTHERS: dict[str, tuple[Any, Any]] = {
    "many channels": (fn.conv2d(32, 3, padding="same") >> fn.relu() >> fn.conv2d(32, 3) >> fn.gelu(approximate=True), (9, 9, 32)),
    "chains in chains": (fn.serial(fn.dense(5), fn.serial(fn.tanh(), fn.dense(4)), fn.residual(fn.dense(4) >> fn.selu())), (6,)),
    "masked": (fn.masked_steps(INNER) >> fn.attention(2, masked=True) >> fn.lstm(3, masked=True), STEPS),
    **{
        f"rotary, {type(scaling).__name__}": (fn.attention(2, positions=fn.Rotary(scaling=scaling)), (5, 8))
        for scaling in (fn.LinearScaling(2.0), fn.NTKScaling(2.0), fn.YarnScaling(2.0, 4), fn.Llama3Scaling(2.0, 4))
    },
    "recomputed": (fn.recompute(INNER >> fn.relu() >> INNER, segments=2), (6,)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_give_the_same_bits(name: str, tmp_path: Path) -> None:
    layer, shape = OTHERS[name]
    start = layer.init(fn.Key(2), shape)
    x = Call({}, shape, "masked" if name == "masked" else "array").x(np.float64)
    module = loaded(*prediction(layer, start.params, start.state, x, "net.npz"), tmp_path)
    same_bits(module, layer, start.params, start.state, x)


IMAGES = np.random.default_rng(0).normal(size=(6, 8, 8, 1)).astype(np.float32)
ROWS, LABELS = IMAGES.reshape(6, 64), np.arange(6) % 3
TOKENS = np.random.default_rng(0).integers(0, 5, (6, 4))
ENTROPY = fn.softmax_cross_entropy()
SCHEDULE = fn.schedules.cosine(0.1, 9)
SOFT = fn.softmax_cross_entropy(label_smoothing=0.1)

TRAINED: dict[str, tuple[Any, Any, Any, Any, Any]] = {
    "mlp, adam": (fn.mlp(16, 3, dropout=0.3), ENTROPY, fn.adam(1e-2), ROWS, LABELS),
    "chains in chains, adamw": (
        fn.serial(fn.dense(8), fn.serial(fn.tanh(), fn.dropout(0.2), fn.dense(3))), SOFT, fn.adamw(1e-2, where=fn.is_matrix),
        ROWS, LABELS,
    ),
    "convnet, nesterov": (fn.convnet(3, channels=(4, 6), dropout=0.2), ENTROPY, fn.nesterov(1e-2), IMAGES, LABELS),
    "resnet, momentum": (fn.resnet(8, 3, channels=4), ENTROPY, fn.momentum(1e-2), IMAGES, LABELS),
    "char_rnn, sgd": (fn.char_rnn(5, features=4, layers=1, embedding_size=3), ENTROPY, fn.sgd(0.1), TOKENS, TOKENS),
    "gpt, adamw by a schedule": (
        fn.gpt(5, layers=1, heads=2, features=4, context_length=8), ENTROPY, fn.adamw(SCHEDULE), TOKENS, TOKENS,
    ),
    "autoencoder": (
        fn.autoencoder(features=64, hidden=(16,), latent_size=4), fn.mean_squared_error(), fn.adam(1e-2), ROWS, ROWS,
    ),
    "frozen": (fn.serial(fn.frozen(fn.dense(8)), fn.relu(), fn.dense(3)), ENTROPY, fn.sgd(0.1), ROWS, LABELS),
    "class weights": (fn.dense(3), fn.softmax_cross_entropy(class_weight=(1.0, 2.0, 3.0)), fn.sgd(0.1), ROWS, LABELS),
    "weighted rows": (
        fn.dense(3), ENTROPY, fn.sgd(0.1), ROWS, fn.Weighted(LABELS, np.array([1.0, 0, 2, 1, 1, 1], np.float32)),
    ),
    "binary": (fn.dense(1), fn.sigmoid_cross_entropy(), fn.sgd(0.1), ROWS, (LABELS[:, None] > 0).astype(np.float32)),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAINED)
def test_steps_of_training_give_the_same_bits(name: str, tmp_path: Path) -> None:
    model, loss, optimizer, x, target = TRAINED[name]
    start = model.init(fn.Key(1), x.shape[1:])
    params, state = tree.astype((start.params, start.state), np.float32)
    module = loaded(*training(model, loss, optimizer, (params, state), (x, target), "net.npz"), tmp_path)
    weights, own, memory, slots = module.w, module.state, {"count": 0}, optimizer.init(params)
    given = module.Weighted(target.target, target.weight) if isinstance(target, fn.Weighted) else target
    for count in range(4):
        wanted = fn.loss_and_grad(model, loss)(params, state, x, target, fn.Train(fn.Key(0, (count,))))
        params, slots = (made := optimizer.update(params, wanted.grads, slots)).params, made.state
        state = wanted.state
        got, new, own, memory = module.step(weights, own, memory, x, given, (0, (count,)))
        weights = {**weights, **new}
        assert got == wanted.loss
        for path, leaf in tree.walk(params):
            np.testing.assert_array_equal(weights[f"params{path}"], leaf)


WITHOUT = "import sys; sys.modules.update(funcnn=None, attrs=None, attr=None); import runpy; sys.argv = sys.argv[1:]; "


def run(folder: Path, *arguments: str) -> str:
    """Run the script where neither this library nor attrs can be imported."""
    code = WITHOUT + "runpy.run_path(sys.argv[0], run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_prediction_runs_where_the_library_is_not(tmp_path: Path) -> None:
    model = fn.lenet5(classes=3)
    start = model.init(fn.Key(0), (28, 28, 1))
    x = np.random.default_rng(0).normal(size=(5, 28, 28, 1))
    fn.deploy.export_script(tmp_path / "net.py", model, start.params, start.state, x)
    np.save(tmp_path / "x.npy", x)
    run(tmp_path, "net.py", "x.npy", "y.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), fn.apply(model, start.params, start.state, x))


def test_a_training_runs_where_the_library_is_not(tmp_path: Path) -> None:
    model, loss, optimizer = fn.mlp(8, 3, dropout=0.1), fn.softmax_cross_entropy(), fn.adam(0.01)
    start = model.init(fn.Key(0), (64,))
    params, state = tree.astype((start.params, start.state), np.float32)
    fn.deploy.export_training_script(tmp_path / "net.py", model, loss, optimizer, params, state, ROWS, LABELS)
    np.savez(tmp_path / "batch.npz", x=ROWS, target=LABELS)
    printed = run(tmp_path, "net.py", "batch.npz", "3", "out.npz")
    slots, losses = optimizer.init(params), []
    for count in range(3):
        wanted = fn.loss_and_grad(model, loss)(params, state, ROWS, LABELS, fn.Train(fn.Key(0, (count,))))
        params, slots = (made := optimizer.update(params, wanted.grads, slots)).params, made.state
        losses.append(f"{count} {float(wanted.loss)}")
    assert printed.splitlines() == losses
    left = np.load(tmp_path / "out.npz")
    for path, leaf in tree.walk(params):
        np.testing.assert_array_equal(left[f"params{path}"], leaf)


def test_the_script_of_a_small_network_can_be_read() -> None:
    """A page of prediction, and a few of training, for a perceptron."""
    model = fn.dense(2) >> fn.tanh() >> fn.dense(1)
    start = model.init(fn.Key(0), (2,))
    x = np.zeros((4, 2))
    text, _ = prediction(model, start.params, start.state, x, "net.npz")
    assert len(text.splitlines()) < 90
    text, _ = training(model, fn.mean_squared_error(), fn.sgd(), (start.params, start.state), (x, np.zeros((4, 1))), "net.npz")
    assert len(text.splitlines()) < 310


def test_what_cannot_be_written_is_refused_with_its_path(tmp_path: Path) -> None:
    model = fn.dense(4) >> fn.residual(fn.shard(fn.dense(4), workers=2))
    start = model.init(fn.Key(0), (4,))
    with pytest.raises(
        fn.deploy.ScriptError, match=r"layer \[1\] shard.* cannot be written as plain NumPy: it divides the batch"
    ):
        fn.deploy.export_script(tmp_path / "net.py", model, start.params, start.state, np.ones((2, 4)))
    own: Any = fn.define_layer(
        "own",
        lambda key, shape: fn.Init((), (), shape),
        lambda params, state, x, mode: fn.Forward(x, state, ()),
        lambda params, residuals, dy: fn.Backward(params, dy),
    )
    with pytest.raises(fn.deploy.ScriptError, match="own cannot be written as plain NumPy: it is no layer of the library"):
        fn.deploy.export_script(tmp_path / "net.py", own, (), (), np.ones((2, 4)))
    dense = fn.dense(1)
    begun = dense.init(fn.Key(0), (4,))
    with pytest.raises(fn.deploy.ScriptError, match="take sgd, momentum, nesterov, adam or adamw"):
        fn.deploy.export_training_script(
            tmp_path / "net.py", dense, fn.mean_squared_error(), fn.lion(), begun.params, (), np.ones((2, 4)), np.ones((2, 1))
        )
    with pytest.raises(ValueError, match=r"expected the name of a script that ends with \.py"):
        fn.deploy.export_script(tmp_path / "net.txt", dense, begun.params, (), np.ones((2, 4)))
    assert list(tmp_path.iterdir()) == []
