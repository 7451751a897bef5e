"""Neural networks as pure functions with explicit gradients.

Every public name, in reading order: the core, layers, combinators, losses, optimizers, training, data, verification.
"""

from typing import TYPE_CHECKING

from funcnn.deferred import attach

__version__ = "0.1.0"

if TYPE_CHECKING:  # for type checkers and readers; at run time each name is imported at its first use
    from funcnn import check, data, initializers, tree
    from funcnn.allocator import keep_memory
    from funcnn.combinators.add import add
    from funcnn.combinators.bidirectional import bidirectional
    from funcnn.combinators.branch import branch
    from funcnn.combinators.concatenate import concatenate
    from funcnn.combinators.frozen import frozen
    from funcnn.combinators.masked_residual import masked_residual
    from funcnn.combinators.masked_steps import masked_steps, unmask
    from funcnn.combinators.memory import beside_memory, drop_memory, memory_residual
    from funcnn.combinators.multiply_inputs import add_inputs, multiply_inputs
    from funcnn.combinators.on_values import on_values
    from funcnn.combinators.parallel import parallel
    from funcnn.combinators.pick_input import join_inputs, pick_input
    from funcnn.combinators.recompute import recompute
    from funcnn.combinators.residual import residual
    from funcnn.combinators.reverse_time import reverse_time
    from funcnn.combinators.serial import serial
    from funcnn.combinators.shard import shard
    from funcnn.combinators.shared import shared
    from funcnn.combinators.spectral_norm import spectral_norm
    from funcnn.combinators.stop_gradient import stop_gradient
    from funcnn.combinators.trained_start import trained_start
    from funcnn.combinators.weight_norm import weight_norm
    from funcnn.compile.compiled import compiled
    from funcnn.grad import LossAndGrad, apply, loss_and_grad
    from funcnn.instrument import map_layers
    from funcnn.key import Key
    from funcnn.layer import Backward, Eval, Forward, Init, Layer, Mode, Train, backward_without_input, define_layer
    from funcnn.layers.adaptive_pooling import adaptive_avg_pool, adaptive_max_pool
    from funcnn.layers.algebraic import softsign, squareplus
    from funcnn.layers.alpha_dropout import alpha_dropout
    from funcnn.layers.attention import attention
    from funcnn.layers.average_pooling import avg_pool1d, avg_pool2d, avg_pool3d
    from funcnn.layers.batch_norm import batch_norm
    from funcnn.layers.bilinear import bilinear
    from funcnn.layers.clipped import hard_sigmoid, hard_swish, hard_tanh, relu6
    from funcnn.layers.convolution import conv1d, conv2d, conv3d
    from funcnn.layers.crop import crop
    from funcnn.layers.cross_attention import cross_attention
    from funcnn.layers.dense import dense
    from funcnn.layers.depthwise import depthwise_conv1d, depthwise_conv2d, separable_conv1d, separable_conv2d
    from funcnn.layers.dropout import dropout
    from funcnn.layers.embedding import embedding
    from funcnn.layers.embedding_bag import embedding_bag
    from funcnn.layers.exponential import exponential
    from funcnn.layers.exponential_units import celu, selu
    from funcnn.layers.gated import geglu, glu, swiglu
    from funcnn.layers.gaussian_noise import gaussian_noise
    from funcnn.layers.gaussian_sample import gaussian_sample
    from funcnn.layers.gelu import gelu
    from funcnn.layers.global_pooling import global_avg_pool, global_max_pool
    from funcnn.layers.gradient_reversal import gradient_reversal
    from funcnn.layers.group_norm import group_norm
    from funcnn.layers.gru import gru
    from funcnn.layers.identity import identity
    from funcnn.layers.instance_norm import instance_norm
    from funcnn.layers.last_step import last_step
    from funcnn.layers.layer_norm import layer_norm
    from funcnn.layers.linear import linear
    from funcnn.layers.local_response_norm import local_response_norm
    from funcnn.layers.log_cosh import log_cosh
    from funcnn.layers.lstm import lstm
    from funcnn.layers.max_pooling import max_pool1d, max_pool2d, max_pool3d
    from funcnn.layers.max_unpooling import Pooled, max_pool_with_indices, max_unpool
    from funcnn.layers.maxout import maxout
    from funcnn.layers.mean_steps import mean_steps
    from funcnn.layers.mish import mish
    from funcnn.layers.pad import pad
    from funcnn.layers.pixel_shuffle import pixel_shuffle, pixel_unshuffle
    from funcnn.layers.positions import learned_positions, sinusoidal_positions
    from funcnn.layers.power_pooling import lp_pool1d, lp_pool2d, lp_pool3d
    from funcnn.layers.prelu import prelu
    from funcnn.layers.rectifiers import elu, leaky_relu, relu
    from funcnn.layers.reshape import flatten, reshape
    from funcnn.layers.rms_norm import rms_norm
    from funcnn.layers.rrelu import rrelu
    from funcnn.layers.scale import scale
    from funcnn.layers.scaled_dot_product import scaled_dot_product
    from funcnn.layers.shrinkage import hardshrink, softshrink, tanhshrink, threshold
    from funcnn.layers.sigmoids import log_sigmoid, sigmoid, silu, softplus, tanh
    from funcnn.layers.simple_rnn import rnn
    from funcnn.layers.slice_axis import slice_axis
    from funcnn.layers.softmax import log_softmax, softmax
    from funcnn.layers.softmin import softmin
    from funcnn.layers.sparsemax import sparsemax
    from funcnn.layers.spatial_dropout import spatial_dropout
    from funcnn.layers.squeeze import expand_dims, squeeze
    from funcnn.layers.straight_through import straight_through
    from funcnn.layers.tied_embedding import tied_embedding
    from funcnn.layers.transpose import transpose
    from funcnn.layers.transposed_convolution import conv_transpose1d, conv_transpose2d, conv_transpose3d
    from funcnn.layers.unfold import fold, unfold
    from funcnn.layers.upsample import upsample
    from funcnn.losses.absolute_error import mean_absolute_error
    from funcnn.losses.contrastive import contrastive
    from funcnn.losses.cosine_embedding import cosine_embedding
    from funcnn.losses.ctc import CTCTarget, ctc
    from funcnn.losses.focal import sigmoid_focal, softmax_focal
    from funcnn.losses.gaussian import gaussian_nll
    from funcnn.losses.hinge import hinge, squared_hinge
    from funcnn.losses.huber import huber, smooth_l1
    from funcnn.losses.info_nce import info_nce
    from funcnn.losses.kl_divergence import kl_divergence
    from funcnn.losses.log_cosh import log_cosh_error
    from funcnn.losses.loss import Loss, LossForward, define_loss
    from funcnn.losses.margin_ranking import margin_ranking
    from funcnn.losses.multi_margin import multi_margin
    from funcnn.losses.negative_log_likelihood import negative_log_likelihood
    from funcnn.losses.overlap import dice, tversky
    from funcnn.losses.poisson import poisson_nll
    from funcnn.losses.quantile_error import quantile_error
    from funcnn.losses.sigmoid_cross_entropy import sigmoid_cross_entropy
    from funcnn.losses.softmax_cross_entropy import softmax_cross_entropy
    from funcnn.losses.squared_error import half_squared_error, mean_squared_error
    from funcnn.losses.squared_log_error import mean_squared_log_error
    from funcnn.losses.triplet_margin import triplet_margin
    from funcnn.losses.variational import gaussian_kl, negative_elbo
    from funcnn.losses.weighted import Weighted
    from funcnn.masked import Masked
    from funcnn.models.autoencoder import autoencoder
    from funcnn.models.char_rnn import char_rnn
    from funcnn.models.convnet import convnet
    from funcnn.models.generate import generate
    from funcnn.models.gpt import gpt
    from funcnn.models.lenet5 import lenet5
    from funcnn.models.mlp import mlp
    from funcnn.models.resnet import resnet
    from funcnn.models.siamese import siamese
    from funcnn.models.text_classifier import text_classifier
    from funcnn.models.transformer import decoder_block, encoder_block
    from funcnn.models.unet import unet
    from funcnn.models.vae import vae, vae_decoder
    from funcnn.optim import schedules
    from funcnn.optim.accumulation import accumulated, skip_nonfinite
    from funcnn.optim.adafactor import adafactor
    from funcnn.optim.adam import adam, adamw
    from funcnn.optim.adam_variants import adabelief, adamax, amsgrad, nadam, radam, yogi
    from funcnn.optim.adaptive import adadelta, adagrad, rmsprop
    from funcnn.optim.averaging import ema, lookahead, polyak
    from funcnn.optim.clip import clip_adaptive, clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
    from funcnn.optim.decay import weight_decay
    from funcnn.optim.gradients import centralize, gradient_noise
    from funcnn.optim.layerwise import lamb, lars
    from funcnn.optim.lbfgs import lbfgs, minimize
    from funcnn.optim.muon import muon
    from funcnn.optim.optimizer import Optimizer, OptState, Updated
    from funcnn.optim.overwriting import overwriting
    from funcnn.optim.partition import freeze, partition
    from funcnn.optim.plateau import reduce_on_plateau
    from funcnn.optim.schedule_free import schedule_free, schedule_free_adamw
    from funcnn.optim.sgd import momentum, nesterov, sgd
    from funcnn.optim.sharpness import sharpness_aware
    from funcnn.optim.sign import lion, rprop, sign_sgd
    from funcnn.optim.transform import Transformation, Transformed, chain
    from funcnn.optim.where import is_matrix
    from funcnn.penalties import Penalty, l1_penalty, l2_penalty, penalized
    from funcnn.train import metrics, plots
    from funcnn.train.batch_statistics import update_batch_statistics
    from funcnn.train.checkpoint import Checkpoint
    from funcnn.train.divergence import DivergenceError
    from funcnn.train.evaluate import evaluate, predict
    from funcnn.train.files import FileError, load, load_note, save
    from funcnn.train.history import History, Row
    from funcnn.train.loop import fit
    from funcnn.train.record import Epoch, Fit
    from funcnn.train.stopping import EarlyStopping
    from funcnn.train.summary import Summary, summary

