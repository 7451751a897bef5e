"""Recurrent operators, by the layers: their gates and axes in another order, and one direction after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcnn.deploy.onnx.reading.operators.operator import Made, Operator, Values
from funcnn.deploy.onnx.reading.program import Called
from funcnn.deploy.onnx.translations.recurrent import GRU_ORDER, LSTM_ORDER
from funcnn.layer import Eval
from funcnn.layers.recurrent import gru, lstm, peephole_lstm, simple_rnn
from funcnn.layers.recurrent.gru import GRUParams
from funcnn.layers.recurrent.lstm import LSTMParams
from funcnn.layers.recurrent.peephole_lstm import PeepholeLSTMParams
from funcnn.layers.recurrent.recurrent import SequenceOptions
from funcnn.layers.recurrent.simple_rnn import RNNParams

# Any: arrays of all kinds.


def from_gates(weight: Any, order: tuple[int, ...]) -> Any:
    """Return a weight (gates H, in) as the layer has it, (in, gates H): gate order[k] stands at place k in the file."""
    gates = np.split(weight, len(order), axis=0)
    return np.concatenate([gates[order.index(one)] for one in range(len(order))], axis=0).T.copy()


def to_gates(weight: Any, order: tuple[int, ...]) -> Any:
    """Return the transpose of :func:`from_gates`."""
    gates = np.split(weight.T, len(order), axis=0)
    return np.concatenate([gates[one] for one in order], axis=0)


def halves(bias: Any, size: int) -> tuple[Any, Any]:
    """Return the biases of the input and of the state."""
    return bias[:size], bias[size:]


class Kind:
    """How a node is the layer: its parameters from those of the file, and the cotangents back."""

    def __init__(self, gates: tuple[int, ...], states: int) -> None:
        self.gates, self.states = gates, states

    def bias(self, b: Any) -> Any:
        """Return the bias of the layer, the sum of both."""
        one, other = halves(b, len(b) // 2)
        return from_gates((one + other)[:, np.newaxis], self.gates)[0]

    def bias_back(self, dbias: Any) -> Any:
        """Return the cotangents of both biases."""
        d = to_gates(dbias[np.newaxis], self.gates)[:, 0]
        return np.concatenate([d, d])


def checked(node: Called, activations: tuple[str, ...]) -> None:
    """Raise when a node is in a form that the layer has not."""
    given = node.attributes
    wanted = [*activations] * (2 if given.get("direction", "forward") == "bidirectional" else 1)
    if [one.lower() for one in given.get("activations", wanted)] != [one.lower() for one in wanted]:
        raise node.refuse(f"its activations are {given['activations']}, expected {', '.join(wanted)}")
    if given.get("clip") or given.get("input_forget") or given.get("layout"):
        raise node.refuse("it clips, couples its gates, or has the batch first")


def run(node: Called, inputs: Values, states: int, step: Callable[..., Any]) -> Made:
    """Run each direction; ``step`` gives the layer's forward and backward for the parameters of one."""
    every: list[Any] = [*inputs, *[None] * (8 - len(inputs))]
    x, w, r, b, lengths, *rest = every
    turned = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[
        node.attributes.get("direction", "forward")
    ]
    steps, batch, size = x.shape[0], x.shape[1], r.shape[-1]
    if lengths is not None and (any(turned) or (lengths != steps).any()):
        raise node.refuse("it has sequences of unlike lengths")
    b = np.zeros((len(turned), 2 * w.shape[1]), x.dtype) if b is None else b
    start = [np.zeros((len(turned), batch, size), x.dtype) if one is None else one for one in rest[:states]]
    made = []
    for index, turn in enumerate(turned):
        sequence = np.ascontiguousarray((x[::-1] if turn else x).swapaxes(0, 1))
        begin = tuple([np.ascontiguousarray(one[index]) for one in start])
        peepholes = None if len(rest) < 3 or rest[2] is None or states == 1 else rest[2][index]
        made.append(step(node, (w[index], r[index], b[index], peepholes), (sequence, begin if states > 1 else begin[0])))
    outputs = [one.output[0].swapaxes(0, 1)[:: -1 if turn else 1] for one, turn in zip(made, turned, strict=True)]
    finals = [one.output[1] if states > 1 else (one.output[1],) for one in made]
    y = np.ascontiguousarray(np.stack(outputs, axis=1))
    last = [np.stack([one[index] for one in finals]) for index in range(states)]
    present = [index for index, one in enumerate(inputs) if one is not None]
    return (y, *last), (made, turned, states, len(inputs), present, y.shape, x.dtype)


def run_back(node: Called, kept: Any, dys: Values) -> Values:
    made, turned, states, count, present, shape, dtype = kept
    dy = np.zeros(shape, dtype) if dys[0] is None else dys[0]
    dlast = [*dys[1:], *[None] * (states - len(dys) + 1)]
    parts = []
    for index, turn in enumerate(turned):
        own = dy[:, index]
        dsequence = np.ascontiguousarray((own[::-1] if turn else own).swapaxes(0, 1))
        zeros = np.zeros(shape[2:], dtype)
        dstate = tuple([zeros if one is None else np.ascontiguousarray(one[index]) for one in dlast])
        parts.append(made[index].pull((dsequence, dstate if states > 1 else dstate[0])))
    dx = sum(
        [(part[0].swapaxes(0, 1)[::-1] if turn else part[0].swapaxes(0, 1)) for part, turn in zip(parts, turned, strict=True)]
    )
    every = [[part[1][place] for part in parts] for place in range(4)]
    dw, dr, db, dp = [None if one[0] is None else np.stack(one) for one in every]
    dstart = [np.stack([part[2][index] for part in parts]) for index in range(states)]
    found = [np.ascontiguousarray(dx), dw, dr, db, None, *dstart, *([dp] if states > 1 else [])]
    return [found[index] if index in present and index < len(found) else None for index in range(count)]


