"""Every layer and every loss of the package, times every property that its gradient must have."""

import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS, LOSSES, LayerCase, LossCase
from funcnn.certificate.names import layer_factories, loss_factories
from funcnn.certificate.spoil import spoiled_gradient, spoiled_layer
from funcnn.certificate.subjects import MODES, start
from funcnn.check import check_layer, check_loss
from funcnn.layer import AnyLayer, Mode


def test_every_layer_has_a_case() -> None:
    assert sorted(LAYERS) == layer_factories(), "add the missing factories to LAYERS in funcnn/certificate/cases"


def test_every_loss_has_a_case() -> None:
    assert sorted(LOSSES) == loss_factories(), "add the missing factories to LOSSES in funcnn/certificate/cases"


def layer_cases(wanted: Callable[[LayerCase], bool] = lambda case: True) -> Iterator[Any]:
    for name, cases in LAYERS.items():
        for index, case in enumerate(cases):
            if wanted(case):
                yield pytest.param(case, id=f"{name}-{case.label or index}")


def loss_cases() -> Iterator[Any]:
    for name, cases in LOSSES.items():
        for index, case in enumerate(cases):
            yield pytest.param(case, id=f"{name}-{case.label or index}")


each_layer = pytest.mark.parametrize("case", list(layer_cases()))
each_independent_layer = pytest.mark.parametrize("case", list(layer_cases(lambda case: case.independent)))
each_smooth_layer = pytest.mark.parametrize("case", list(layer_cases(lambda case: case.smooth)))
each_selective_layer = pytest.mark.parametrize("case", list(layer_cases(lambda case: case.make().selective)))
each_loss = pytest.mark.parametrize("case", list(loss_cases()))


def in_each_mode(test: Callable[[LayerCase, Mode], None]) -> Callable[[LayerCase], None]:
    """Return the test of a case in training and in evaluation: one test, since pytest takes as long as most of these for each."""

    def run(case: LayerCase) -> None:
        for mode in MODES.values():
            test(case, mode)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def checked(case: LayerCase, layer: AnyLayer, mode: Mode, explain: bool = True) -> fn.check.Report:
    params, state = start(case, layer)
    return check_layer(layer, case.x(), mode=mode, params=params, state=state, method=case.method, explain=explain)


def different_modes(case: LayerCase, layer: AnyLayer) -> list[Mode]:
    """Return training, and evaluation where it is another function: where output or gradients have other bits."""
    params, state = start(case, layer)
    x, found = case.x(), list[tuple[Any, Any]]()
    for mode in MODES.values():
        made = layer.forward(params, state, x, mode)
        pulled = layer.backward(params, made.residuals, on_real(np.ones_like, made.output))
        found.append((made.output, slopes((params, x), (pulled.params, pulled.input))))
    (output, gradient), (other, other_gradient) = found
    alike = tree.same(output, other) and all(map(tree.same, gradient, other_gradient))
    return list(MODES.values())[: 1 if alike else 2]


@each_layer
def test_gradient_of_every_leaf_is_proved(case: LayerCase) -> None:
    layer = case.promised()
    for mode in different_modes(case, layer):
        checked(case, layer, mode).raise_if_failed()


def test_evaluation_is_another_function_where_layers_draw_or_keep_averages() -> None:
    cases = {name: different_modes(LAYERS[name][0], LAYERS[name][0].promised()) for name in ("dropout", "batch_norm", "dense")}
    assert {name: len(modes) for name, modes in cases.items()} == {"dropout": 2, "batch_norm": 2, "dense": 1}


def real(leaf: Any) -> bool:
    """Tell whether a leaf has a gradient."""
    return bool(leaf.dtype.kind in "fc")


def slopes(primal: Any, cotangent: Any) -> list[Any]:
    """Return the cotangents of the leaves that have one."""
    return [slope for _, _, slope in tree.with_cotangents(primal, cotangent) if slope is not None]


