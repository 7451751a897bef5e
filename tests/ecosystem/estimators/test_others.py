"""Regressor, encoder and detector of anomalies."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import funcnn as fn
from funcnn.estimators import AnomalyDetector, Classifier, Encoder, Regressor

X, Y = load_diabetes(return_X_y=True)
LOSSES = [
    fn.half_squared_error(),
    fn.mean_absolute_error(),
    fn.huber(),
    fn.smooth_l1(),
    fn.log_cosh_error(),
    fn.quantile_error(0.5),
    fn.gaussian_nll(),
    fn.gaussian_crps(),
    fn.student_t_nll(),
    fn.poisson_nll(),
    fn.tweedie_nll(),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_every_loss_learns_on_the_scale_of_the_target(loss: Any) -> None:
    assert cross_val_score(Regressor(loss=loss, random_state=0), X, Y, cv=3).mean() > 0.4


@pytest.mark.parametrize("quantile", [0.1, 0.9])
def test_a_quantile_leaves_its_share_below(quantile: float) -> None:
    model = Regressor(loss=fn.quantile_error(quantile), random_state=0).fit(X, Y)
    assert abs((model.predict(X) > Y).mean() - quantile) < 0.07


@pytest.mark.parametrize("loss", [fn.mean_squared_error(), fn.poisson_nll()], ids=lambda loss: loss.name)
def test_the_unit_of_the_target_does_not_matter(loss: Any) -> None:
    one, other = (Regressor(loss=loss, epochs=5, random_state=0).fit(X, Y * unit).predict(X) / unit for unit in (1.0, 1024.0))
    np.testing.assert_allclose(one, other, rtol=1e-9)  # rounding, which thirty steps make larger


def test_a_loss_of_ones_own_is_given_the_target_as_it_is() -> None:
    seen: list[float] = []

    def forward(prediction: Any, target: Any) -> Any:
        seen.append(target.max())
        return fn.LossForward(np.square(prediction - target).mean(), prediction - target)

    own = fn.define_loss("own", forward, lambda missed: 2 * missed / missed.size)
    Regressor(loss=own, epochs=1, random_state=0).fit(X, Y)
    assert max(seen) == Y.max()


def test_several_numbers_a_row() -> None:
    model = Regressor(random_state=0).fit(X, np.stack([Y, -2 * Y], axis=1))
    found = model.predict(X)
    assert found.shape == (len(X), 2)
    np.testing.assert_allclose(found[:, 1], -2 * found[:, 0], atol=60)  # two heads that learn alike
    assert Regressor(random_state=0).fit(X, Y[:, None]).predict(X).shape == (len(X), 1)


def test_a_row_of_weight_two_is_that_row_twice_and_of_weight_zero_none() -> None:
    weight = np.arange(40) % 3
    rows = np.repeat(np.arange(40), weight)
    common: dict[str, Any] = {"batch_size": 100, "epochs": 10, "random_state": 0}
    one = Regressor(**common).fit(X[:40], Y[:40], sample_weight=weight).predict(X)
    other = Regressor(**common).fit(X[rows], Y[rows]).predict(X)
    np.testing.assert_allclose(one, other, rtol=1e-9)  # rounding, which ten steps make larger


def test_another_loss_that_is_set_later_changes_no_prediction() -> None:
    model = Regressor(loss=fn.gaussian_nll(), epochs=2, random_state=0).fit(X, Y)
    before = model.predict(X)
    np.testing.assert_array_equal(model.set_params(loss=fn.poisson_nll()).predict(X), before)


def test_passes_learn() -> None:
    model = Regressor(learning_rate=0.01, random_state=0)
    for _ in range(20):
        model.partial_fit(X, Y)
    assert model.score(X, Y) > 0.5


def test_single_precision_stays_single() -> None:
    model = Regressor(epochs=1, random_state=0).fit(X.astype(np.float32), Y)
    assert {leaf.dtype for leaf in fn.tree.leaves(model.params_)} == {np.dtype(np.float32)}
    assert model.predict(X).dtype == np.float32


def test_codes_keep_what_tells_digits_apart_and_redraw_them() -> None:
    x, y = load_digits(return_X_y=True)
    encoder = Encoder(latent_size=8, epochs=15, random_state=0).fit(x)
    assert cross_val_score(make_pipeline(encoder, StandardScaler(), LogisticRegression(max_iter=500)), x, y, cv=3).mean() > 0.8
    again = encoder.inverse_transform(encoder.transform(x))
    assert np.square(again - x).mean() < 0.5 * np.square(x - x.mean(0)).mean()
    assert list(encoder.get_feature_names_out())[:2] == ["encoder0", "encoder1"]
    with pytest.raises(ValueError, match="codes"):
        encoder.inverse_transform(x)


def test_anomalies_are_what_does_not_fit() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    usual, unusual = x[y == 1], x[y == 0]
    detector = AnomalyDetector(0.05, random_state=0).fit(usual[:250])
    told = np.concatenate([np.zeros(len(usual) - 250), np.ones(len(unusual))])
    scores = detector.score_samples(np.concatenate([usual[250:], unusual]))
    assert roc_auc_score(told, -scores) > 0.9
    assert (detector.predict(usual[:250]) == -1).sum() == 12
    np.testing.assert_array_equal(detector.predict(x) == -1, detector.decision_function(x) < 0)


@pytest.mark.parametrize("contamination", [0.0, 0.6])
def test_a_share_of_anomalies_that_is_none_is_refused(contamination: float) -> None:
    with pytest.raises(ValueError, match="contamination"):
        AnomalyDetector(contamination).fit(X)


DECIDING = {
    "detector": (AnomalyDetector, None),
    "one label": (Classifier, np.arange(len(X)) % 3),
    "many labels": (Classifier, np.arange(2 * len(X)).reshape(-1, 2) % 2),
    "several outputs": (Classifier, np.arange(2 * len(X)).reshape(-1, 2) % 3),
}


@pytest.mark.parametrize("name", DECIDING)
def test_an_output_of_nan_is_no_answer(name: str) -> None:
    """NaN is on neither side of a border: it made rows usual, and labels the first."""
    kind, y = DECIDING[name]
    model: Any = kind(hidden=(2,), epochs=1, batch_size=400, random_state=0).fit(X, y)
    assert len(model.predict(X[:3])) == 3
    model.params_ = fn.tree.map(lambda leaf: leaf * np.nan, model.params_)
    with pytest.raises(ValueError, match="the network's output is nan at row"):
        model.predict(X[:3])
