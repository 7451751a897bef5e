"""What fit refuses before any work, and what it says of training that diverges."""

import pickle
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.typing import Array


def run(**changes: Any) -> fn.Fit[Any, Any]:
    generator = np.random.default_rng(0)
    task: dict[str, Any] = {
        "model": fn.dense(4) >> fn.tanh() >> fn.dense(3),
        "loss": fn.softmax_cross_entropy(),
        "optimizer": fn.sgd(0.1),
        "x": generator.normal(size=(12, 5)),
        "y": generator.integers(0, 3, 12),
        "key": fn.Key(0),
        "epochs": 2,
        "batch_size": 4,
        "callbacks": [lambda epoch: pytest.fail("work was done")],
    }
    return fn.fit(**(task | changes))


def x_with(value: float, place: tuple[int, int] = (7, 2)) -> Array:
    x = np.zeros((12, 5))
    x[place] = value
    return x


def y_with(value: int) -> Any:
    y = np.zeros(12, int)
    y[9] = value
    return y


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "lengths": ({"x": np.zeros((11, 5))}, ValueError, "x has 11 rows, y has 12 rows"),
    "weights' length": ({"y": fn.Weighted(np.zeros(12, int), np.ones(9))}, ValueError, r"y\.weight has 9 rows"),
    "empty": ({"x": np.zeros((0, 5)), "y": np.zeros(0, int)}, ValueError, "x and y are empty"),
    "all weights 0": ({"y": fn.Weighted(np.zeros(12, int), np.zeros(12))}, ValueError, "all weights of y are 0"),
    "nan": ({"x": x_with(np.nan)}, ValueError, "x is nan at row 7, column 2"),
    "infinity": ({"x": x_with(-np.inf, (11, 0))}, ValueError, "x is -inf at row 11, column 0"),
    "nan in targets": (
        {"loss": fn.mean_squared_error(), "y": x_with(np.nan)[:, :3]},
        ValueError,
        "y is nan at row 7, column 2",
    ),
    "list": ({"x": [[1.0]]}, TypeError, r"x is a list, expected an array: use np\.asarray\(x\)"),
    "strings": ({"x": np.full((12, 5), "a")}, TypeError, "x has dtype <U1, expected real numbers"),
    "objects": ({"y": np.full(12, None)}, TypeError, "y has dtype object"),
    "masked array": ({"x": np.ma.zeros((12, 5))}, TypeError, "x is a masked array"),
    "matrix": ({"x": np.zeros((12, 5)).view(np.matrix)}, TypeError, r"x is a np\.matrix.*use np\.asarray\(x\)"),
    "masked targets": ({"y": np.ma.zeros(12, int)}, TypeError, "y is a masked array"),
    "number": ({"x": np.array(1.0)}, ValueError, "x is a single number"),
    "no array": ({"x": ()}, ValueError, "x holds no array"),
    "integers": ({"x": np.zeros((12, 5), int)}, TypeError, "expected a floating one"),
    "rank": ({"x": np.zeros(12)}, ValueError, "dense"),
    "label above": ({"y": y_with(3)}, ValueError, "label 3 at row 9, expected 0 to 2"),
    "label below": ({"y": y_with(-1)}, ValueError, "label -1 at row 9"),
    "labels' dtype": ({"y": np.zeros(12)}, TypeError, "expected integer labels"),
    "batch too large": ({"batch_size": 13}, ValueError, "batch_size is 13 and there are 12 rows to train on"),
    "batch too large after the split": ({"batch_size": 10, "validation": 0.25}, ValueError, "there are 9 rows to train on"),
    "batch 0": ({"batch_size": 0}, ValueError, "batch_size is 0, expected at least 1"),
    "batch 1.5": ({"batch_size": 1.5}, TypeError, "batch_size is 1.5, expected an integer"),
    "epochs -1": ({"epochs": -1}, ValueError, "epochs is -1, expected at least 1"),
    "epochs True": ({"epochs": True}, TypeError, "epochs is True, expected an integer"),
    "share": ({"validation": 1.5}, ValueError, r"validation is 1.5, expected a number in \(0, 1\)"),
    "share of nothing": ({"validation": 0.01}, ValueError, "validation is 0.01: .*leaves 0"),
    "validation of three": ({"validation": (1, 2, 3)}, ValueError, "validation is a tuple of 3"),
    "validation's shape": (
        {"validation": (np.zeros((3, 4)), np.zeros(3, int))},
        ValueError,
        r"validation x is float64\[3, 4\] and x float64\[12, 5\]",
    ),
    "validation's targets": (
        {"validation": (np.zeros((3, 5)), np.zeros((3, 1), int))},
        ValueError,
        r"validation y is int64\[3, 1\]",
    ),
    "validation's precision": (
        {"x": np.zeros((12, 5), np.float32), "validation": (np.zeros((3, 5)), np.zeros(3, int))},
        TypeError,
        "validation x is float64 and x float32",
    ),
    "validation's lengths": ({"validation": (np.zeros((3, 5)), np.zeros(2, int))}, ValueError, "validation y has 2 rows"),
    "validation's nan": ({"validation": (x_with(np.nan), np.zeros(12, int))}, ValueError, "validation x is nan at row 7"),
    "validation's labels": ({"validation": (np.zeros((12, 5)), y_with(7))}, ValueError, "label 7 at row 9"),
    "model": ({"model": fn.dense}, TypeError, r"model is .*, expected Layer, such as fn\.dense\(10\)"),
    "loss": ({"loss": fn.mean_squared_error}, TypeError, "loss is"),
    "optimizer": ({"optimizer": fn.sgd}, TypeError, "optimizer is"),
    "optimizer's class": ({"optimizer": type(fn.sgd(0.1))}, TypeError, "optimizer is"),
    "key": ({"key": 0}, TypeError, "key is 0, expected Key"),
    "early stopping": ({"early_stopping": 3}, TypeError, "early_stopping is 3"),
    "monitor": ({"early_stopping": fn.EarlyStopping(3)}, ValueError, "give validation="),
    "monitored metric": (
        {"early_stopping": fn.EarlyStopping(3, monitor="f1", mode="max")},
        ValueError,
        r"monitors 'f1', the columns are \['loss'\]",
    ),
    "callback": ({"callbacks": [3]}, TypeError, r"callbacks\[0\] is 3, expected a function"),
    "callbacks": ({"callbacks": print}, TypeError, "callbacks is a builtin_function_or_method, expected a sequence of functions"),
    "drop_last": ({"drop_last": 1}, TypeError, "drop_last is 1"),
    "wrap": ({"wrap": 1}, TypeError, "wrap is 1, expected a function"),
    "evaluate_at": ({"evaluate_at": 1}, TypeError, "evaluate_at is 1, expected a function"),
    "progress": ({"progress": "no"}, TypeError, "progress is 'no', expected True or False"),
    "metrics": ({"metrics": [len]}, TypeError, r"metrics is a list, expected a dict such as .*fn\.metrics\.accuracy"),
    "metrics by name": ({"metrics": "accuracy"}, TypeError, "metrics is 'accuracy', expected a dict"),
    "half precision": ({"x": np.zeros((12, 5), np.float16)}, TypeError, r"x is float16.*use \.astype\(np\.float32\)"),
    "half precision in targets": (
        {"loss": fn.mean_squared_error(), "y": np.zeros((12, 3), np.float16)},
        TypeError,
        "y is float16",
    ),
    "half precision in validation": (
        {"validation": (np.zeros((3, 5), np.float16), np.zeros(3, int))},
        TypeError,
        "validation x is float16",
    ),
    "names of classes": (
        {"y": np.array(["a", "b", "c"] * 4)},
        TypeError,
        r"y has dtype <U1.*np\.unique\(names, return_inverse=True\)",
    ),
    "objects that are names": ({"y": np.array(["a", "b", "c"] * 4, object)}, TypeError, r"np\.unique"),
    "complex numbers": ({"x": np.zeros((12, 5), complex)}, TypeError, "real and imaginary parts as two features"),
    "a list in a tuple": ({"x": (np.zeros((12, 5)), [1.0])}, TypeError, r"x\[1\] is a list, expected an array"),
    "a loss for inputs": ({"x": fn.mean_squared_error()}, TypeError, "x is the Loss mean_squared_error.*in each other's places"),
    "validation as a list": (
        {"validation": [np.zeros((3, 5)), np.zeros(3, int)]},
        TypeError,
        r"validation is a list, expected a tuple \(x, y\) or a share",
    ),
    "validation True": ({"validation": True}, TypeError, "validation is True, expected a tuple"),
    "history alone": ({"history": fn.History()}, ValueError, "history is given without params"),
    "history as a list": ({"history": []}, TypeError, "history is a list, expected History"),
    "nothing counts": (
        {"loss": fn.softmax_cross_entropy(ignore_index=-1), "y": np.full(12, -1)},
        ValueError,
        "nothing counts in y for softmax_cross_entropy",
    ),
    "nothing counts in validation": (
        {"loss": fn.softmax_cross_entropy(class_weight=(1, 0, 1)), "validation": (np.zeros((3, 5)), np.ones(3, int))},
        ValueError,
        "nothing counts in validation y",
    ),
    "metric": ({"metrics": {"f": 1}}, TypeError, r"metrics\['f'\] is 1, expected a function"),
    "metric's name": ({"metrics": {"loss": len}}, ValueError, "a metric is called 'loss'"),
    "metric of an array": ({"metrics": {"f": lambda p, t: p}}, TypeError, r"metric 'f' gives float64\[12, 3\], expected one"),
    "metric of nan": ({"metrics": {"f": lambda p, t: np.nan}}, ValueError, "metric 'f' is NaN on the training set"),
    "resume from nothing": ({"resume": "nowhere.npz"}, FileNotFoundError, "resume is 'nowhere.npz': there is no file"),
    "state alone": ({"state": ((), (), ())}, ValueError, "without params"),
    "inputs as a dict": ({"x": {"a": np.zeros((12, 5))}}, TypeError, "expected an array or a tuple of arrays"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_cost_no_work(name: str) -> None:
    changes, kind, message = WRONG[name]
    with pytest.raises(kind, match=message):
        run(**changes)


evaluate: Any = fn.evaluate  # for calls that a type checker would refuse
predict: Any = fn.predict
NORMED = fn.dense(3) >> fn.batch_norm()
MADE = NORMED.init(fn.Key(0), (5,))
ROWS = np.zeros((4, 5))
ENTROPY = fn.softmax_cross_entropy()
CALLS: dict[str, tuple[Callable[[Any], object], type[Exception], str]] = {
    "the loss before the data": (
        lambda given: evaluate(NORMED, *given, ENTROPY, ROWS, np.zeros(4, int)),
        TypeError,
        r"x is the Loss softmax_cross_entropy: the order is evaluate\(model, params, state, x, y, loss\)",
    ),
    "no loss": (
        lambda given: evaluate(NORMED, *given, ROWS, np.zeros(4, int), None),
        TypeError,
        "loss is None, expected Loss",
    ),
    "a loss that was not called": (
        lambda given: evaluate(NORMED, *given, ROWS, np.zeros(4, int), fn.mean_squared_error),
        TypeError,
        r"loss is .*, expected Loss, .* \(is mean_squared_error a factory that was not called\?\)",
    ),
    "rows that differ": (
        lambda given: evaluate(NORMED, *given, ROWS, np.zeros(3, int), ENTROPY),
        ValueError,
        "x has 4 rows, y has 3 rows",
    ),
    "metrics as a list": (
        lambda given: evaluate(NORMED, *given, ROWS, np.zeros(4, int), ENTROPY, metrics=[len]),
        TypeError,
        r"metrics is a list.*fn\.metrics\.accuracy",
    ),
    "no rows": (lambda given: predict(NORMED, *given, ROWS[:0]), ValueError, "x is empty"),
    "a list": (
        lambda given: predict(NORMED, *given, [[1.0]]),
        TypeError,
        r"x is a list, expected an array: use np\.asarray\(x\)",
    ),
    "a model that was not called": (lambda given: predict(fn.dense, *given, ROWS), TypeError, "model is .*not called"),
    "the model after the data": (lambda given: predict(ROWS, *given, NORMED), TypeError, "model is a ndarray, expected Layer"),
    "params and state exchanged": (
        lambda given: predict(NORMED, *given[::-1], ROWS),
        ValueError,
        r"params\[0\] is a tuple of 0, expected a DenseParams.*in each other's places",
    ),
    "batch size": (lambda given: predict(NORMED, *given, ROWS, batch_size=0), ValueError, "batch_size is 0"),
}


@pytest.mark.parametrize("name", CALLS)
def test_wrong_arguments_of_predict_and_evaluate_are_named(name: str) -> None:
    call, kind, message = CALLS[name]
    with pytest.raises(kind, match=message):
        call((MADE.params, MADE.state))


def test_an_attribute_error_of_ones_own_stays_itself() -> None:
    def broken(x: Array) -> Array:
        raise AttributeError("mine")

    with pytest.raises(AttributeError, match="mine"):
        fn.predict(elementwise("broken", broken, lambda x, dy: dy), (), (), ROWS)


def test_errors_of_metrics_and_losses_say_where() -> None:
    def broken(prediction: Array, target: Any) -> float:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError) as caught:
        run(metrics={"broken": broken})
    assert caught.value.__notes__ == ["in metric 'broken'"]
    y = np.zeros(2**20, int)
    y[-1] = 5
    with pytest.raises(ValueError, match=r"label 5 at row \d+") as late:
        run(x=np.zeros((2**20, 5), np.float32), y=y)
    assert "rows of y counted from row" in late.value.__notes__[-1]


