"""Metrics: plain functions ``(prediction, target) -> float``, for ``fit``, ``evaluate`` and by themselves.

They look at a set of predictions from outside: none is differentiated, none is averaged over batches.  Those of classification
take the scores of C classes, (n, ..., C), and integer labels (n, ...), logits and probabilities equally well where only their
order counts; or scores and zeros and ones of one shape.  A metric with an option is bound by
``functools.partial(fn.metrics.top_k_accuracy, k=3)``.

A target may be a :class:`funcnn.Weighted`: the examples then count by their weights, and what has the weight 0, be its label one
to ignore or its prediction NaN, is never looked at.

A prediction that holds NaN is an error in all of them, which names the row: it has no largest score, is on no side of a
threshold, and is neither right nor wrong.  (Where ``fit`` or ``evaluate`` find that the loss itself is NaN, so are the metrics
beside it.)  Infinite scores are scores.  Errors are computed in double precision or better, and no square of theirs overflows.
"""

from funcnn.runtime.lazy_imports import listing
from funcnn.train.metrics.classification import (
    accuracy,
    balanced_accuracy,
    binary_accuracy,
    cohen_kappa,
    confusion_matrix,
    exact_match,
    f1,
    f_beta,
    hamming_loss,
    iou,
    matthews_correlation,
    precision,
    recall,
    specificity,
    top_k_accuracy,
)
from funcnn.train.metrics.counting import Average
from funcnn.train.metrics.images import psnr, ssim
from funcnn.train.metrics.per_class import per_class
from funcnn.train.metrics.probability import (
    CalibrationCurve,
    bits_per_character,
    brier_score,
    calibration_curve,
    calibration_error,
    log_loss,
    perplexity,
)
from funcnn.train.metrics.ranking import (
    PrecisionRecallCurve,
    RocCurve,
    average_precision,
    hit_rate,
    mean_average_precision,
    mean_reciprocal_rank,
    ndcg,
    precision_recall_curve,
    roc_auc,
    roc_curve,
)
from funcnn.train.metrics.regression import (
    explained_variance,
    interval_coverage,
    max_error,
    mean_absolute_error,
    mean_absolute_percentage_error,
    median_absolute_error,
    pearson,
    pinball,
    r2,
    root_mean_squared_error,
    spearman,
    symmetric_mean_absolute_percentage_error,
)
from funcnn.train.metrics.report import ClassificationReport, classification_report
from funcnn.train.metrics.texts import bleu, character_error_rate, edit_distance, word_error_rate

__all__ = [
    "Average",
    "CalibrationCurve",
    "ClassificationReport",
    "PrecisionRecallCurve",
    "RocCurve",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "binary_accuracy",
    "bits_per_character",
    "bleu",
    "brier_score",
    "calibration_curve",
    "calibration_error",
    "character_error_rate",
    "classification_report",
    "cohen_kappa",
    "confusion_matrix",
    "edit_distance",
    "exact_match",
    "explained_variance",
    "f1",
    "f_beta",
    "hamming_loss",
    "hit_rate",
    "interval_coverage",
    "iou",
    "log_loss",
    "matthews_correlation",
    "max_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_average_precision",
    "mean_reciprocal_rank",
    "median_absolute_error",
    "ndcg",
    "pearson",
    "per_class",
    "perplexity",
    "pinball",
    "precision",
    "precision_recall_curve",
    "psnr",
    "r2",
    "recall",
    "roc_auc",
    "roc_curve",
    "root_mean_squared_error",
    "spearman",
    "specificity",
    "ssim",
    "symmetric_mean_absolute_percentage_error",
    "top_k_accuracy",
    "word_error_rate",
]
__dir__ = listing(__name__, __all__)
