"""Neural networks as pure functions with explicit gradients.

Every public name, in reading order: the core, layers, combinators, losses, optimizers, training, data, verification.
"""

from funcnn import check, data, initializers, tree
from funcnn.combinators.add import add
from funcnn.combinators.branch import branch
from funcnn.combinators.concatenate import concatenate
from funcnn.combinators.parallel import parallel
from funcnn.combinators.recompute import recompute
from funcnn.combinators.residual import residual
from funcnn.combinators.serial import serial
from funcnn.grad import LossAndGrad, apply, loss_and_grad
from funcnn.key import Key
from funcnn.layer import Backward, Eval, Forward, Init, Layer, Mode, Train, backward_without_input, define_layer
from funcnn.layers.activations import relu, tanh
from funcnn.layers.dense import dense
from funcnn.losses.loss import Loss, LossForward, define_loss
from funcnn.optim.adam import adam, adamw
from funcnn.optim.optimizer import Optimizer, OptState, Updated
from funcnn.optim.sgd import momentum, nesterov, sgd

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
    "LossAndGrad",
    # layers
    "dense",
    # activations
    "relu",
    "tanh",
    # combinators
    "serial",
    "residual",
    "add",
    "concatenate",
    "branch",
    "parallel",
    "recompute",
    # losses
    "Loss",
    "LossForward",
    "define_loss",
    # optimizers
    "Optimizer",
    "OptState",
    "Updated",
    "sgd",
    "momentum",
    "nesterov",
    "adam",
    "adamw",
    # data
    "data",
    # verification
    "check",
]