def test_a_loss_must_give_one_number() -> None:
    vector: fn.Loss[Array, Array] = fn.define_loss("vector", lambda p, t: fn.LossForward(p.sum(1), p), lambda p: p)
    with pytest.raises(TypeError, match=r"vector gives .*expected one number"):
        run(loss=vector)


def test_other_parameters_are_named_by_their_path() -> None:
    model = fn.dense(4) >> fn.batch_norm() >> fn.dense(3)
    start = model.init(fn.Key(0), (5,))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"params": start.params}, "params is given without state"),
        (
            {"params": start.params[:2], "state": start.state},
            r"params has \['\[0\]', '\[1\]'\], expected \['\[0\]', '\[1\]', '\[2\]'\]",
        ),
        ({"params": (*start.params[:2], ()), "state": start.state}, r"params\[2\] is a tuple of 0, expected a DenseParams"),
        (
            {"params": (*start.params[:2], attrs.evolve(start.params[2], bias=np.zeros(4))), "state": start.state},
            r"params\[2\]\.bias is float64\[4\], expected float64\[3\]",
        ),
        (
            {"params": (*start.params[:2], attrs.evolve(start.params[2], bias=np.full(3, np.nan))), "state": start.state},
            r"params\[2\]\.bias holds NaN or infinity",
        ),
        ({"params": start.params, "state": ((), (), ())}, r"state\[1\] is a tuple of 0"),
        (
            {"params": start.params, "state": start.state, "opt_state": fn.adam(0.1).init(start.params)},
            r"opt_state\.slots has \['\[0\]', '\[1\]'\], expected \[\]",
        ),
    ]
    for changes, message in wrong:
        with pytest.raises(ValueError, match=message):
            run(model=model, **changes)
    with pytest.raises(TypeError, match="the input is float64 and the parameters are float32"):
        run(model=model, params=fn.tree.astype(start.params, np.float32), state=start.state)


