"""One way to call every public function and record that is no factory of layers: what the sweep of arguments varies."""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn import initializers
from tests.sharding.ranks import alone

KEY = fn.Key(0)
MODEL = fn.dense(3)
START = MODEL.init(KEY, (2,))
X = np.linspace(-1, 1, 12).reshape(6, 2)
Y = np.linspace(0, 1, 18).reshape(6, 3)
LABELS = np.array([0, 1, 2, 0, 1, 2])
SCORES = np.linspace(-1, 1, 18).reshape(6, 3) ** 2
LOSS = fn.mean_squared_error()
TOKENS = fn.embedding(4, 3) >> fn.dense(4)
WORDS = TOKENS.init(KEY, (3,))
TREE: Any = (START.params, {"a": np.ones(2)})
SPOKEN = {"model": TOKENS, "params": WORDS.params, "state": WORDS.state, "prompt": np.array([[1, 2]]), "steps": 2}
PARTS = {"model": MODEL, "params": START.params, "state": START.state, "x": X}


@frozen
class Use:
    """A callable and its arguments by name; what comes first by position is given so."""

    function: Callable[..., Any]
    arguments: dict[str, Any]
    positional: tuple[str, ...] = ()

    def __call__(self, **changes: Any) -> Any:
        """Call it, with some arguments in place of others."""
        given = {**self.arguments, **changes}
        return self.function(*[given.pop(name) for name in self.positional], **given)


