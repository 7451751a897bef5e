"""Neural networks as pure functions with explicit gradients."""

from funcnn import initializers as initializers, tree as tree
from funcnn.combinators.serial import serial as serial
from funcnn.grad import apply as apply, loss_and_grad as loss_and_grad
from funcnn.key import Key as Key
from funcnn.layer import (
    Backward as Backward,
    Eval as Eval,
    Forward as Forward,
    Init as Init,
    Layer as Layer,
    Train as Train,
    define_layer as define_layer,
)
from funcnn.layers.activations import relu as relu, tanh as tanh
from funcnn.layers.dense import dense as dense
