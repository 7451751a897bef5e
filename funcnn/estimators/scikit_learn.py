"""What the estimators take from scikit-learn: one file imports it, and says what to do where it is missing.

It has no types, and type checkers need not have it: all its names are Any here.
"""

from importlib import import_module
from typing import Any

try:
    _base, _utils = import_module("sklearn.base"), import_module("sklearn.utils")
    _multiclass, _validation = import_module("sklearn.utils.multiclass"), import_module("sklearn.utils.validation")
    BaseEstimator: Any = _base.BaseEstimator
    ClassifierMixin: Any = _base.ClassifierMixin
    ClassNamePrefixFeaturesOutMixin: Any = _base.ClassNamePrefixFeaturesOutMixin
    OutlierMixin: Any = _base.OutlierMixin
    RegressorMixin: Any = _base.RegressorMixin
    TransformerMixin: Any = _base.TransformerMixin
    available_if: Any = import_module("sklearn.utils.metaestimators").available_if
    check_classification_targets: Any = _multiclass.check_classification_targets
    check_is_fitted: Any = _validation.check_is_fitted
    check_random_state: Any = _utils.check_random_state
    check_sample_weight: Any = _validation._check_sample_weight  # private in name alone: the guide for developers names it
    column_or_1d: Any = _utils.column_or_1d
    compute_sample_weight: Any = _utils.compute_sample_weight
    type_of_target: Any = _multiclass.type_of_target
    validate_data: Any = _validation.validate_data
except (ImportError, AttributeError) as error:
    raise ImportError(
        "funcnn.estimators needs scikit-learn 1.6 or later: pip install 'funcnn[estimators]'", name="sklearn"
    ) from error