def _lists(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs what another yields."""
    return lambda **arguments: list(function(**arguments))


def _unwritten(folder: Any, pretrained: Any) -> None:
    """Write a network to a folder that is taken away again."""
    with tempfile.TemporaryDirectory() as where:
        fn.pretrained.save(Path(where, folder) if isinstance(folder, str) else folder, pretrained)


def exported(function: Callable[..., None], ending: str) -> Callable[..., None]:
    """Return a function that exports to a folder that is taken away again, where the path is a name."""

    def export(path: Any, **arguments: Any) -> None:
        with tempfile.TemporaryDirectory() as where:
            function(Path(where, path + ending) if isinstance(path, str) else path, **arguments)

    return export


LSTM = {"model_type": "lstm", "input_size": 2, "hidden_size": 3}
DRAW = {"key": KEY, "shape": (3, 4)}
METRIC = {"prediction": SCORES, "target": LABELS}
AVERAGED = {**METRIC, "average": "macro"}
DATA: dict[str, Any] = {"key": KEY, "data": (X, LABELS)}

USES: dict[str, Use] = {
    "Key": Use(fn.Key, {"entropy": 1, "path": (0,)}),
    "Key.child": Use(KEY.child, {"index": 1}),
    "Key.split": Use(KEY.split, {"count": 2}),
    "Key.generator": Use(KEY.generator, {"skip": 1}),
    "Train": Use(fn.Train, {"key": KEY}),
    "Eval": Use(fn.Eval, {"residuals": True}),
    "Masked": Use(fn.Masked, {"values": X[None], "mask": np.ones((1, 6), bool)}),
    "Rotary": Use(fn.Rotary, {"base": 500.0, "features": 2, "interleaved": True, "scaling": fn.LinearScaling(2.0)}),
    "LinearScaling": Use(fn.LinearScaling, {"factor": 2.0}),
    "NTKScaling": Use(fn.NTKScaling, {"factor": 2.0}),
    "YarnScaling": Use(fn.YarnScaling, {"factor": 2.0, "original_length": 64, "fast": 8.0, "slow": 0.5}),
    "Llama3Scaling": Use(fn.Llama3Scaling, {"factor": 2.0, "original_length": 64, "low": 0.5, "high": 8.0}),
    "AttentionScores": Use(fn.AttentionScores, {"scale": 0.5, "soft_cap": 3.0, "window": 2}),
    "bags_from_offsets": Use(
        fn.bags_from_offsets, {"values": np.arange(5), "offsets": np.array([0, 2]), "fill": 7}, ("values", "offsets", "fill")
    ),
    "Pooled": Use(fn.Pooled, {"values": X, "indices": np.zeros(X.shape, int)}),
    "Layer.init": Use(MODEL.init, {"key": KEY, "in_shape": (2,)}, ("key", "in_shape")),
    "summary": Use(
        fn.summary,
        {"model": MODEL, "in_shape": (2,), "dtype": np.float32, "batch_size": 2, "optimizer": fn.sgd(0.1)},
    ),
    **{name: Use(getattr(fn, name), {"model": MODEL}) for name in ("jvp", "vjp", "linearize", "jacobian", "input_jacobian")},
    **{
        name: Use(getattr(fn, name), {"model": MODEL, "loss": LOSS})
        for name in (
            "hvp", "input_hvp", "mixed_product", "gradient_jvp", "ggn_product", "hessian", "per_example_grads",
            "per_example_norms", "gradient_statistics", "gradient_noise_scale",
        )
    },
    "fisher_product": Use(fn.fisher_product, {"model": MODEL, "loss": fn.softmax_cross_entropy(), "kind": "true"}),
    "clipped_grads": Use(fn.clipped_grads, {"model": MODEL, "loss": LOSS, "max_norm": 1.0}),
    "private_grads": Use(
        fn.private_grads,
        {"model": MODEL, "loss": LOSS, "max_norm": 1.0, "noise_multiplier": 1.0, "expected_batch_size": 6.0},
    ),
    "sampled_gaussian_rdp": Use(
        fn.sampled_gaussian_rdp, {"sampling_rate": 0.1, "noise_multiplier": 1.0, "orders": (2.0, 8.0), "steps": 3}
    ),
    "privacy_spent": Use(fn.privacy_spent, {"rdp": np.array([0.1, 0.2]), "delta": 1e-5, "orders": (2.0, 8.0)}),
    "privacy_noise": Use(fn.privacy_noise, {"max_epsilon": 2.0, "delta": 1e-5, "sampling_rate": 0.1, "steps": 10}),
    "merge_lora": Use(fn.merge_lora, {"params": fn.lora(MODEL, 2).init(KEY, (2,)).params, "alpha": 0.5}),
    "data_parallel": Use(
        fn.data_parallel,
        {"function": fn.loss_and_grad(MODEL, LOSS), "communicator": alone(), "gather_outputs": True},
    ),
    "attention_weights": Use(fn.attention_weights, {"layer": fn.attention(2), "queries": (0, 1)}),
    "get_layer": Use(fn.get_layer, {"model": MODEL, "path": ""}),
    "replace_layer": Use(fn.replace_layer, {"model": MODEL, "path": "", "new": fn.dense(3)}),
    "watch": Use(fn.watch, {"look": lambda seen: None, "model": MODEL, "which": "dense"}),
    "map_layers": Use(fn.map_layers, {"function": lambda path, layer: layer, "model": MODEL}),
    "generate": Use(
        fn.generate,
        {
            "model": TOKENS, "params": WORDS.params, "state": WORDS.state, "prompt": np.array([[1, 2]]), "steps": 2, "key": KEY,
            "context_length": 4, "temperature": 1.0, "top_k": 2,
        },
    ),
    "generation.stepwise": Use(fn.generation.stepwise, {"model": TOKENS}),
    "generation.sample": Use(
        fn.generation.sample, {**SPOKEN, "key": KEY, "sampling": fn.generation.Sampling(), "context_length": 4}
    ),
    "generation.beam_search": Use(fn.generation.beam_search, {**SPOKEN, "beams": 2, "length_penalty": 1.0, "stop": (1,)}),
    "generation.Sampling": Use(
        fn.generation.Sampling,
        {
            "temperature": 1.0, "top_k": 2, "top_p": 0.5, "min_p": 0.1, "repetition_penalty": 1.5, "stop": (1,), "samples": 2,
        },
    ),
    "pretrained.build": Use(fn.pretrained.build, {"config": LSTM, "key": KEY, "weight_init": initializers.zeros}),
    "pretrained.load": Use(fn.pretrained.load, {"folder": "nowhere", "dtype": np.float32}),
    "pretrained.save": Use(_unwritten, {"folder": "nowhere", "pretrained": fn.pretrained.build(LSTM, KEY)}),
    "predict": Use(fn.predict, {**PARTS, "batch_size": 4}),
    "permutation_importance": Use(
        fn.permutation_importance, {**PARTS, "y": Y, "metric": fn.metrics.r2, "key": KEY, "repeats": 2, "groups": [[0], [1]]}
    ),
    "evaluate": Use(fn.evaluate, {**PARTS, "y": Y, "loss": LOSS, "batch_size": 4}),
    "update_batch_statistics": Use(fn.update_batch_statistics, {**PARTS, "key": KEY, "batch_size": 4}),
    "find_learning_rate": Use(
        fn.find_learning_rate,
        {"model": MODEL, "loss": LOSS, "optimizer": fn.sgd, "x": X, "y": Y, "key": KEY, "batch_size": 4}
        | {"low": 1e-4, "high": 1.0, "steps": 10},
    ),
    "Holdout": Use(fn.Holdout, {"share": 0.25, "labels": LABELS, "stratified": True}),
    "OnStep": Use(fn.OnStep, {"function": len, "every": 2}),
    "BestCheckpoint": Use(fn.BestCheckpoint, {"path": "best.npz", "monitor": "accuracy", "mode": "max"}),
    "CSVLog": Use(fn.CSVLog, {"path": "log.csv"}),
    "TensorBoardLog": Use(fn.TensorBoardLog, {"folder": "run"}),
    # data
    "data.spirals": Use(fn.data.spirals, {"key": KEY, "count": 3, "classes": 2, "noise": 0.1, "turns": 0.5, "dtype": np.float32}),
    "data.sinusoid": Use(fn.data.sinusoid, {"key": KEY, "count": 3, "noise": 0.1, "dtype": np.float32}),
    "data.friedman": Use(fn.data.friedman, {"key": KEY, "count": 3, "features": 5, "noise": 0.1, "dtype": np.float32}),
    "data.xor": Use(fn.data.xor, {"dtype": np.float32}),
    "data.digits": Use(fn.data.digits, {"flat": True, "dtype": np.float32}),
    "data.split": Use(fn.data.split, {**DATA, "test": 0.5}),
    "data.stratified_split": Use(fn.data.stratified_split, {**DATA, "test": 0.5, "labels": LABELS}),
    "data.k_fold": Use(_lists(fn.data.k_fold), {**DATA, "folds": 2}),
    "data.stratified_k_fold": Use(_lists(fn.data.stratified_k_fold), {**DATA, "folds": 2, "labels": LABELS}),
    "data.batches": Use(_lists(fn.data.batches), {**DATA, "batch_size": 4, "drop_last": False}),
    "data.poisson_batches": Use(_lists(fn.data.poisson_batches), {**DATA, "sampling_rate": 0.5, "steps": 2}),
    "data.batch_count": Use(fn.data.batch_count, {"rows": 6, "batch_size": 4, "drop_last": False}),
    "data.count": Use(fn.data.count, {"data": (X, LABELS)}),
    "data.one_hot": Use(fn.data.one_hot, {"labels": LABELS, "classes": 3, "dtype": np.float32}),
    "data.fit_one_hot": Use(fn.data.fit_one_hot, {"labels": LABELS}),
    "data.fit_standardize": Use(fn.data.fit_standardize, {"x": X}),
    "data.fit_min_max": Use(fn.data.fit_min_max, {"x": X, "low": 0.0, "high": 1.0}),
    "data.fit_whiten": Use(fn.data.fit_whiten, {"x": SCORES[:, :1], "kind": "pca", "components": 1}),
    "data.fit_vocabulary": Use(fn.data.fit_vocabulary, {"text": "abc"}),
    "data.fit_byte_pairs": Use(fn.data.fit_byte_pairs, {"text": "abc", "vocabulary": 260, "special": ("<end>",)}),
    "data.read_tokenizer": Use(fn.data.read_tokenizer, {"path": "nowhere"}),
    "data.read_byte_pairs": Use(fn.data.read_byte_pairs, {"vocabulary_path": "nowhere", "merges_path": "nowhere"}),
    "data.windows": Use(fn.data.windows, {"tokens": LABELS, "length": 2, "stride": 1}),
    "data.load_idx": Use(fn.data.load_idx, {"path": "nowhere"}),
    "data.idx_folder": Use(fn.data.idx_folder, {"folder": "nowhere", "flat": True, "dtype": np.float32}),
    "data.image_folder": Use(fn.data.image_folder, {"folder": "nowhere", "size": 4, "channels": 1, "dtype": np.float32}),
    "data.as_table": Use(fn.data.as_table, {"data": {"a": X[:, 0]}}),
    "data.read_table": Use(fn.data.read_table, {"path": "nowhere.csv"}),
    "data.read_csv": Use(fn.data.read_csv, {"path": "nowhere.csv"}),
    "data.fit_table": Use(
        fn.data.fit_table,
        {"data": {"a": X[:, 0], "b": X[:, 0]}, "target": "a", "task": "regression", "options": fn.data.TableOptions()},
    ),
    "data.TableOptions": Use(
        fn.data.TableOptions,
        {"impute": "median", "categories": "one_hot", "unseen": "ignore", "max_categories": 5, "kinds": {}, "leave_out": ()},
    ),
    "data.save_table_transform": Use(
        lambda transform: fn.data.save_table_transform(os.devnull, transform), {"transform": fn.data.fit_table({"a": X[:, 0]})}
    ),
    "data.load_table_transform": Use(fn.data.load_table_transform, {"path": "nowhere"}),
    "data.group_split": Use(fn.data.group_split, {**DATA, "groups": LABELS, "test": 0.5}),
    "data.group_k_fold": Use(_lists(fn.data.group_k_fold), {**DATA, "groups": LABELS, "folds": 2}),
    "data.time_split": Use(fn.data.time_split, {"data": DATA["data"], "test": 0.5, "gap": 0}),
    "data.time_series_split": Use(_lists(fn.data.time_series_split), {"data": DATA["data"], "folds": 2, "gap": 0}),
    "data.repeated_k_fold": Use(_lists(fn.data.repeated_k_fold), {**DATA, "folds": 2, "repeats": 2}),
    "data.repeated_stratified_k_fold": Use(
        _lists(fn.data.repeated_stratified_k_fold), {**DATA, "folds": 2, "repeats": 2, "labels": LABELS}
    ),
    "data.balanced_class_weight": Use(fn.data.balanced_class_weight, {"labels": LABELS, "classes": 3}),
    "data.balanced_weights": Use(fn.data.balanced_weights, {"labels": LABELS}),
    "data.from_bytes": Use(fn.data.from_bytes, {"pixels": np.zeros((2, 3), np.uint8), "dtype": np.float32}),
    "data.joined": Use(fn.data.joined, {"parts": [X, X]}),
    "data.prefetch": Use(_lists(fn.data.prefetch), {"items": [1, 2], "ahead": 2}),
    "data.random_flip": Use(fn.data.random_flip, {"probability": 0.5, "axis": -2}),
    "data.random_crop": Use(fn.data.random_crop, {"size": 2, "padding": 1, "border": "edge"}),
    "data.random_shift": Use(fn.data.random_shift, {"share": 0.1, "border": "edge"}),
    "data.random_rotation": Use(fn.data.random_rotation, {"degrees": 9.0, "beyond": "border"}),
    "data.random_zoom": Use(fn.data.random_zoom, {"low": 0.9, "high": 1.5, "beyond": "border"}),
    "data.random_noise": Use(fn.data.random_noise, {"deviation": 0.1}),
    "data.random_light": Use(fn.data.random_light, {"brightness": 0.1, "contrast": 0.2}),
    "data.random_erasing": Use(fn.data.random_erasing, {"probability": 0.5, "low": 0.1, "high": 0.2, "value": 0.0}),
    "data.mixup": Use(fn.data.mixup, {"alpha": 0.5, "classes": 3}),
    "data.cutmix": Use(fn.data.cutmix, {"alpha": 0.5, "classes": 3}),
    "data.augmented": Use(fn.data.augmented, {"change": fn.data.mixup(), "function": fn.loss_and_grad(MODEL, LOSS)}),
    # metrics
    **{
        f"metrics.{name}": Use(getattr(fn.metrics, name), METRIC)
        for name in ("accuracy", "confusion_matrix", "perplexity", "bits_per_character")
    },
    **{
        f"metrics.{name}": Use(getattr(fn.metrics, name), AVERAGED)
        for name in ("f1", "precision", "recall", "specificity", "iou")
    },
    "metrics.f_beta": Use(fn.metrics.f_beta, {**AVERAGED, "beta": 0.5}),
    "metrics.per_class": Use(fn.metrics.per_class, {**METRIC, "metric": "f_beta", "threshold": 0.0, "beta": 0.5}),
    **{
        f"metrics.{name}": Use(getattr(fn.metrics, name), METRIC)
        for name in (
            "balanced_accuracy", "matthews_correlation", "cohen_kappa", "classification_report", "log_loss", "brier_score",
        )
    },
    **{
        f"metrics.{name}": Use(getattr(fn.metrics, name), {**METRIC, "bins": 3})
        for name in ("calibration_curve", "calibration_error")
    },
    **{
        f"metrics.{name}": Use(getattr(fn.metrics, name), {"prediction": SCORES, "target": np.eye(3)[LABELS], "threshold": 0.5})
        for name in ("hamming_loss", "exact_match")
    },
    **{
        f"metrics.{name}": Use(getattr(fn.metrics, name), {"prediction": SCORES, "target": np.eye(3)[LABELS]})
        for name in ("mean_reciprocal_rank", "mean_average_precision", "psnr")
    },
    **{
        f"metrics.{name}": Use(getattr(fn.metrics, name), {"prediction": SCORES, "target": np.eye(3)[LABELS], "k": 2})
        for name in ("ndcg", "hit_rate")
    },
    "metrics.ssim": Use(
        fn.metrics.ssim, {"prediction": np.ones((1, 11, 11, 1)), "target": np.ones((1, 11, 11, 1)), "max_value": 2.0}
    ),
    "metrics.edit_distance": Use(fn.metrics.edit_distance, {"prediction": "ab", "target": "b"}),
    "metrics.word_error_rate": Use(fn.metrics.word_error_rate, {"prediction": ["a b"], "target": ["a"]}),
    "metrics.character_error_rate": Use(fn.metrics.character_error_rate, {"prediction": ["a b"], "target": ["a"]}),
    "metrics.bleu": Use(fn.metrics.bleu, {"prediction": ["a b"], "target": ["a"], "max_length": 1}),
    "metrics.mean_absolute_percentage_error": Use(
        fn.metrics.mean_absolute_percentage_error, {"prediction": SCORES, "target": Y + 1}
    ),
    "metrics.interval_coverage": Use(fn.metrics.interval_coverage, {"prediction": (SCORES, SCORES + 1), "target": Y}),
    "metrics.pinball": Use(fn.metrics.pinball, {"prediction": SCORES, "target": Y, "quantile": 0.25}),
    "metrics.top_k_accuracy": Use(fn.metrics.top_k_accuracy, {**METRIC, "k": 2}),
    **{
        f"metrics.{name}": Use(getattr(fn.metrics, name), {"prediction": SCORES[:, 0], "target": LABELS % 2})
        for name in ("roc_auc", "average_precision", "roc_curve", "precision_recall_curve")
    },
    "metrics.binary_accuracy": Use(
        fn.metrics.binary_accuracy, {"prediction": SCORES[:, 0], "target": LABELS % 2, "threshold": 0.5}
    ),
    **{
        f"metrics.{name}": Use(getattr(fn.metrics, name), {"prediction": SCORES, "target": Y})
        for name in (
            "mean_absolute_error", "root_mean_squared_error", "r2", "median_absolute_error", "max_error", "explained_variance",
            "pearson", "spearman", "symmetric_mean_absolute_percentage_error",
        )
    },
    # trees
    **{
        f"tree.{name}": Use(getattr(fn.tree, name), {"tree": TREE})
        for name in ("leaves", "paths", "ravel", "freeze", "size", "nbytes")
    },
    "tree.astype": Use(fn.tree.astype, {"tree": TREE, "dtype": np.float32}),
    "tree.map": Use(fn.tree.map, {"function": np.negative, "tree": TREE}, ("function", "tree")),
    "tree.check_structure": Use(fn.tree.check_structure, {"expected": TREE, "got": TREE}),
    "tree.check_like": Use(fn.tree.check_like, {"expected": TREE, "got": TREE}),
    "tree.same": Use(fn.tree.same, {"first": TREE, "second": TREE}),
    "tree.get": Use(fn.tree.get, {"tree": TREE, "path": "[1]['a']"}),
    "tree.replace": Use(fn.tree.replace, {"tree": TREE, "path": "[1]['a']", "new": np.zeros(3)}),
    "tree.select": Use(fn.tree.select, {"tree": TREE, "where": "weight"}),
    "tree.map_where": Use(fn.tree.map_where, {"function": np.negative, "tree": TREE, "where": "weight"}),
    "tree.table": Use(fn.tree.table, {"tree": TREE, "depth": 1}),
    "tree.add_cotangents": Use(fn.tree.add_cotangents, {"first": TREE, "second": TREE}),
    # initializers
    **{
        f"initializers.{name}": Use(getattr(initializers, name), DRAW)
        for name in (
            "zeros", "ones", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
            "glorot_truncated_normal", "he_truncated_normal", "lecun_truncated_normal",
        )
    },
    "initializers.constant": Use(initializers.constant, {"value": 0.5}),
    "initializers.uniform": Use(initializers.uniform, {"low": -1.0, "high": 1.0}),
    "initializers.normal": Use(initializers.normal, {"std": 0.5, "mean": 0.1}),
    "initializers.truncated_normal": Use(initializers.truncated_normal, {"std": 0.5, "mean": 0.1, "bound": 1.5}),
    "initializers.variance_scaling": Use(
        initializers.variance_scaling, {"scale": 1.5, "fan": "fan_in", "distribution": "normal"}
    ),
    "initializers.orthogonal": Use(initializers.orthogonal, {"gain": 0.5}),
    "initializers.delta_orthogonal": Use(initializers.delta_orthogonal, {"gain": 0.5}),
    "initializers.gain": Use(initializers.gain, {"activation": "leaky_relu", "slope": 0.2}),
    "initializers.identity": Use(initializers.identity, {"gain": 0.5}),
    "initializers.dirac": Use(initializers.dirac, {"groups": 1}),
    "initializers.sparse": Use(initializers.sparse, {"sparsity": 0.5, "std": 0.5}),
    "initializers.fans": Use(initializers.fans, {"shape": (3, 4)}),
    **{
        f"initializers.{name}()": Use(made, DRAW)
        for name, made in (
            ("constant", initializers.constant(0.5)), ("uniform", initializers.uniform()), ("normal", initializers.normal()),
            ("truncated_normal", initializers.truncated_normal()), ("orthogonal", initializers.orthogonal()),
            ("identity", initializers.identity()), ("sparse", initializers.sparse()), ("dirac", initializers.dirac()),
            ("variance_scaling", initializers.variance_scaling()),
        )
    },
    # export
    "deploy.Described": Use(
        fn.deploy.Described, {"preparation": fn.data.fit_standardize(X), "classes": ("a", "b"), "translations": {}}
    ),
    "deploy.export_script": Use(exported(fn.deploy.export_script, ".py"), {"path": "net", **PARTS}),
    "deploy.export_training_script": Use(
        exported(fn.deploy.export_training_script, ".py"),
        {"path": "net", **PARTS, "loss": LOSS, "optimizer": fn.sgd(0.1), "target": Y},
    ),
    # verification
    "check.check_layer": Use(fn.check.check_layer, {"layer": MODEL, "x": X, "seed": 0, "batch": 3}),
    "check.check_loss": Use(fn.check.check_loss, {"loss": LOSS, "prediction": Y, "target": Y + 1.0, "seed": 0}),
    "check.check_model": Use(fn.check.check_model, {"model": MODEL, "loss": LOSS, "x": X, "target": Y, "seed": 0}),
    "check.trusted_digits": Use(
        fn.check.trusted_digits,
        {"model": MODEL, "loss": LOSS, "params": START.params, "state": START.state, "x": X, "target": Y, "draws": 2},
    ),
    "check.check_grad": Use(
        partial(fn.check.check_grad, lambda x: (x * x).sum()), {"grad": lambda x: 2 * x, "params": X, "seed": 0}
    ),
    "check.numeric_grad": Use(fn.check.numeric_grad, {"f": lambda x: (x * x).sum(), "x": X}, ("f", "x")),
}  # fmt: skip
