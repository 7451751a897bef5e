"""Every public callable, times each argument of another kind: a right result, or an error that names the argument.

A public name without an entry in :mod:`tests.sweeps.callables` (or, where it makes a layer, :mod:`tests.sweeps.factories`) fails.
"""

import inspect
import math
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from tests.sweeps import callables, curvature
from tests.sweeps.factories import CALLS
from tests.sweeps.wrong import TABLE, fault_of

USES = {**callables.USES, **curvature.USES}

OTHERS: dict[str, Any] = {
    "None": None, "3": 3, "2.5": 2.5, "text": "text", "list": [1.0, 2.0], "()": (), "Key": fn.Key(0), "layer": fn.relu(),
    "array": np.ones((6, 3)), "masked array": np.ma.masked_array(np.ones((6, 3)), np.ones((6, 3), bool)), "dict": {"a": 1},
    "function": len, "factory": fn.relu, "loss": fn.mean_squared_error(), "object": object(), "table": TABLE, "nan": math.nan,
    "huge": 10**30,
}  # fmt: skip

NUMBER = {"3", "2.5", "huge"}
COUNT = {"3", "huge"}
ANY = set(OTHERS)
RIGHT: dict[str, set[str]] = {
    "entropy": COUNT, "index": COUNT, "path": {"()"}, "skip": COUNT, "count": {"3"}, "classes": {"3"}, "folds": {"3"},
    "batch_size": COUNT, "context_length": {"None", *COUNT}, "top_k": {"None", *COUNT}, "k": COUNT, "steps": {"3"}, "rows": COUNT,
    "stride": COUNT, "length": {"3"}, "groups": COUNT, "seed": COUNT, "batch": COUNT, "components": {"None"},
    "noise_multiplier": NUMBER, "expected_batch_size": NUMBER, "max_epsilon": NUMBER,
    "base": NUMBER, "factor": NUMBER, "fast": NUMBER, "slow": NUMBER, "original_length": COUNT, "scaling": {"None"},
    "soft_cap": {"None", *NUMBER}, "window": {"None", "3"},
    "temperature": NUMBER, "noise": NUMBER, "turns": NUMBER, "high": NUMBER, "low": NUMBER, "threshold": NUMBER, "value": NUMBER,
    "max_norm": NUMBER, "std": NUMBER, "mean": NUMBER, "bound": NUMBER, "scale": NUMBER, "gain": NUMBER,
    "beams": {"3"}, "length_penalty": NUMBER, "repetition_penalty": NUMBER,
    "key": {"Key"}, "mask": {"None"}, "indices": {"None"}, "optimizer": {"None"}, "model": {"layer"}, "layer": {"layer"},
    "loss": {"loss"}, "shape": {"()"}, "text": {"text"}, "function": {"function", "factory"}, "grad": {"function", "factory"},
    "f": {"function", "factory"}, "tree": {"()", "array"}, "data": {"()", "array"}, "x": {"array"}, "y": {"array"},
    "prediction": {"array"}, "target": {"array"}, "params": {"array"}, "draws": {"3"},
    "product": {"function", "factory"},
    "preconditioner": {"None", "function", "factory"}, "like": {"array"}, "products": {"3"}, "samples": {"3"},
    "max_products": COUNT, "max_steps": {"None", *COUNT}, "damping": NUMBER, "radius": NUMBER,
    "max_evaluations": COUNT, "learning_rate": NUMBER, "every": COUNT, "max_move": NUMBER, "prior_precision": NUMBER,
    "options": {"None"},
}  # fmt: skip
"""What, of these, is right for an argument of a name, or may be: then whatever comes of it is not looked at."""