def on_real(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to the leaves that have a gradient; the others get the cotangent that they have, None."""
    return rebuilt(value, iter([function(leaf) if real(leaf) else None for leaf in tree.leaves(value)]))


def moved(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to the leaves that have a gradient, and keep the others."""
    return rebuilt(value, iter([function(leaf) if real(leaf) else leaf for leaf in tree.leaves(value)]))


def rebuilt(value: Any, leaves: Iterator[Any]) -> Any:
    return tree.rebuild(value, leaves)


def leaf_paths(case: LayerCase) -> list[str]:
    """Return the paths of the leaves that have a gradient."""
    parts = (("params", start(case, case.make())[0]), ("input", case.x()))
    return [what + path for what, part in parts for path, leaf in tree.walk(part) if real(leaf)]


def cases_with_new_leaves() -> Iterator[Any]:
    """Yield the cases of each layer that have leaves which its earlier ones have not, with these.

    In large ones looking for the wrong entry takes long, and other cases of the layer are smaller.
    """
    for name, cases in LAYERS.items():
        seen = set[str]()
        for index, case in enumerate(cases):
            new = [path for path in leaf_paths(case) if path not in seen] if case.method != "screen" else []
            seen.update(new)
            if new:
                yield pytest.param(case, new, id=f"{name}-{case.label or index}")


@pytest.mark.parametrize(("case", "paths"), list(cases_with_new_leaves()))
def test_gradient_spoiled_by_a_thousandth_is_caught(case: LayerCase, paths: list[str]) -> None:
    """Each leaf of each layer once: the certificate's controls are those of all cases."""
    layer = case.promised()
    for path in paths:
        layer = spoiled_layer(layer, path, case.x())
    found = set[str]()
    for mode in MODES.values():  # in one of them each: a bias before batch normalization has no slope in training
        if found != set(paths):
            report = checked(case, layer, mode, explain=False)
            found |= {leaf.path for leaf in report.leaves if leaf.verdict in ("fail", "inconclusive")}
    assert found == set(paths), f"gradients wrong by 0.1 % were passed: {sorted(set(paths) - found)}"


@each_layer
@in_each_mode
def test_gradient_has_the_structure_shape_and_dtype_of_the_parameters(case: LayerCase, mode: Mode) -> None:
    layer = case.make()
    for dtype in (np.float32, np.float64, np.longdouble):
        params, state = (tree.astype(part, dtype) for part in start(case, layer))
        x = tree.astype(case.x(), dtype)
        made = layer.forward(params, state, x, mode)
        pulled = layer.backward(params, made.residuals, on_real(np.copy, made.output))
        tree.check_like(params, pulled.params, "gradient")
        for path, leaf, slope in tree.with_cotangents(x, pulled.input):
            assert slope is None or (slope.shape, slope.dtype) == (leaf.shape, leaf.dtype), path
        tree.check_like(state, made.state, "state")
        assert {leaf.dtype for leaf in tree.leaves(made.output) if real(leaf)} == {np.dtype(dtype)}


@each_layer
@in_each_mode
def test_nothing_given_is_written_to(case: LayerCase, mode: Mode) -> None:
    layer = case.make()
    params, state = (tree.freeze(part) for part in start(case, layer))
    x = tree.freeze(case.x())
    made = layer.forward(params, state, x, mode)
    dy = on_real(lambda leaf: tree.freeze(leaf.copy()), made.output)
    before = pickle.dumps((x, dy, made.residuals))
    first = layer.backward(params, made.residuals, dy)
    second = layer.backward(params, made.residuals, dy)
    assert pickle.dumps((x, dy, made.residuals)) == before
    ours = slopes((params, x), (first.params, first.input))
    for one, other in zip(ours, slopes((params, x), (second.params, second.input)), strict=True):
        assert tree.same(one, other)
    for leaf in ours:
        for given in (*tree.leaves((params, x)), *slopes(made.output, dy)):
            assert not np.shares_memory(leaf, given) or leaf.size == 0


@each_layer
@in_each_mode
def test_same_key_same_output(case: LayerCase, mode: Mode) -> None:
    layer = case.make()
    params, state = start(case, layer)
    first, second = (layer.forward(params, state, case.x(), mode) for _ in range(2))
    assert tree.same((first.output, first.state), (second.output, second.state))
    other = layer.forward(params, state, case.x(), fn.Train(fn.Key(77)) if isinstance(mode, fn.Train) else mode)
    assert layer.random or tree.same(first.output, other.output), "a layer that draws random numbers must say random=True"


def shapes(nested: Any) -> list[tuple[int, ...]]:
    """Return the shapes of the leaves, from a shape or a tuple of such."""
    return [shape for part in nested for shape in shapes(part)] if nested and isinstance(nested[0], tuple) else [nested]


@each_layer
def test_init_tells_the_shape_of_the_output(case: LayerCase) -> None:
    layer = case.make()
    made = layer.init(fn.Key(3), case.shape)
    assert tree.same(made.params, layer.init(fn.Key(3), case.shape).params)
    assert all(not leaf.flags.writeable for leaf in tree.leaves((made.params, made.state)))
    for mode in MODES.values():
        outputs = tree.leaves(layer.forward(made.params, made.state, case.x(), mode).output)
        assert [output.shape for output in outputs if real(output)] == [(case.batch, *shape) for shape in shapes(made.out_shape)]


@each_layer
def test_evaluation_without_residuals_gives_the_same_output(case: LayerCase) -> None:
    layer = case.make()
    params, state = start(case, layer)
    kept = layer.forward(params, state, case.x(), fn.Eval())
    assert tree.same(kept.output, fn.apply(layer, params, state, case.x()))


@each_independent_layer
def test_a_batch_is_its_examples(case: LayerCase) -> None:
    layer = case.make()
    params, state = start(case, layer)
    x = case.x()
    whole = tree.leaves(fn.apply(layer, params, state, x))
    for index in range(case.batch):
        chosen = slice(index, index + 1)
        alone = tree.leaves(fn.apply(layer, params, state, tree.rebuild(x, iter([leaf[chosen] for leaf in tree.leaves(x)]))))
        for one, other in zip(whole, alone, strict=True):
            np.testing.assert_allclose(one[chosen], other, rtol=1e-12, atol=1e-13)


@each_layer
def test_an_empty_batch_gives_an_empty_output_and_zero_gradients(case: LayerCase) -> None:
    layer = case.make()
    params, state = start(case, layer)
    for mode in MODES.values() if case.independent else [MODES["eval"]]:
        made = layer.forward(params, state, case.x(batch=0), mode)
        assert all(len(leaf) == 0 for leaf in tree.leaves(made.output))
        pulled = layer.backward(params, made.residuals, on_real(np.copy, made.output))
        assert all(not leaf.any() for leaf in tree.leaves(pulled.params))
        for _, leaf, slope in tree.with_cotangents(case.x(batch=0), pulled.input):
            assert slope is None or slope.shape == leaf.shape


@each_layer
@in_each_mode
def test_memory_layout_does_not_matter(case: LayerCase, mode: Mode) -> None:
    layer = case.make()
    params, state = start(case, layer)

    def results(change: Callable[[Any], Any]) -> list[Any]:
        x = tree.map(change, case.x())
        made = layer.forward(params, state, x, mode)
        pulled = layer.backward(params, made.residuals, on_real(change, made.output))
        return [*tree.leaves((made.output, pulled.params)), *slopes(x, pulled.input)]

    plain = results(lambda leaf: leaf)
    for change in (np.asfortranarray, lambda leaf: np.repeat(leaf, 2, axis=0)[::2], lambda leaf: leaf[::-1].copy()[::-1]):
        for one, other in zip(plain, results(change), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@each_smooth_layer
@in_each_mode
def test_complex_step_agrees(case: LayerCase, mode: Mode) -> None:
    """The forward is an analytic function: its complex step is the directional derivative that backward transposes."""
    layer = case.promised()
    params, state = start(case, layer)
    x = case.x()
    generator = np.random.default_rng(2)
    along = on_real(lambda leaf: generator.normal(size=leaf.shape), (params, x))
    steps = iter([u for _, _, u in tree.with_cotangents((params, x), along) if u is not None])
    moved_params, moved_x = moved(lambda leaf: leaf + 1e-30j * next(steps), (params, x))
    output = layer.forward(moved_params, state, moved_x, mode).output
    made = layer.forward(params, state, x, mode)
    dy = on_real(lambda leaf: generator.normal(size=leaf.shape), made.output)
    pulled = layer.backward(params, made.residuals, dy)
    tangents = [leaf.imag / 1e-30 for leaf in tree.leaves(output) if real(leaf)]
    forwards = sum((u * v).sum() for u, v in zip(tangents, slopes(made.output, dy), strict=True))
    ours = slopes((params, x), (pulled.params, pulled.input))
    backwards = sum((u * g).sum() for u, g in zip(slopes((params, x), along), ours, strict=True))
    np.testing.assert_allclose(forwards, backwards, rtol=1e-10, atol=1e-12)


@each_layer
def test_a_layer_pickles_and_equals_its_like(case: LayerCase) -> None:
    layer = case.make()
    assert layer == case.make()
    assert pickle.loads(pickle.dumps(layer)) == layer


@each_selective_layer
@in_each_mode
def test_leaving_out_the_input_gradient_leaves_the_rest(case: LayerCase, mode: Mode) -> None:
    layer = case.make()
    params, state = start(case, layer)
    made = layer.forward(params, state, case.x(), mode)
    dy = on_real(np.copy, made.output)
    full = layer.backward(params, made.residuals, dy)
    backward: Any = layer.backward
    part = backward(params, made.residuals, dy, input_grad=False)
    assert tree.same(full.params, part.params)
    with pytest.raises(ValueError, match="input_grad=True"):
        _ = part.input


@each_loss
def test_loss_gradient_is_proved(case: LossCase) -> None:
    prediction, target = case.draw(np.random.default_rng(1), case.batch)
    check_loss(case.make(), prediction, target).raise_if_failed()


@each_loss
def test_loss_gradient_spoiled_by_a_thousandth_is_caught(case: LossCase) -> None:
    loss = case.make()
    prediction, target = case.draw(np.random.default_rng(1), case.batch)
    spoiled = attrs.evolve(loss, backward=partial(spoiled_gradient, loss.backward))
    assert not check_loss(spoiled, prediction, target, explain=False).ok


@each_loss
def test_loss_keeps_the_precision_and_its_arguments(case: LossCase) -> None:
    loss = case.make()
    prediction, target = case.draw(np.random.default_rng(1), case.batch)
    for dtype in (np.float32, np.float64, np.longdouble):
        given = tree.freeze(tree.astype(prediction, dtype))
        made = loss.forward(given, tree.freeze(target))
        assert made.value.dtype == dtype
        assert np.ndim(made.value) == 0
        first, second = loss.backward(made.residuals), loss.backward(made.residuals)
        tree.check_like(given, first, "gradient")
        assert tree.same(first, second)
        assert not np.shares_memory(tree.leaves(first)[0], tree.leaves(given)[0])


@each_loss
def test_a_loss_pickles_and_equals_its_like(case: LossCase) -> None:
    loss = case.make()
    assert loss == case.make()
    assert pickle.loads(pickle.dumps(loss)) == loss
