"""What both type checkers must reject: every line marked "rejected:", and no other.  Never run."""

import attrs
import numpy as np

import funcnn as fn
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Mode
from funcnn.layers.linear.dense import DenseParams
from funcnn.typing import Array, Empty, Shape

key = fn.Key(0)
x = np.ones((2, 4))
model = fn.serial(fn.dense(3), fn.relu(), fn.dense(2))
other = fn.serial(fn.dense(3), fn.relu())
start = model.init(key, (4,))
made = model.forward(start.params, start.state, x, fn.Train(key))

fn.fit(model, fn.mean_squared_error(), fn.adam(), x, x, key=0, epochs=1, batch_size=2)  # rejected: a number is no key
fn.fit(model, fn.mean_squared_error(), fn.adam(), x, "y", key=key, epochs=1, batch_size=2)  # rejected: a text is no target
fn.fit(model, fn.mean_squared_error(), fn.adam(), x, x, key=key, epochs=1, batch_size=2, params=())  # rejected: wrong tree
fn.Train()  # rejected: training without a key
model.init(0, (4,))  # rejected: a number is no key
model.forward(start.params, start.state, x, True)  # rejected: a flag is no mode
model.forward(start.state, start.params, x, fn.Eval())  # rejected: parameters and state exchanged
model.backward(start.params, made.state, made.output)  # rejected: the state is not the residuals
model.backward(start.params, start.params, made.output)  # rejected: the parameters are not the residuals
other.forward(start.params, start.state, x, fn.Eval())  # rejected: another network's parameters
start.params[1].weight  # rejected: relu has no weight
start.params[3]  # rejected: there is no fourth layer
start.params[0].weights  # rejected: misspelt
start.params[0].weight = x  # rejected: parameters are frozen
start.params = ()  # rejected: results are frozen
DenseParams(weight=1.0, bias=x)  # rejected: a number is no array
fn.serial(fn.dense(3), fn.relu)  # rejected: a factory that was not called
fn.serial(fn.branch(fn.relu(), fn.tanh()), fn.dense(2))  # rejected: a tuple into dense
fn.branch(fn.relu(), fn.tanh()) >> fn.dense(2)  # rejected: a tuple into dense
fn.attention(2, bias=False)  # rejected: maps without a bias have a factory of their own
fn.attention_without_bias(2).init(key, (5, 4)).params.output.bias  # rejected: there is none
fn.lstm(3, peepholes=True)  # rejected: peepholes have a factory of their own
fn.gru(3, masked=True) >> fn.dense(2)  # rejected: a masked sequence into dense
fn.residual(fn.branch(fn.relu(), fn.tanh()))  # rejected: a residual that changes the type
opt_state = fn.adam(1e-3).init(start.params)
fn.adam(1e-3).update(start.params, made.state, opt_state)  # rejected: a state for gradients
fn.adam(1e-3).update(start.params, start.params, fn.adam(1e-3).init(start.state))  # rejected: another tree's moments
fn.adam(1e-3).learning_rate = 0.1  # rejected: hyper-parameters are frozen
fn.adam("fast")  # rejected: a word is no learning rate
fn.chain(fn.clip_by_value(1.0))  # rejected: nothing takes the step
fn.chain(fn.sgd(0.1), fn.clip_by_value(1.0))  # rejected: the optimizer stands last
fn.chain(fn.sgd(0.1), fn.adam(1e-3))  # rejected: two optimizers
fn.ema(fn.clip_by_value(1.0))  # rejected: a transformation is no optimizer
fn.muon(scale="large")  # rejected: no such scale
attrs.evolve(model, backward=model.forward)  # rejected by mypy, which knows attrs: a forward is no backward


@attrs.frozen(eq=False)
class Kept:
    x: Array


@attrs.frozen(eq=False)
class Other:
    y: Array


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    return Init((), (), in_shape)


def forward(params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, Kept]:
    return Forward(x, state, Kept(x))


def backward(params: Empty, residuals: Other, dy: Array) -> Backward[Empty, Array]:
    return Backward(params, dy)


fn.define_layer("drift", init, forward, backward)  # rejected: forward keeps what backward does not read