PARTLY: dict[str, set[str]] = {
    "curvature.laplace.where": {"text"},
    "Rotary.features": {"None"},
    "bags_from_offsets.fill": COUNT,
    "AttentionScores.scale": {"None", *NUMBER},
    "curvature.kronecker_factors.samples": {"None", *COUNT},
    "curvature.sophia.learning_rate": {"function", "factory", *NUMBER},
    "curvature.sophia.gamma": NUMBER,
    "curvature.sophia.weight_decay": NUMBER,
    "deploy.Described.preparation": {"None"},
    "deploy.Described.classes": {"None", "()"},
    "deploy.Described.translations": {"None"},
    **{f"deploy.{name}.path": {"text"} for name in ("export_script", "export_training_script")},
    **{f"deploy.{name}.state": {"()", "array"} for name in ("export_script", "export_training_script")},
    "data.stratified_split.labels": {"None"},
    "data.repeated_stratified_k_fold.labels": {"None"},
    "data.repeated_k_fold.repeats": COUNT,
    "data.repeated_stratified_k_fold.repeats": COUNT,
    "data.balanced_class_weight.classes": {"None", "3"},
    "data.fit_table.target": {"None", "text"},
    "data.fit_table.task": {"None"},
    "data.as_table.data": set(),
    "data.fit_table.data": set(),
    "data.TableOptions.max_categories": COUNT,
    "data.TableOptions.leave_out": {"()"},
    "data.read_table.path": {"()", "text"},
    "data.read_csv.path": {"()", "text"},
    "data.load_table_transform.path": {"()", "text"},
    "data.stratified_k_fold.labels": {"None"},
    "initializers.gain.slope": {"None", *NUMBER},
    "initializers.dirac.groups": {"None", *COUNT},
    "predict.state": ANY,  # a dense layer reads none
    "check.trusted_digits.state": ANY,
    "evaluate.state": ANY,
    "permutation_importance.state": ANY,
    "permutation_importance.groups": {"None"},
    "permutation_importance.repeats": COUNT,
    "permutation_importance.metric": {"function", "factory"},
    "apply.state": ANY,
    "generate.state": ANY,
    "generation.sample.state": ANY,
    "pretrained.build.weight_init": {"None"},
    "pretrained.load.folder": {"text"},
    "pretrained.load.dtype": {"None"},
    "pretrained.save.folder": {"text"},
    "generation.beam_search.state": ANY,
    "generation.sample.sampling": {"None"},
    "generation.beam_search.stop": {"()"},
    "generation.Sampling.stop": {"()"},
    "generation.Sampling.samples": COUNT,
    "generation.Sampling.top_p": {"None"},
    "generation.Sampling.min_p": {"None"},
    "data.fit_byte_pairs.special": {"()"},
    "data.fit_byte_pairs.vocabulary": {"huge"},
    "tree.same.first": ANY,  # answers no
    "tree.same.second": ANY,
    "merge_lora.alpha": NUMBER,
    "get_layer.model": {"layer"},
    "attention_weights.queries": {"None"},
    "replace_layer.new": {"layer"},
    "watch.look": {"function", "factory"},
    **{f"metrics.{name}.bins": COUNT for name in ("calibration_curve", "calibration_error")},
    "metrics.f_beta.beta": NUMBER,
    "metrics.per_class.beta": NUMBER,
    "metrics.ssim.max_value": NUMBER,
    "metrics.bleu.max_length": COUNT,
    "metrics.classification_report.names": {"None"},
    "metrics.edit_distance.prediction": {"text", "list", "()"},
    "metrics.edit_distance.target": {"text", "list", "()"},
    "tree.get.tree": ANY,  # what has no such path says so
    "tree.replace.tree": ANY,
    "tree.replace.new": {"array"},
    "tree.select.where": {"text"},
    "tree.map_where.tree": ANY,  # what has no such leaf says so
    "tree.table.depth": {"None", *COUNT},
    "tree.add_cotangents.first": {"None"},  # the cotangent of integers
    "data.load_idx.path": {"text", "3"},
    "data.read_byte_pairs.vocabulary_path": {"text"},
    "data.read_byte_pairs.merges_path": {"text"},
    "data.read_tokenizer.path": {"text"},
    "data.idx_folder.folder": {"text"},
    "data.batches.key": {"None", "Key"},
    "data.image_folder.folder": {"text"},
    "data.image_folder.size": {"None", "3"},
    "data.image_folder.channels": {"3"},
    "data.prefetch.items": {"list", "()", "dict"},
    "data.prefetch.ahead": COUNT,
    "data.random_crop.size": COUNT,
    "data.random_crop.padding": COUNT,
    "data.random_rotation.degrees": {"3", "2.5"},
    "data.random_noise.deviation": NUMBER,
    "data.mixup.alpha": NUMBER,
    "data.cutmix.alpha": NUMBER,
    "data.mixup.classes": {"None", *COUNT},
    "data.cutmix.classes": {"None", *COUNT},
    "update_batch_statistics.state": ANY,
    "find_learning_rate.optimizer": {"function", "factory"},
    "find_learning_rate.steps": COUNT,
    "find_learning_rate.batch_size": {"3"},
    "Holdout.labels": {"None"},
    "BestCheckpoint.path": {"text"},
    "CSVLog.path": {"text"},
    "TensorBoardLog.folder": {"text"},
    "BestCheckpoint.monitor": {"text"},
}

ALSO_NAMED = {
    "target": ("target", "label"), "x": ("x", "input"), "got": ("tree",), "second": ("tree", "root", "cotangent"),
    "first": ("tree", "root", "cotangent", "first"), "low": ("low", "high", "interval"), "high": ("high", "interval"),
    "data": ("data", "tree"), "values": ("values", "mask"), "mask": ("mask",), "params": ("params", "parameters"),
    "entropy": ("seed",), "length": ("length", "window"),
}  # fmt: skip
"""Other words by which a message may name an argument."""

PLAIN = {
    "Layer", "Init", "Forward", "Backward", "Mode", "LossAndGrad", "Fit", "History", "Row", "Epoch", "Summary", "DivergenceError",
    "FileError", "backward_without_input", "ClippedGrads", "ConvergenceError", "Estimated", "GradientJVP", "GradientNoise",
    "GradientStatistics", "JVP", "Linearized", "NotAnalyticError", "PrivacySpent", "PrivateGrads", "VJP",
    "LoRAParams", "Seen", "Communicator", "RankError", "Step", "LearningRateCurve",
}  # fmt: skip
"""Records that the library makes, and types."""

