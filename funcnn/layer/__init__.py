"""What a layer is: a record of pure functions, and how layers compose.

::

    init(key, in_shape)                  -> Init(params, state, out_shape)
    forward(params, state, x, mode)      -> Forward(output, state, residuals)
    backward(params, residuals, doutput) -> Backward(params, input)

``forward`` computes; ``backward`` is the transpose of its derivative at the same point: it takes the cotangent of the output
and gives the cotangents of the parameters and of the input.  What forward keeps for backward are *residuals*: a small frozen
class that each layer declares.  Their type is checked where a layer is made (:func:`define_layer`) and hidden afterwards
(:class:`Residuals`).
"""

from funcnn.layer.chain_rule import CHAINS, params_only, refuse_cotangent, refuse_parts
from funcnn.layer.define import define_layer
from funcnn.layer.layer import AnyLayer, Chain, Layer, chain, chain_parts, check_layer, comparable
from funcnn.layer.modes import Eval, Mode, Train, keeps_residuals, refuse_mode
from funcnn.layer.results import Backward, Forward, Init, Residuals, backward_without_input
from funcnn.layer.shapes import check_init, checked_shape

__all__ = [
    "CHAINS",
    "AnyLayer",
    "Backward",
    "Chain",
    "Eval",
    "Forward",
    "Init",
    "Layer",
    "Mode",
    "Residuals",
    "Train",
    "backward_without_input",
    "chain",
    "chain_parts",
    "check_init",
    "check_layer",
    "checked_shape",
    "comparable",
    "define_layer",
    "keeps_residuals",
    "params_only",
    "refuse_cotangent",
    "refuse_mode",
    "refuse_parts",
]