class Ran:
    """One direction that was run, with its way back."""

    def __init__(self, output: Any, pull: Callable[[Any], Any]) -> None:
        self.output, self.pull = output, pull


OPTIONS = SequenceOptions(masked=False, initial=True, final=True)


def pulled_by(layer_backward: Callable[[Any], Any], gates: Kind, more: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the way back of a direction: cotangents of the sequence, of the file's parameters, and of the state."""

    def pull(dy: Any) -> Any:
        made = layer_backward(dy)
        dsequence, dstate = made.input
        weights = to_gates(made.params.input_weight, gates.gates), to_gates(made.params.recurrent_weight, gates.gates)
        dbias, dpeepholes = more(made.params)
        return dsequence, (*weights, dbias, dpeepholes), dstate if isinstance(dstate, tuple) else (dstate,)

    return pull


LSTM, GRU, RNN = Kind(LSTM_ORDER, 2), Kind(GRU_ORDER, 1), Kind((0,), 1)


def lstm_step(node: Called, given: Any, x: Any) -> Ran:
    w, r, b, p = given
    weights = from_gates(w, LSTM_ORDER), from_gates(r, LSTM_ORDER), LSTM.bias(b)
    if p is None:
        params = LSTMParams(*weights)
        made = lstm.forward(OPTIONS, params, (), x, Eval())
        return Ran(
            made.output,
            pulled_by(
                lambda dy: lstm.backward(OPTIONS, params, made.residuals, dy), LSTM, lambda d: (LSTM.bias_back(d.bias), None)
            ),
        )
    i, o, f = np.split(p, 3)
    with_peepholes = PeepholeLSTMParams(*weights, np.stack([i, f, o]))
    ran = peephole_lstm.forward(OPTIONS, with_peepholes, (), x, Eval())

    def more(d: Any) -> Any:
        di, df, do = d.peepholes
        return LSTM.bias_back(d.bias), np.concatenate([di, do, df])

    return Ran(ran.output, pulled_by(lambda dy: peephole_lstm.backward(OPTIONS, with_peepholes, ran.residuals, dy), LSTM, more))


def gru_step(node: Called, given: Any, x: Any) -> Ran:
    w, r, b, _ = given
    size, after = r.shape[-1], bool(node.attributes.get("linear_before_reset", 0))
    of_input, of_state = halves(b, len(b) // 2)
    joined = of_input + np.concatenate([of_state[: 2 * size], np.zeros(size, b.dtype)])
    bias = from_gates(joined[:, np.newaxis], GRU_ORDER)[0]
    params = GRUParams(from_gates(w, GRU_ORDER), from_gates(r, GRU_ORDER), bias, of_state[2 * size :].copy())
    made = gru.forward(after, OPTIONS, params, (), x, Eval())

    def more(d: Any) -> Any:
        dbias = to_gates(d.bias[np.newaxis], GRU_ORDER)[:, 0]
        return np.concatenate([dbias, dbias[: 2 * size], d.candidate_bias]), None

    return Ran(made.output, pulled_by(lambda dy: gru.backward(after, OPTIONS, params, made.residuals, dy), GRU, more))


def rnn_step(node: Called, given: Any, x: Any) -> Ran:
    w, r, b, _ = given
    activation = node.attributes.get("activations", ["Tanh"])[0].lower()
    params = RNNParams(w.T.copy(), r.T.copy(), RNN.bias(b))
    made = simple_rnn.forward(activation, OPTIONS, params, (), x, Eval())
    back = pulled_by(
        lambda dy: simple_rnn.backward(activation, OPTIONS, params, made.residuals, dy),
        RNN,
        lambda d: (RNN.bias_back(d.bias), None),
    )
    return Ran(made.output, back)


def lstm_forward(node: Called, inputs: Values) -> Made:
    checked(node, ("Sigmoid", "Tanh", "Tanh"))
    return run(node, inputs, 2, lstm_step)


def gru_forward(node: Called, inputs: Values) -> Made:
    checked(node, ("Sigmoid", "Tanh"))
    return run(node, inputs, 1, gru_step)


def rnn_forward(node: Called, inputs: Values) -> Made:
    kinds = {one.lower() for one in node.attributes.get("activations", ["Tanh"])}
    checked(node, ("Relu",) if kinds == {"relu"} else ("Tanh",))
    return run(node, inputs, 1, rnn_step)


OPERATORS: dict[str, Operator] = {
    "LSTM": Operator(lstm_forward, run_back),
    "GRU": Operator(gru_forward, run_back),
    "RNN": Operator(rnn_forward, run_back),
}
