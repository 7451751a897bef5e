"""The classifier with every loss of classes, every kind of target, and in scikit-learn's tools."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

import funcnn as fn
from funcnn.estimators import Classifier

X, Y = (part[:300] for part in load_digits(return_X_y=True))
QUICK: dict[str, Any] = {"hidden": (20,), "epochs": 10, "random_state": 0}
LOSSES = [
    fn.softmax_cross_entropy(label_smoothing=0.1),
    fn.softmax_focal(),
    fn.multi_margin(),
    fn.cross_entropy(),
    fn.negative_log_likelihood(),
    fn.ordinal_cross_entropy(),
    fn.sigmoid_cross_entropy(),
    fn.sigmoid_focal(),
    fn.binary_cross_entropy(),
    fn.hinge(),
    fn.squared_hinge(),
]
WITH_PROBABILITIES = [loss for loss in LOSSES if "margin" not in loss.name and "hinge" not in loss.name]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_every_loss_of_classes_learns_and_its_scores_say_what_is_predicted(loss: Any) -> None:
    model = Classifier(loss=loss, **QUICK).fit(X, Y)
    assert model.score(X, Y) > 0.9
    np.testing.assert_array_equal(model.predict(X), model.classes_[model.decision_function(X).argmax(1)])


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_two_classes_have_one_score(loss: Any) -> None:
    names = np.where(Y % 2, "odd", "even")
    model = Classifier(loss=loss, **QUICK).fit(X, names)
    assert model.score(X, names) > 0.9
    np.testing.assert_array_equal(model.predict(X) == "odd", model.decision_function(X) > 0)


@pytest.mark.parametrize("loss", WITH_PROBABILITIES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("labels", [Y, Y % 2], ids=["ten", "two"])
def test_probabilities_sum_to_one_and_rank_as_the_scores(loss: Any, labels: Any) -> None:
    model = Classifier(loss=loss, **QUICK).fit(X, labels)
    found = model.predict_proba(X)
    assert found.shape == (len(X), len(model.classes_))
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.classes_[found.argmax(1)])
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), found, atol=1e-15)


def test_probabilities_of_a_softmax_are_those_of_the_networks_outputs() -> None:
    model = Classifier(**QUICK).fit(X, Y)
    logits = fn.predict(model.model_, model.params_, model.state_, model.scaler_.transform(X))
    powers = np.exp(logits)
    np.testing.assert_allclose(model.predict_proba(X), powers / powers.sum(1, keepdims=True), rtol=1e-12)


def test_margins_know_no_probabilities() -> None:
    model = Classifier(loss=fn.hinge(), **QUICK).fit(X, Y)
    assert not hasattr(model, "predict_proba")
    with pytest.raises(AttributeError, match="predict_proba"):
        model.predict_proba(X)


def test_several_labels_a_row() -> None:
    table = np.stack([Y % 2, Y > 5, Y == 3], axis=1).astype(int)
    model = Classifier(**QUICK).fit(X, table)
    assert model.predict_proba(X).shape == table.shape
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    assert model.score(X, table) > 0.9
    with pytest.raises(ValueError, match="several labels"):
        Classifier(loss=fn.softmax_cross_entropy(), **QUICK).fit(X, table)


def test_several_outputs() -> None:
    table = np.stack([Y % 2, Y % 3 + 5], axis=1)
    model = Classifier(**QUICK).fit(X, table)
    assert [list(one) for one in model.classes_] == [[0, 1], [5, 6, 7]]
    assert [one.shape for one in model.predict_proba(X)] == [(300, 2), (300, 3)]
    assert (model.predict(X) == table).mean() > 0.95


def test_it_works_in_a_pipeline_a_search_cross_validation_and_calibration() -> None:
    model = Classifier(**QUICK)
    assert cross_val_score(make_pipeline(StandardScaler(), model), X, Y, cv=3).mean() > 0.8
    grid = {"hidden": [(5,), fn.dense(20) >> fn.tanh()], "optimizer": [None, fn.nesterov, fn.adam(0.01)]}
    search = GridSearchCV(model, grid, cv=2).fit(X, Y)
    assert search.best_score_ > 0.8
    assert len(search.cv_results_["params"]) == 6
    calibrated = CalibratedClassifierCV(model, cv=2).fit(X, Y)
    assert calibrated.score(X, Y) > 0.9
    assert clone(model).get_params() == model.get_params()


def test_layers_of_any_kind_see_inputs_of_any_shape() -> None:
    images = X.reshape(-1, 8, 8, 1)
    body = fn.conv2d(4, (3, 3)) >> fn.batch_norm() >> fn.relu() >> fn.dropout(0.1) >> fn.flatten()
    assert Classifier(body, epochs=5, random_state=0).fit(images, Y).score(images, Y) > 0.9
    tokens = X.astype(int)
    model = Classifier(fn.embedding(17, 4) >> fn.flatten(), standardize=False, epochs=5, random_state=0)
    assert model.fit(tokens, Y).score(tokens, Y) > 0.9


def test_balanced_class_weights_are_the_sample_weights_of_scikit_learn() -> None:
    labels = (Y == 3).astype(int)
    balanced = Classifier(class_weight="balanced", standardize=False, **QUICK).fit(X, labels)
    weight = compute_sample_weight("balanced", labels)
    by_rows = Classifier(standardize=False, **QUICK).fit(X, labels, sample_weight=weight)
    plain = Classifier(standardize=False, **QUICK).fit(X, labels)
    assert fn.tree.same(balanced.params_, by_rows.params_)
    assert not fn.tree.same(balanced.params_, plain.params_)


def test_validation_holds_out_a_share_of_each_class_and_early_stopping_ends() -> None:
    rule = fn.EarlyStopping(patience=2)
    model = Classifier(validation=0.2, early_stopping=rule, hidden=(20,), epochs=200, random_state=0).fit(X, Y)
    assert model.n_iter_ < 200
    assert "val_loss" in model.history_.columns()
    assert len(model.loss_curve_) == model.n_iter_


def test_passes_learn_like_a_fit_and_go_on_after_it() -> None:
    model = Classifier(hidden=(20,), learning_rate=0.01, random_state=0)
    for _ in range(15):
        model.partial_fit(X[:150], Y[:150], classes=range(10)).partial_fit(X[150:], Y[150:])
    assert model.score(X, Y) > 0.95
    assert model.n_iter_ == 30
    again = pickle.loads(pickle.dumps(model))
    assert fn.tree.same(again.partial_fit(X, Y).params_, model.partial_fit(X, Y).params_)
    fitted = Classifier(**QUICK).fit(X, Y)
    before = fitted.score(X, Y)
    assert fitted.partial_fit(X, Y).score(X, Y) >= before - 0.05
    with pytest.raises(ValueError, match="none of the classes"):
        fitted.partial_fit(X[:2], [10, 11])


def test_equal_seeds_give_equal_networks_and_others_others() -> None:
    one, two, other = (Classifier(hidden=(5,), epochs=2, random_state=seed).fit(X, Y) for seed in (1, 1, 2))
    assert fn.tree.same(one.params_, two.params_)
    assert not fn.tree.same(one.params_, other.params_)


def test_an_interrupt_leaves_what_was_learned_and_is_passed_on() -> None:
    def interrupt(epoch: Any) -> None:
        if epoch.number == 3:
            raise KeyboardInterrupt

    model = Classifier(callbacks=(interrupt,), **QUICK)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert model.n_iter_ == 3
    assert model.predict(X).shape == Y.shape


def test_a_fit_that_fails_leaves_the_estimator_as_it_was() -> None:
    model = Classifier(**QUICK).fit(X, Y)
    before = model.predict(X)
    model.set_params(callbacks=(lambda epoch: 1 / 0,))
    with pytest.raises(ZeroDivisionError) as caught:
        model.fit(X + 100, 9 - Y)
    assert len(caught.value.fit.history) == 1
    np.testing.assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": (0,)}, "hidden"),
        ({"hidden": 5}, "hidden is 5"),
        ({"optimizer": fn.adam(0.1), "learning_rate": 0.1}, "learning_rate is given beside"),
        ({"optimizer": fn.sgd, "weight_decay": 0.1}, "weight_decay"),
        ({"optimizer": 3}, "optimizer is 3"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"validation": 1.5}, "validation"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"hidden": fn.tanh(), "activation": fn.relu()}, "activation is given beside"),
        ({"early_stopping": fn.EarlyStopping(3)}, "val_loss"),
    ],
)
def test_wrong_parameters_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Classifier(**changes).fit(X, Y)


@pytest.mark.parametrize("weight", [np.zeros(300), np.full(300, -1.0)], ids=["zero", "negative"])
def test_weights_that_say_nothing_are_refused(weight: Any) -> None:
    with pytest.raises(ValueError, match=r"[Ww]eight"):
        Classifier(**QUICK).fit(X, Y, sample_weight=weight)