ELSEWHERE = ("funcnn.losses.", "funcnn.optim.", "funcnn.optim.penalties", "funcnn.files.save")
"""Modules whose arguments have sweeps of their own."""

OF_TRAINING = {
    "fit",
    "EarlyStopping",
    "Checkpoint",
    "loss_and_grad",
    "compiled",
    "apply",
    "define_layer",
    "keep_memory",
    "mpi_communicator",
    "PermutationImportance",
    "estimate_derivatives",
}
"""Not walked here: those of ``fit`` have a sweep of their own; ``apply``, ``loss_and_grad``, ``define_layer``,
``estimate_derivatives`` have none yet, and still take or raise what no user can read (``apply(3, ...)``, parameters and state
exchanged, ``loss_and_grad(3, loss)``).  ``mpi_communicator`` needs MPI: tests/ecosystem/mpi has it."""

OF_MODULES = {
    "data": {
        "Augmentation", "BytePairEncoding", "Dataset", "ImageFolder", "MinMax", "Mixing", "OneHot", "Rows",
        "Split", "Standardize", "Vocabulary", "Whiten", "take", "BooleanColumn", "CategoryColumn", "DateColumn", "NumberColumn",
        "Table", "TableTransform", "sklearn_table",
    },
    "deploy": {"ExportError", "Imported", "OperatorError", "ScriptError", "export_onnx", "import_onnx"},
    "generation": {"Generated", "Stepped", "Stepwise"},
    "pretrained": {"Pretrained"},
    "curvature": {
        "DiagonalBlock", "DiagonalEstimate", "Eigenpairs", "FullBlock", "KFAC", "KFACOptions", "KFACState", "KFACStepped",
        "KroneckerBlock", "KroneckerFactors", "Laplace", "LevenbergMarquardt", "LossAndProduct", "NegativeCurvatureError",
        "NewtonCG", "Predictive", "Product", "Residuals", "Solved", "SpectralDensity", "TraceEstimate",
        "Sophia", "SophiaOptions", "SophiaState", "SophiaStepped",
    },
    "metrics": {"Average", "CalibrationCurve", "ClassificationReport", "PrecisionRecallCurve", "RocCurve"},
    "tree": {"Raveled", "Table", "TableRow", "Where", "children", "map_cotangents", "rebuild", "walk", "with_cotangents"},
    "initializers": {"Activation", "Distribution", "Fan", "Initializer"},
    "check": {
        "Diagnosis", "Finding", "LeafReport", "NumericGradient", "Report", "Trusted", "TrustedDigits", "Witness",
        "check_backward", "check_foreign", "check_hvp", "check_jax", "check_jvp",
        "check_object", "check_scipy", "check_torch", "check_vjp",
    },
}  # fmt: skip
"""Records and types of a module, and functions for writers of layers; those of ONNX are called in tests/ecosystem/deploy."""


def public_names() -> Iterator[str]:
    """Yield the public callables that need an entry."""
    for name in fn.__all__:
        one = getattr(fn, name)
        if isinstance(one, ModuleType):
            if name in OF_MODULES:
                yield from (f"{name}.{inner}" for inner in one.__all__ if inner not in OF_MODULES[name])
        elif name not in CALLS and name not in PLAIN | OF_TRAINING and not str(one.__module__).startswith(ELSEWHERE):
            yield name


def test_every_public_callable_has_an_entry() -> None:
    assert set(public_names()) == {name for name in USES if name.count(".") - name.startswith(tuple(OF_MODULES)) <= 0} - {
        name for name in USES if name.endswith("()") or name.startswith(("Key.", "Layer."))
    }


@pytest.mark.parametrize(
    ("name", "argument"), [pytest.param(name, one, id=f"{name}-{one}") for name in USES for one in USES[name].arguments]
)
def test_arguments_of_another_kind(name: str, argument: str) -> None:
    right = PARTLY.get(f"{name}.{argument}", RIGHT.get(argument, set()))
    faults = []
    for label, value in OTHERS.items():
        if label in right:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            try:
                USES[name](**{argument: value})
            except Exception as error:  # whatever it is, it is looked at
                fault = fault_of(error, *ALSO_NAMED.get(argument, (argument,)))
            else:
                fault = "taken without a word"
        if fault:
            faults.append(f"{argument}={label}: {fault}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", USES)
def test_the_entry_itself_is_right(name: str) -> None:
    if name in (
        "data.load_idx",
        "data.load_table_transform",
        "data.read_csv",
        "data.read_table",
        "data.idx_folder",
        "data.image_folder",
        "data.read_byte_pairs",
        "data.read_tokenizer",
        "pretrained.load",
    ):
        with pytest.raises(FileNotFoundError, match=r"nowhere|No such file"):
            USES[name]()
    else:
        USES[name]()


def test_a_name_is_looked_for_where_it_is() -> None:
    assert all(inspect.ismodule(getattr(fn, name)) for name in OF_MODULES)