__all__ = [
    # core
    "Key",
    "tree",
    "initializers",
    "Layer",
    "Init",
    "Forward",
    "Backward",
    "Mode",
    "Train",
    "Eval",
    "define_layer",
    "backward_without_input",
    "apply",
    "loss_and_grad",
    "compiled",
    "LossAndGrad",
    # layers
    "dense",
    "linear",
    "flatten",
    "reshape",
    "transpose",
    "dropout",
    "spatial_dropout",
    "alpha_dropout",
    "gaussian_noise",
    "gaussian_sample",
    "layer_norm",
    "rms_norm",
    "batch_norm",
    "group_norm",
    "instance_norm",
    "local_response_norm",
    "weight_norm",
    "spectral_norm",
    "identity",
    "bilinear",
    "scale",
    "squeeze",
    "expand_dims",
    "slice_axis",
    "gradient_reversal",
    "straight_through",
    # convolution
    "conv1d",
    "conv2d",
    "conv3d",
    "depthwise_conv1d",
    "depthwise_conv2d",
    "separable_conv1d",
    "separable_conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    # pooling
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "global_avg_pool",
    "global_max_pool",
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "max_pool_with_indices",
    "max_unpool",
    "Pooled",
    "on_values",
    # images
    "pad",
    "crop",
    "upsample",
    "pixel_shuffle",
    "pixel_unshuffle",
    "unfold",
    "fold",
    # sequences
    "Masked",
    "rnn",
    "lstm",
    "gru",
    "last_step",
    "mean_steps",
    "embedding",
    "embedding_bag",
    "tied_embedding",
    "learned_positions",
    "sinusoidal_positions",
    "scaled_dot_product",
    "attention",
    "cross_attention",
    "decoder_block",
    "encoder_block",
    "beside_memory",
    "drop_memory",
    "memory_residual",
    "reverse_time",
    "bidirectional",
    "trained_start",
    "masked_steps",
    "masked_residual",
    "unmask",
    # activations
    "relu",
    "leaky_relu",
    "elu",
    "tanh",
    "sigmoid",
    "softplus",
    "silu",
    "gelu",
    "softmax",
    "log_softmax",
    "softmin",
    "sparsemax",
    "relu6",
    "prelu",
    "rrelu",
    "celu",
    "selu",
    "mish",
    "log_sigmoid",
    "hard_sigmoid",
    "hard_tanh",
    "hard_swish",
    "softsign",
    "squareplus",
    "softshrink",
    "hardshrink",
    "tanhshrink",
    "threshold",
    "exponential",
    "log_cosh",
    "glu",
    "swiglu",
    "geglu",
    "maxout",
    # combinators
    "serial",
    "residual",
    "add",
    "concatenate",
    "branch",
    "parallel",
    "recompute",
    "shard",
    "shared",
    "stop_gradient",
    "frozen",
    "pick_input",
    "join_inputs",
    "add_inputs",
    "multiply_inputs",
    # models
    "mlp",
    "lenet5",
    "resnet",
    "convnet",
    "autoencoder",
    "vae",
    "vae_decoder",
    "char_rnn",
    "unet",
    "siamese",
    "gpt",
    "text_classifier",
    "generate",
    # losses
    "Loss",
    "LossForward",
    "define_loss",
    "Weighted",
    "mean_squared_error",
    "half_squared_error",
    "mean_absolute_error",
    "huber",
    "smooth_l1",
    "softmax_cross_entropy",
    "sigmoid_cross_entropy",
    "log_cosh_error",
    "mean_squared_log_error",
    "quantile_error",
    "poisson_nll",
    "hinge",
    "squared_hinge",
    "margin_ranking",
    "gaussian_nll",
    "gaussian_kl",
    "negative_elbo",
    "negative_log_likelihood",
    "kl_divergence",
    "multi_margin",
    "dice",
    "tversky",
    "sigmoid_focal",
    "softmax_focal",
    "cosine_embedding",
    "contrastive",
    "triplet_margin",
    "info_nce",
    "ctc",
    "CTCTarget",
    "Penalty",
    "l1_penalty",
    "l2_penalty",
    "penalized",
    # optimizers
    "Optimizer",
    "OptState",
    "Updated",
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "rmsprop",
    "adadelta",
    "adam",
    "adamw",
    "amsgrad",
    "adamax",
    "nadam",
    "radam",
    "adabelief",
    "yogi",
    "sign_sgd",
    "lion",
    "lars",
    "lamb",
    "adafactor",
    "muon",
    "schedule_free",
    "schedule_free_adamw",
    "rprop",
    # transformations of gradients
    "Transformation",
    "Transformed",
    "chain",
    "clip_by_value",
    "clip_by_norm",
    "clip_by_global_norm",
    "clip_adaptive",
    "global_norm",
    "weight_decay",
    "gradient_noise",
    "centralize",
    "partition",
    "freeze",
    "ema",
    "polyak",
    "lookahead",
    "overwriting",
    "accumulated",
    "skip_nonfinite",
    "reduce_on_plateau",
    "sharpness_aware",
    "lbfgs",
    "minimize",
    "is_matrix",
    "schedules",
    # training
    "fit",
    "Fit",
    "History",
    "Row",
    "Epoch",
    "EarlyStopping",
    "Checkpoint",
    "DivergenceError",
    "predict",
    "evaluate",
    "update_batch_statistics",
    "metrics",
    "save",
    "load",
    "load_note",
    "FileError",
    "summary",
    "Summary",
    "plots",
    "map_layers",
    "keep_memory",
    # data
    "data",
    # verification
    "check",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, __all__)
