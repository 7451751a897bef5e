"""Neural networks as pure functions with explicit gradients.

Every public name, in reading order: the core, layers, combinators, losses, optimizers, training, data, verification.
"""

from typing import TYPE_CHECKING

from funcnn.runtime.lazy_imports import attach

__version__ = "0.2.0.dev0"

if TYPE_CHECKING:  # for type checkers and readers; at run time each name is imported at its first use
    from funcnn import check, curvature, data, deploy, initializers, plots, tree
    from funcnn.combinators.add import add
    from funcnn.combinators.around.lora import LoRAParams, lora, merge_lora
    from funcnn.combinators.around.mixture_of_experts import mixture_of_experts, mixture_of_experts_with_routing
    from funcnn.combinators.around.time_distributed import time_distributed
    from funcnn.combinators.around.without_bias import without_bias
    from funcnn.combinators.bidirectional import bidirectional
    from funcnn.combinators.branch import branch
    from funcnn.combinators.concatenate import concatenate
    from funcnn.combinators.frozen import frozen
    from funcnn.combinators.implicit.convergence import ConvergenceError
    from funcnn.combinators.implicit.dormand_prince import dormand_prince
    from funcnn.combinators.implicit.fixed_point import fixed_point
    from funcnn.combinators.implicit.runge_kutta import runge_kutta
    from funcnn.combinators.inputs.average import average_inputs, subtract_inputs
    from funcnn.combinators.inputs.dot import dot_inputs
    from funcnn.combinators.inputs.extreme import maximum_inputs, minimum_inputs
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
    from funcnn.combinators.shared import shared
    from funcnn.combinators.spectral_norm import spectral_norm
    from funcnn.combinators.stacked.ensemble import ensemble
    from funcnn.combinators.stacked.recurrent_stack import recurrent_stack
    from funcnn.combinators.stacked.repeat import repeat
    from funcnn.combinators.stop_gradient import stop_gradient
    from funcnn.combinators.trained_start import trained_start
    from funcnn.combinators.weight_norm import weight_norm
    from funcnn.compile.compiled import compiled
    from funcnn.derivatives.analytic import NotAnalyticError
    from funcnn.derivatives.directional import Estimated, directional_derivatives, estimate_derivatives
    from funcnn.derivatives.divergence import divergence
    from funcnn.derivatives.fisher import fisher_product
    from funcnn.derivatives.ggn import ggn_product
    from funcnn.derivatives.hvp import GradientJVP, gradient_jvp, hvp, input_hvp, mixed_product
    from funcnn.derivatives.input_gradient import input_gradient
    from funcnn.derivatives.jvp import JVP, VJP, Linearized, jvp, linearize, vjp
    from funcnn.derivatives.laplacian import laplacian
    from funcnn.derivatives.matrices import hessian, input_jacobian, jacobian
    from funcnn.derivatives.per_example import ClippedGrads, clipped_grads, per_example_grads, per_example_norms
    from funcnn.derivatives.privacy.accountant import PrivacySpent, privacy_noise, privacy_spent, sampled_gaussian_rdp
    from funcnn.derivatives.privacy.private_grads import PrivateGrads, private_grads
    from funcnn.derivatives.statistics import GradientNoise, GradientStatistics, gradient_noise_scale, gradient_statistics
    from funcnn.files.save import FileError, load, load_note, save
    from funcnn.grad import LossAndGrad, apply, loss_and_grad
    from funcnn.key import Key
    from funcnn.layer import Backward, Eval, Forward, Init, Layer, Mode, Train, backward_without_input, define_layer
    from funcnn.layer.instrument import get_layer, map_layers, replace_layer
    from funcnn.layer.watch import Seen, watch
    from funcnn.layers.activations.algebraic import softsign, squareplus
    from funcnn.layers.activations.clipped import hard_sigmoid, hard_swish, hard_tanh, relu6
    from funcnn.layers.activations.entmax15 import entmax15
    from funcnn.layers.activations.exponential import exponential
    from funcnn.layers.activations.exponential_units import celu, selu
    from funcnn.layers.activations.gated import geglu, glu, reglu, swiglu
    from funcnn.layers.activations.gelu import gelu
    from funcnn.layers.activations.log_cosh import log_cosh
    from funcnn.layers.activations.mish import mish
    from funcnn.layers.activations.periodic import sine, snake
    from funcnn.layers.activations.prelu import prelu
    from funcnn.layers.activations.rectifiers import elu, leaky_relu, relu
    from funcnn.layers.activations.relu_squared import relu_squared
    from funcnn.layers.activations.rrelu import rrelu
    from funcnn.layers.activations.shrinkage import hardshrink, softshrink, tanhshrink, threshold
    from funcnn.layers.activations.sigmoids import log_sigmoid, quick_gelu, sigmoid, silu, softplus, tanh
    from funcnn.layers.activations.softmax import log_softmax, softmax
    from funcnn.layers.activations.softmin import softmin
    from funcnn.layers.activations.sparsemax import sparsemax
    from funcnn.layers.attention.attention import attention, attention_without_bias
    from funcnn.layers.attention.attention_weights import attention_weights
    from funcnn.layers.attention.attention_with_scores import attention_with_mask, attention_with_score_bias
    from funcnn.layers.attention.attention_without_output_bias import attention_without_output_bias
    from funcnn.layers.attention.cross_attention import cross_attention, cross_attention_without_bias
    from funcnn.layers.attention.qk_norm_attention import qk_norm_attention, qk_norm_attention_without_bias
    from funcnn.layers.attention.rotary import Rotary, rotary_positions
    from funcnn.layers.attention.rotary_scaling import LinearScaling, Llama3Scaling, NTKScaling, YarnScaling
    from funcnn.layers.attention.scaled_dot_product import (
        scaled_dot_product,
        scaled_dot_product_with_bias,
        scaled_dot_product_with_mask,
    )
    from funcnn.layers.attention.scores import AttentionScores
    from funcnn.layers.convolution.convolution import conv1d, conv2d, conv3d
    from funcnn.layers.convolution.depthwise import depthwise_conv1d, depthwise_conv2d, separable_conv1d, separable_conv2d
    from funcnn.layers.convolution.patch_embedding import patch_embedding
    from funcnn.layers.convolution.transposed_convolution import conv_transpose1d, conv_transpose2d, conv_transpose3d
    from funcnn.layers.convolution.without_bias import (
        conv1d_without_bias,
        conv2d_without_bias,
        conv3d_without_bias,
        conv_transpose1d_without_bias,
        conv_transpose2d_without_bias,
        conv_transpose3d_without_bias,
        depthwise_conv1d_without_bias,
        depthwise_conv2d_without_bias,
        separable_conv1d_without_bias,
        separable_conv2d_without_bias,
    )
    from funcnn.layers.embedding.bags_from_offsets import bags_from_offsets
    from funcnn.layers.embedding.embedding import embedding
    from funcnn.layers.embedding.embedding_bag import embedding_bag
    from funcnn.layers.embedding.fourier_features import fourier_features
    from funcnn.layers.embedding.positions import learned_positions, sinusoidal_positions
    from funcnn.layers.embedding.tied_cross_entropy import tied_cross_entropy
    from funcnn.layers.embedding.tied_embedding import tied_embedding
    from funcnn.layers.embedding.weighted_embedding_bag import weighted_embedding_bag
    from funcnn.layers.linear.bilinear import bilinear
    from funcnn.layers.linear.dense import dense
    from funcnn.layers.linear.distances import cosine_similarity, pairwise_distance
    from funcnn.layers.linear.einsum_dense import einsum_dense
    from funcnn.layers.linear.film import film, modulate
    from funcnn.layers.linear.graph_convolution import graph_convolution
    from funcnn.layers.linear.linear import linear
    from funcnn.layers.linear.linear_cross_entropy import linear_cross_entropy
    from funcnn.layers.linear.maxout import maxout
    from funcnn.layers.linear.scale import affine, scale
    from funcnn.layers.linear.spline import spline
    from funcnn.layers.noise.alpha_dropout import alpha_dropout
    from funcnn.layers.noise.dropout import dropout
    from funcnn.layers.noise.gaussian_noise import gaussian_noise
    from funcnn.layers.noise.gaussian_sample import gaussian_sample
    from funcnn.layers.noise.gumbel_softmax import gumbel_softmax
    from funcnn.layers.noise.spatial_dropout import spatial_dropout
    from funcnn.layers.noise.stochastic_depth import stochastic_depth
    from funcnn.layers.normalization.batch_norm import batch_norm
    from funcnn.layers.normalization.batch_norm_of_batch import batch_norm_without_statistics
    from funcnn.layers.normalization.group_norm import group_norm
    from funcnn.layers.normalization.instance_norm import instance_norm
    from funcnn.layers.normalization.instance_norm_with_statistics import instance_norm_with_statistics
    from funcnn.layers.normalization.layer_norm import layer_norm
    from funcnn.layers.normalization.local_response_norm import local_response_norm
    from funcnn.layers.normalization.rms_norm import rms_norm
    from funcnn.layers.normalization.unit_norm import unit_norm
    from funcnn.layers.normalization.without_affine import (
        batch_norm_without_affine,
        group_norm_without_affine,
        instance_norm_without_affine,
        layer_norm_without_affine,
        layer_norm_without_shift,
        rms_norm_without_scale,
    )
    from funcnn.layers.pooling.adaptive_max_with_indices import adaptive_max_pool_with_indices
    from funcnn.layers.pooling.adaptive_pooling import adaptive_avg_pool, adaptive_max_pool
    from funcnn.layers.pooling.average_pooling import avg_pool1d, avg_pool2d, avg_pool3d
    from funcnn.layers.pooling.fractional_max_pooling import fractional_max_pool, fractional_max_pool_with_indices
    from funcnn.layers.pooling.global_pooling import global_avg_pool, global_max_pool
    from funcnn.layers.pooling.last_step import last_step
    from funcnn.layers.pooling.max_pooling import max_pool1d, max_pool2d, max_pool3d
    from funcnn.layers.pooling.max_unpooling import Pooled, max_pool_with_indices, max_unpool
    from funcnn.layers.pooling.mean_steps import mean_steps
    from funcnn.layers.pooling.power_pooling import lp_pool1d, lp_pool2d, lp_pool3d
    from funcnn.layers.recurrent.cells import gru_cell, lstm_cell, rnn_cell
    from funcnn.layers.recurrent.conv_lstm import conv_lstm
    from funcnn.layers.recurrent.gru import gru
    from funcnn.layers.recurrent.lstm import lstm
    from funcnn.layers.recurrent.peephole_lstm import peephole_lstm
    from funcnn.layers.recurrent.projected_lstm import projected_lstm
    from funcnn.layers.recurrent.selective_scan import selective_scan
    from funcnn.layers.recurrent.simple_rnn import rnn
    from funcnn.layers.shape.affine_grid import affine_grid
    from funcnn.layers.shape.channel_shuffle import channel_shuffle
    from funcnn.layers.shape.crop import crop
    from funcnn.layers.shape.grid_sample import grid_sample
    from funcnn.layers.shape.identity import identity
    from funcnn.layers.shape.pad import pad
    from funcnn.layers.shape.pixel_shuffle import pixel_shuffle, pixel_unshuffle
    from funcnn.layers.shape.reshape import flatten, reshape
    from funcnn.layers.shape.resize import resize, resize_by
    from funcnn.layers.shape.slice_axis import slice_axis
    from funcnn.layers.shape.squeeze import expand_dims, squeeze
    from funcnn.layers.shape.transpose import transpose
    from funcnn.layers.shape.unfold import fold, unfold
    from funcnn.layers.shape.upsample import upsample
    from funcnn.layers.surrogate.gradient_reversal import gradient_reversal
    from funcnn.layers.surrogate.straight_through import straight_through
    from funcnn.losses.classification.arc_face import arc_face
    from funcnn.losses.classification.cross_entropy import binary_cross_entropy, cross_entropy
    from funcnn.losses.classification.ctc import CTCTarget, ctc
    from funcnn.losses.classification.distillation import distillation
    from funcnn.losses.classification.fenchel_young import entmax15_loss, sparsemax_loss
    from funcnn.losses.classification.focal import sigmoid_focal, softmax_focal
    from funcnn.losses.classification.hinge import hinge, squared_hinge
    from funcnn.losses.classification.hinge_embedding import hinge_embedding
    from funcnn.losses.classification.kl_divergence import kl_divergence
    from funcnn.losses.classification.multi_margin import multi_margin
    from funcnn.losses.classification.multilabel_margin import multilabel_margin
    from funcnn.losses.classification.negative_log_likelihood import negative_log_likelihood
    from funcnn.losses.classification.ordinal import ordinal_cross_entropy
    from funcnn.losses.classification.overlap import dice, tversky
    from funcnn.losses.classification.sigmoid_cross_entropy import sigmoid_cross_entropy
    from funcnn.losses.classification.softmax_cross_entropy import softmax_cross_entropy
    from funcnn.losses.combined import combined_loss
    from funcnn.losses.given_losses import given_losses
    from funcnn.losses.loss import Loss, LossForward, define_loss
    from funcnn.losses.per_example import PerExampleForward, PerExampleLosses, per_example_losses
    from funcnn.losses.regression.absolute_error import mean_absolute_error
    from funcnn.losses.regression.cox import SurvivalTarget, cox_nll
    from funcnn.losses.regression.crps import gaussian_crps
    from funcnn.losses.regression.gaussian import gaussian_nll
    from funcnn.losses.regression.gaussian_mixture import gaussian_mixture_nll
    from funcnn.losses.regression.huber import huber, smooth_l1
    from funcnn.losses.regression.log_cosh import log_cosh_error
    from funcnn.losses.regression.poisson import poisson_nll
    from funcnn.losses.regression.quantile_error import quantile_error
    from funcnn.losses.regression.relative_error import mean_absolute_percentage_error, symmetric_mean_absolute_percentage_error
    from funcnn.losses.regression.squared_error import half_squared_error, mean_squared_error
    from funcnn.losses.regression.squared_log_error import mean_squared_log_error
    from funcnn.losses.regression.student_t import student_t_nll
    from funcnn.losses.regression.tweedie import tweedie_nll
    from funcnn.losses.regression.wasserstein import wasserstein
    from funcnn.losses.routing import load_balancing_loss, router_z_loss
    from funcnn.losses.similarity.barlow_twins import barlow_twins
    from funcnn.losses.similarity.contrastive import contrastive
    from funcnn.losses.similarity.cosine_embedding import cosine_embedding
    from funcnn.losses.similarity.info_nce import info_nce
    from funcnn.losses.similarity.margin_ranking import margin_ranking
    from funcnn.losses.similarity.supervised_contrastive import supervised_contrastive
    from funcnn.losses.similarity.triplet_margin import triplet_margin
    from funcnn.losses.similarity.vicreg import vicreg
    from funcnn.losses.variational import gaussian_kl, negative_elbo
    from funcnn.losses.weighted import Weighted
    from funcnn.masked import Masked
    from funcnn.models import generation, pretrained
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
    from funcnn.models.transformer_without_bias import decoder_block_without_bias, encoder_block_without_bias
    from funcnn.models.unet import unet
    from funcnn.models.vae import vae, vae_decoder
    from funcnn.optim import projections, schedules
    from funcnn.optim.donation import donate_state
    from funcnn.optim.optimizer import Optimizer, OptState, Updated
    from funcnn.optim.penalties import Penalty, l1_penalty, l2_penalty, penalized
    from funcnn.optim.rules.adabelief import adabelief
    from funcnn.optim.rules.adadelta import adadelta
    from funcnn.optim.rules.adafactor import adafactor
    from funcnn.optim.rules.adagrad import adagrad
    from funcnn.optim.rules.adam import adam, adamw
    from funcnn.optim.rules.adamax import adamax
    from funcnn.optim.rules.adan import adan
    from funcnn.optim.rules.adopt import adopt
    from funcnn.optim.rules.amsgrad import amsgrad
    from funcnn.optim.rules.kronecker.shampoo import shampoo
    from funcnn.optim.rules.kronecker.soap import soap
    from funcnn.optim.rules.layerwise import lamb, lars
    from funcnn.optim.rules.lbfgs import lbfgs
    from funcnn.optim.rules.lion import lion
    from funcnn.optim.rules.minimize import minimize
    from funcnn.optim.rules.muon import muon
    from funcnn.optim.rules.nadam import nadam, nadamw
    from funcnn.optim.rules.online.averaged_sgd import averaged_sgd
    from funcnn.optim.rules.online.ftrl import ftrl
    from funcnn.optim.rules.online.optimistic import optimistic_adam, optimistic_sgd
    from funcnn.optim.rules.radam import radam
    from funcnn.optim.rules.rmsprop import rmsprop
    from funcnn.optim.rules.rprop import rprop
    from funcnn.optim.rules.schedule_free import schedule_free, schedule_free_adamw
    from funcnn.optim.rules.sgd import momentum, nesterov, sgd
    from funcnn.optim.rules.sign_sgd import sign_sgd, signum
    from funcnn.optim.rules.whole_tree.dog import dog, dowg
    from funcnn.optim.rules.whole_tree.novograd import novograd
    from funcnn.optim.rules.whole_tree.prodigy import prodigy
    from funcnn.optim.rules.whole_tree.sgld import sgld
    from funcnn.optim.rules.whole_tree.sm3 import sm3
    from funcnn.optim.rules.yogi import yogi
    from funcnn.optim.transformations.accumulation import accumulated
    from funcnn.optim.transformations.averaging import ema, lookahead, polyak
    from funcnn.optim.transformations.clip import clip_adaptive, clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
    from funcnn.optim.transformations.decay import weight_decay
    from funcnn.optim.transformations.gradients import centralize, gradient_noise
    from funcnn.optim.transformations.partition import freeze, partition
    from funcnn.optim.transformations.plateau import reduce_on_plateau
    from funcnn.optim.transformations.projected import projected
    from funcnn.optim.transformations.sharpness import sharpness_aware
    from funcnn.optim.transformations.skipping import clip_by_block_rms, skip_large_updates, skip_nonfinite, zero_nans
    from funcnn.optim.transformations.transform import Transformation, Transformed, chain
    from funcnn.optim.where import is_matrix
    from funcnn.runtime.allocator import keep_memory
    from funcnn.sharding.communicator import Communicator
    from funcnn.sharding.data_parallel import data_parallel
    from funcnn.sharding.mpi import mpi_communicator
    from funcnn.sharding.shard import shard
    from funcnn.train import metrics
    from funcnn.train.batch_statistics import update_batch_statistics
    from funcnn.train.callbacks.best_checkpoint import BestCheckpoint
    from funcnn.train.callbacks.csv_log import CSVLog
    from funcnn.train.callbacks.tensorboard_log import TensorBoardLog
    from funcnn.train.checkpoint import Checkpoint
    from funcnn.train.divergence import DivergenceError
    from funcnn.train.evaluate import evaluate, predict
    from funcnn.train.find_learning_rate import LearningRateCurve, find_learning_rate
    from funcnn.train.history import History, Row
    from funcnn.train.holdout import Holdout
    from funcnn.train.importance import PermutationImportance, permutation_importance
    from funcnn.train.loop import fit
    from funcnn.train.ranks import RankError
    from funcnn.train.record import Epoch, Fit, OnStep, Step
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
    "linear_cross_entropy",
    "einsum_dense",
    "flatten",
    "reshape",
    "transpose",
    "dropout",
    "spatial_dropout",
    "stochastic_depth",
    "alpha_dropout",
    "gaussian_noise",
    "gaussian_sample",
    "gumbel_softmax",
    "layer_norm",
    "layer_norm_without_affine",
    "layer_norm_without_shift",
    "rms_norm",
    "rms_norm_without_scale",
    "batch_norm",
    "batch_norm_without_statistics",
    "batch_norm_without_affine",
    "group_norm",
    "group_norm_without_affine",
    "instance_norm",
    "instance_norm_with_statistics",
    "unit_norm",
    "instance_norm_without_affine",
    "local_response_norm",
    "weight_norm",
    "spectral_norm",
    "identity",
    "bilinear",
    "affine",
    "film",
    "modulate",
    "graph_convolution",
    "cosine_similarity",
    "pairwise_distance",
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
    "conv1d_without_bias",
    "conv2d_without_bias",
    "conv3d_without_bias",
    "depthwise_conv1d",
    "depthwise_conv2d",
    "depthwise_conv1d_without_bias",
    "depthwise_conv2d_without_bias",
    "separable_conv1d",
    "separable_conv2d",
    "patch_embedding",
    "separable_conv1d_without_bias",
    "separable_conv2d_without_bias",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "conv_transpose1d_without_bias",
    "conv_transpose2d_without_bias",
    "conv_transpose3d_without_bias",
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
    "adaptive_max_pool_with_indices",
    "fractional_max_pool",
    "fractional_max_pool_with_indices",
    "max_pool_with_indices",
    "max_unpool",
    "Pooled",
    "on_values",
    # images
    "pad",
    "crop",
    "upsample",
    "resize",
    "resize_by",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_shuffle",
    "unfold",
    "fold",
    "grid_sample",
    "affine_grid",
    # sequences
    "Masked",
    "rnn",
    "lstm",
    "peephole_lstm",
    "projected_lstm",
    "conv_lstm",
    "gru",
    "rnn_cell",
    "lstm_cell",
    "gru_cell",
    "selective_scan",
    "last_step",
    "mean_steps",
    "embedding",
    "embedding_bag",
    "weighted_embedding_bag",
    "bags_from_offsets",
    "tied_cross_entropy",
    "tied_embedding",
    "learned_positions",
    "sinusoidal_positions",
    "fourier_features",
    "Rotary",
    "rotary_positions",
    "LinearScaling",
    "Llama3Scaling",
    "NTKScaling",
    "YarnScaling",
    "scaled_dot_product",
    "scaled_dot_product_with_bias",
    "scaled_dot_product_with_mask",
    "attention",
    "attention_with_mask",
    "attention_with_score_bias",
    "attention_without_bias",
    "attention_without_output_bias",
    "qk_norm_attention",
    "qk_norm_attention_without_bias",
    "AttentionScores",
    "attention_weights",
    "cross_attention",
    "cross_attention_without_bias",
    "decoder_block",
    "decoder_block_without_bias",
    "encoder_block",
    "encoder_block_without_bias",
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
    "relu_squared",
    "leaky_relu",
    "elu",
    "tanh",
    "sine",
    "snake",
    "sigmoid",
    "softplus",
    "silu",
    "quick_gelu",
    "gelu",
    "softmax",
    "log_softmax",
    "softmin",
    "sparsemax",
    "entmax15",
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
    "reglu",
    "maxout",
    "spline",
    # combinators
    "serial",
    "residual",
    "add",
    "concatenate",
    "branch",
    "parallel",
    "recompute",
    "recurrent_stack",
    "shard",
    "shared",
    "stop_gradient",
    "frozen",
    "pick_input",
    "join_inputs",
    "add_inputs",
    "multiply_inputs",
    "subtract_inputs",
    "average_inputs",
    "maximum_inputs",
    "minimum_inputs",
    "dot_inputs",
    "ensemble",
    "repeat",
    "time_distributed",
    "lora",
    "without_bias",
    "mixture_of_experts",
    "mixture_of_experts_with_routing",
    "LoRAParams",
    "merge_lora",
    "fixed_point",
    "runge_kutta",
    "dormand_prince",
    "ConvergenceError",
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
    "generation",
    "pretrained",
    # losses
    "Loss",
    "LossForward",
    "define_loss",
    "per_example_losses",
    "PerExampleLosses",
    "PerExampleForward",
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
    "tweedie_nll",
    "student_t_nll",
    "gaussian_crps",
    "combined_loss",
    "given_losses",
    "mean_absolute_percentage_error",
    "symmetric_mean_absolute_percentage_error",
    "wasserstein",
    "cross_entropy",
    "binary_cross_entropy",
    "distillation",
    "ordinal_cross_entropy",
    "multilabel_margin",
    "arc_face",
    "sparsemax_loss",
    "entmax15_loss",
    "hinge",
    "squared_hinge",
    "hinge_embedding",
    "margin_ranking",
    "gaussian_nll",
    "gaussian_mixture_nll",
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
    "supervised_contrastive",
    "barlow_twins",
    "load_balancing_loss",
    "router_z_loss",
    "vicreg",
    "cox_nll",
    "SurvivalTarget",
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
    "adopt",
    "adan",
    "nadamw",
    "optimistic_sgd",
    "optimistic_adam",
    "ftrl",
    "signum",
    "novograd",
    "dog",
    "dowg",
    "prodigy",
    "sm3",
    "shampoo",
    "soap",
    "averaged_sgd",
    "sgld",
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
    "donate_state",
    "accumulated",
    "skip_nonfinite",
    "skip_large_updates",
    "zero_nans",
    "clip_by_block_rms",
    "projected",
    "reduce_on_plateau",
    "sharpness_aware",
    "lbfgs",
    "minimize",
    "is_matrix",
    "schedules",
    "projections",
    # derivatives
    "jvp",
    "JVP",
    "vjp",
    "VJP",
    "linearize",
    "Linearized",
    "hvp",
    "input_hvp",
    "mixed_product",
    "gradient_jvp",
    "GradientJVP",
    "ggn_product",
    "fisher_product",
    "jacobian",
    "input_jacobian",
    "hessian",
    "per_example_grads",
    "per_example_norms",
    "gradient_statistics",
    "GradientStatistics",
    "gradient_noise_scale",
    "GradientNoise",
    "private_grads",
    "PrivateGrads",
    "sampled_gaussian_rdp",
    "privacy_spent",
    "PrivacySpent",
    "privacy_noise",
    "clipped_grads",
    "ClippedGrads",
    "NotAnalyticError",
    "directional_derivatives",
    "estimate_derivatives",
    "Estimated",
    "input_gradient",
    "divergence",
    "laplacian",
    # curvature
    "curvature",
    "deploy",
    # training
    "fit",
    "Fit",
    "data_parallel",
    "mpi_communicator",
    "Communicator",
    "RankError",
    "History",
    "Row",
    "Epoch",
    "OnStep",
    "Step",
    "BestCheckpoint",
    "CSVLog",
    "TensorBoardLog",
    "Holdout",
    "find_learning_rate",
    "LearningRateCurve",
    "EarlyStopping",
    "Checkpoint",
    "DivergenceError",
    "predict",
    "evaluate",
    "update_batch_statistics",
    "PermutationImportance",
    "permutation_importance",
    "metrics",
    "save",
    "load",
    "load_note",
    "FileError",
    "summary",
    "Summary",
    "plots",
    "map_layers",
    "get_layer",
    "replace_layer",
    "watch",
    "Seen",
    "keep_memory",
    # data
    "data",
    # verification
    "check",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, __all__)