def test_early_stopping_checks_its_numbers() -> None:
    with pytest.raises(ValueError, match="patience is 0"):
        fn.EarlyStopping(0)
    with pytest.raises(ValueError, match="min_delta"):
        fn.EarlyStopping(1, -0.1)
    with pytest.raises(ValueError, match="mode='min' or mode='max'"):
        fn.EarlyStopping(1, monitor="val_accuracy")
    with pytest.raises(ValueError, match="every is 0"):
        fn.Checkpoint("x.npz", every=0)


# ---------------------------------------------------------------------------------------------------------------- divergence


def elementwise(name: str, forward: Callable[[Array], Array], backward: Callable[[Array, Array], Array]) -> Any:
    return fn.define_layer(
        name,
        init=lambda key, in_shape: fn.Init((), (), in_shape),
        forward=lambda params, state, x, mode: fn.Forward(forward(x), state, x),
        backward=lambda params, x, dy: fn.Backward(params, backward(x, dy)),
        random=False,
    )


def diverging(**changes: Any) -> fn.DivergenceError[Any, Any]:
    with pytest.raises(fn.DivergenceError) as caught:
        run(callbacks=(), **changes)
    error = caught.value
    assert error.fit.stopped == "diverged"
    assert all(np.isfinite(leaf).all() for leaf in fn.tree.leaves(error.fit.params))
    return error


