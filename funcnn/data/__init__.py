"""Data sets, loaders, splits, batches and preprocessing: arrays in, new read-only arrays out.

Everything random takes a key.  Everything that learns from data (the mean of a column, the characters of a text) is a fitted
record of its own, made from training data only and kept beside the parameters.
"""

from typing import TYPE_CHECKING

from funcnn.data.former import FORMER
from funcnn.runtime.former_names import former_names
from funcnn.runtime.lazy_imports import attach

if TYPE_CHECKING:  # for type checkers and readers; at run time each name is imported at its first use
    from funcnn.data.augmentation.augmentation import Augmentation, Mixing, augmented
    from funcnn.data.augmentation.cropping import random_crop, random_shift
    from funcnn.data.augmentation.flips import random_flip
    from funcnn.data.augmentation.mixing import cutmix, mixup
    from funcnn.data.augmentation.pixels import random_erasing, random_light, random_noise
    from funcnn.data.augmentation.warping import random_rotation, random_zoom
    from funcnn.data.batching import batch_count, batches
    from funcnn.data.class_weights import balanced_class_weight, balanced_weights
    from funcnn.data.dataset import Dataset, Split, count, take
    from funcnn.data.group_splitting import group_k_fold, group_split
    from funcnn.data.idx import idx_folder, load_idx
    from funcnn.data.images.folder import ImageFolder, image_folder
    from funcnn.data.one_hot_labels import OneHot, fit_one_hot, one_hot
    from funcnn.data.optical_digits import digits
    from funcnn.data.poisson import poisson_batches
    from funcnn.data.repeated_splitting import repeated_k_fold, repeated_stratified_k_fold
    from funcnn.data.scaling import MinMax, Standardize, fit_min_max, fit_standardize
    from funcnn.data.splitting import (
        k_fold,
        split,
        stratified_k_fold,
        stratified_split,
    )
    from funcnn.data.streams.prefetch import prefetch
    from funcnn.data.streams.rows import Rows, from_bytes, joined
    from funcnn.data.synthetic import friedman, sinusoid, spirals, xor
    from funcnn.data.tables.columns import BooleanColumn, CategoryColumn, DateColumn, NumberColumn, Table
    from funcnn.data.tables.csv_reader import read_csv
    from funcnn.data.tables.fitting import TableOptions, fit_table
    from funcnn.data.tables.frames import as_table
    from funcnn.data.tables.reading import read_table
    from funcnn.data.tables.shipped import sklearn_table
    from funcnn.data.tables.transform import TableTransform
    from funcnn.data.tables.transform_file import load_table_transform, save_table_transform
    from funcnn.data.text import Vocabulary, fit_vocabulary, windows
    from funcnn.data.time_splitting import time_series_split, time_split
    from funcnn.data.tokens.byte_pairs import BytePairEncoding, read_byte_pairs
    from funcnn.data.tokens.fitting import fit_byte_pairs
    from funcnn.data.tokens.tokenizer_file import read_tokenizer
    from funcnn.data.whitening import Whiten, fit_whiten

    Standardise = Standardize
    fit_standardise = fit_standardize

__all__ = [
    "Augmentation",
    "BooleanColumn",
    "BytePairEncoding",
    "CategoryColumn",
    "Dataset",
    "DateColumn",
    "ImageFolder",
    "MinMax",
    "Mixing",
    "NumberColumn",
    "OneHot",
    "Rows",
    "Split",
    "Standardize",
    "Table",
    "TableOptions",
    "TableTransform",
    "Vocabulary",
    "Whiten",
    "as_table",
    "augmented",
    "balanced_class_weight",
    "balanced_weights",
    "batch_count",
    "batches",
    "count",
    "cutmix",
    "digits",
    "fit_byte_pairs",
    "fit_min_max",
    "fit_one_hot",
    "fit_standardize",
    "fit_table",
    "fit_vocabulary",
    "fit_whiten",
    "friedman",
    "from_bytes",
    "group_k_fold",
    "group_split",
    "idx_folder",
    "image_folder",
    "joined",
    "k_fold",
    "load_idx",
    "load_table_transform",
    "mixup",
    "one_hot",
    "poisson_batches",
    "prefetch",
    "random_crop",
    "random_erasing",
    "random_flip",
    "random_light",
    "random_noise",
    "random_rotation",
    "random_shift",
    "random_zoom",
    "read_byte_pairs",
    "read_csv",
    "read_table",
    "read_tokenizer",
    "repeated_k_fold",
    "repeated_stratified_k_fold",
    "save_table_transform",
    "sinusoid",
    "sklearn_table",
    "spirals",
    "split",
    "stratified_k_fold",
    "stratified_split",
    "take",
    "time_series_split",
    "time_split",
    "windows",
    "xor",
]

if not TYPE_CHECKING:
    _public, __dir__ = attach(__name__, __all__)
    __getattr__ = former_names(__name__, FORMER, _public)
