"""Estimators for scikit-learn: a network with ``fit`` and ``predict``, for pipelines, searches and cross-validation.

scikit-learn is an extra, ``pip install 'funcnn[estimators]'``, and only this package imports it.

    scikit_learn.py      what is taken from scikit-learn, and the error where it is missing
    network_estimator.py parameters, training and prediction that all have in common
    training.py          the pure functions inside: arrays in, a trained network out
    codings.py           what each loss of classes takes and gives
    class_targets.py     labels of any kind to what a loss takes, and back
    regression_losses.py what the prediction of each loss of numbers means
    standardizing.py     columns of mean 0 and variance 1, also with weights
"""

from funcnn.estimators.anomaly_detector import AnomalyDetector
from funcnn.estimators.classifier import Classifier
from funcnn.estimators.encoder import Encoder
from funcnn.estimators.regressor import Regressor

__all__ = ["AnomalyDetector", "Classifier", "Encoder", "Regressor"]