def test_divergence_names_the_step_and_the_layer_and_keeps_the_parameters() -> None:
    model = fn.dense(4) >> fn.dense(4) >> elementwise("exp", np.exp, lambda x, dy: dy * np.exp(x)) >> fn.dense(3)
    y = np.eye(3)[np.arange(12) % 3]
    settings: dict[str, Any] = {"model": model, "loss": fn.mean_squared_error(), "y": y, "optimizer": fn.sgd(30.0)}
    error = diverging(epochs=30, **settings)
    assert error.path in ("[2]", "[3]", "[1]", "loss")
    assert error.path in str(error)
    assert f"epoch {error.epoch}, step {error.step}:" in str(error)
    assert len(error.fit.history) == error.epoch - 1
    # the kept parameters are those of the last step with a finite loss: that loss can be computed again
    steps = 3 * (error.epoch - 1) + error.step - 1
    assert int(error.fit.opt_state.count) == steps - 1


def test_a_forward_that_overflows_is_found() -> None:
    blown = elementwise("blown", lambda x: x * np.inf, lambda x, dy: dy)
    error = diverging(model=fn.dense(4) >> fn.residual(fn.tanh() >> blown) >> fn.dense(3))
    assert error.path == "[1][1]"
    assert "first appeared in the output of layer [1][1] blown (forward pass" in str(error)
    assert (error.epoch, error.step) == (1, 1)
    assert int(error.fit.opt_state.count) == 0


def test_a_backward_that_overflows_is_found_though_the_loss_is_finite() -> None:
    root = elementwise("root", lambda x: np.sqrt(np.maximum(x, 0)), lambda x, dy: dy / np.sqrt(np.maximum(x, 0)) * (x >= 0))
    error = diverging(model=fn.dense(4) >> fn.relu() >> root >> fn.dense(3))
    assert error.path == "[2]"
    assert "infinity first appeared in the gradient of layer [2] root (backward pass" in str(error)
    assert "in the step before" in str(error)
    assert (error.epoch, error.step) == (1, 2)
    assert fn.tree.same(error.fit.params, (fn.dense(4) >> fn.relu() >> root >> fn.dense(3)).init(fn.Key(0).child(0), (5,)).params)


def test_a_backward_that_overflows_in_the_very_last_step_is_found() -> None:
    root = elementwise("root", lambda x: np.sqrt(np.maximum(x, 0)), lambda x, dy: dy / np.sqrt(np.maximum(x, 0)) * (x >= 0))
    error = diverging(model=fn.dense(4) >> fn.relu() >> root >> fn.dense(3), epochs=1, batch_size=12)
    assert error.path == "[2]"
    assert len(error.fit.history) == 0


def test_an_update_that_overflows_is_found() -> None:
    error = diverging(x=np.full((12, 5), 1e200), model=fn.dense(3), optimizer=fn.sgd(1e200), epochs=4)
    assert error.path == ".weight"
    assert "the optimizer's update made the parameter .weight infinity from finite gradients" in str(error)


def test_a_loss_that_overflows_is_found() -> None:
    error = diverging(x=np.full((12, 5), 1e200), model=fn.dense(3), loss=fn.mean_squared_error(), y=np.zeros((12, 3)), epochs=4)
    assert error.path == "loss"
    assert "mean_squared_error is not finite, though the network's output is" in str(error)


def test_a_gradient_of_the_loss_that_is_not_finite_is_found() -> None:
    def forward(prediction: Array, target: Array) -> Any:
        return fn.LossForward(np.float64(0.0), prediction)

    flat: fn.Loss[Array, Array] = fn.define_loss("flat", forward, lambda p: np.full(p.shape, np.nan))
    error = diverging(loss=flat, batch_size=12)
    assert error.path == "loss"
    assert "NaN first appeared in the gradient of flat, in the step before" in str(error)
    error = diverging(loss=flat)  # three steps with a finite loss, of which two had broken parameters
    assert error.path == "[0].weight"
    assert "since an earlier step, which the loss did not show" in str(error)
    assert "of the beginning" in str(error)


def test_a_validation_loss_that_is_not_finite_is_divergence() -> None:
    validation = np.full((4, 5), 1e300), np.zeros((4, 3))
    huge = elementwise("square", lambda x: x * x, lambda x, dy: 2 * x * dy)
    error = diverging(model=fn.dense(3) >> huge, loss=fn.mean_squared_error(), y=np.zeros((12, 3)), validation=validation)
    assert error.path == "[1]"
    assert "forward pass" in str(error)


def test_early_stopping_keeps_the_best_through_divergence() -> None:
    kept: list[Any] = []

    def recorded(function: Any) -> Any:
        def step(*given: Any) -> Any:
            kept.append(given[0])
            return function(*given)

        return step

    y = np.eye(3)[np.arange(12) % 3]
    error = diverging(
        model=fn.dense(3),
        loss=fn.mean_squared_error(),
        y=y,
        optimizer=fn.sgd(40.0),
        epochs=400,
        early_stopping=fn.EarlyStopping(399, monitor="loss"),
        wrap=recorded,
    )
    best = error.fit.history.best("loss").epoch
    assert fn.tree.same(error.fit.params, kept[3 * best])


def test_a_divergence_error_pickles() -> None:
    error = diverging(model=fn.dense(4) >> elementwise("blown", lambda x: x * np.inf, lambda x, dy: dy) >> fn.dense(3))
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert fn.tree.same(again.fit.params, error.fit.params)
    assert (again.epoch, again.step, again.path) == (error.epoch, error.step, error.path)
