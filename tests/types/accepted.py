"""What both type checkers must accept, with exactly these types.  Never run: only read by the type checkers."""

from typing import assert_type

import numpy as np
from attrs import evolve

import funcnn as fn
from funcnn.layer import Chain, Layer, Residuals
from funcnn.layers.attention.attention import AttentionParams
from funcnn.layers.attention.cross_attention import CrossAttentionParams
from funcnn.layers.embedding.embedding import EmbeddingParams
from funcnn.layers.embedding.tied_embedding import TiedEmbeddingParams
from funcnn.layers.linear.dense import DenseParams
from funcnn.layers.linear.linear import LinearParams
from funcnn.layers.recurrent.gru import GRUParams
from funcnn.layers.recurrent.lstm import LSTMParams
from funcnn.layers.recurrent.peephole_lstm import PeepholeLSTMParams
from funcnn.layers.recurrent.simple_rnn import RNNParams
from funcnn.models.gpt import Body
from funcnn.models.transformer import STATELESS, PreNormDecoder
from funcnn.typing import Array, Empty, Scalar

key = fn.Key(0)
x = np.ones((2, 4))

# serial keeps the exact type of the parameter tree
model = fn.serial(fn.dense(3), fn.relu(), fn.dense(2))
Params = tuple[DenseParams, Empty, DenseParams]
State = tuple[Empty, Empty, Empty]
assert_type(model, Layer[Params, State, Array, Array])
start = model.init(key, (4,))
assert_type(start.params, Params)
assert_type(start.params[0].weight, Array)

# so does >>, to any depth, and it does not flatten what serial made
piped = fn.dense(3) >> fn.relu() >> fn.dense(2)
assert_type(piped, Chain[Params, State, Array, Array])
longer = piped >> fn.tanh() >> model
assert_type(longer.init(key, (4,)).params, tuple[DenseParams, Empty, DenseParams, Empty, Params])

# twelve unlike layers keep their types, and any number of like ones
twelve = fn.serial(
    fn.dense(3), fn.relu(), fn.dense(3), fn.relu(), fn.dense(3), fn.relu(),
    fn.dense(3), fn.relu(), fn.dense(3), fn.relu(), fn.dense(3), fn.relu(),
)  # fmt: skip
assert_type(twelve.init(key, (4,)).params[10], DenseParams)
blocks = fn.serial(*[fn.dense(3) for _ in range(20)])
assert_type(blocks.init(key, (4,)).params, tuple[DenseParams, ...])

# the other combinators
assert_type(fn.residual(piped), Layer[Params, State, Array, Array])
assert_type(fn.recompute(model), Layer[Params, State, Array, Array])
assert_type(fn.add(fn.dense(3), fn.relu()).init(key, (3,)).params, tuple[DenseParams, Empty])
assert_type(fn.concatenate(fn.relu(), fn.dense(3)).init(key, (3,)).params, tuple[Empty, DenseParams])
assert_type(fn.branch(fn.dense(3), fn.relu()), Layer[tuple[DenseParams, Empty], tuple[Empty, Empty], Array, tuple[Array, Array]])
assert_type(
    fn.parallel(fn.dense(3), fn.relu()),
    Layer[tuple[DenseParams, Empty], tuple[Empty, Empty], tuple[Array, Array], tuple[Array, Array]],
)

# forward, backward, and the products built on them
made = model.forward(start.params, start.state, x, fn.Train(key))
assert_type(made.output, Array)
assert_type(made.state, State)
assert_type(made.residuals, Residuals)
pulled = model.backward(start.params, made.residuals, made.output)
assert_type(pulled.params, Params)
assert_type(pulled.input, Array)
assert_type(fn.apply(model, start.params, start.state, x), Array)

step = fn.loss_and_grad(model, fn.mean_squared_error())
result = step(start.params, start.state, x, np.ones((2, 2)), fn.Train(key))
assert_type(result.loss, Scalar)
assert_type(result.grads, Params)
assert_type(result.grads[2].bias, Array)
assert_type(result.state, State)
assert_type(result.output, Array)

# optimizers and trees keep it
adam = fn.adam(1e-3)
opt_state = adam.init(start.params)
assert_type(opt_state, fn.OptState[Params])
updated = adam.update(start.params, result.grads, opt_state)
assert_type(updated.params, Params)
assert_type(updated.state, fn.OptState[Params])
assert_type(adam.slot("mean", start.params, opt_state), Params)
chained = fn.chain(fn.clip_by_global_norm(1.0), fn.weight_decay(1e-4), fn.nesterov(fn.schedules.cosine(0.1, 100)))
assert_type(chained.update(start.params, result.grads, chained.init(start.params)).params, Params)
mixed = fn.chain(fn.clip_by_value(1.0), fn.partition((fn.is_matrix, fn.muon()), rest=fn.lookahead(fn.adam(lambda count: 0.1))))
assert_type(mixed.init(start.params), fn.OptState[Params])
averaged = fn.ema(mixed, 0.99)
assert_type(averaged.average(start.params, averaged.init(start.params)), Params)
sharp = fn.sharpness_aware(step)(start.params, start.state, x, np.ones((2, 2)), fn.Eval())
assert_type(sharp.grads, Params)
found = fn.minimize(lambda params: step(params, start.state, x, np.ones((2, 2)), fn.Eval()), start.params)
assert_type(found.params, Params)
assert_type(fn.tree.map(np.negative, start.params), Params)
assert_type(fn.tree.ravel(start.params).unravel(np.ones(3)), Params)
assert_type(fn.tree.astype(start.params, np.float32), Params)
assert_type(fn.tree.leaves(start.params), tuple[Array, ...])
assert_type(fn.tree.paths(start.params), tuple[str, ...])

# training keeps it
labels = np.zeros(2, int)
fitted = fn.fit(
    model,
    fn.softmax_cross_entropy(),
    fn.adam(1e-3),
    x,
    fn.Weighted(labels, np.ones(2)),
    key=key,
    epochs=1,
    batch_size=2,
    metrics={"accuracy": fn.metrics.accuracy, "f1": fn.metrics.f1},
    params=start.params,
    state=start.state,
    callbacks=[fn.Checkpoint("run.npz"), lambda epoch: epoch.number > 3],
    evaluate_at=averaged.average,
    wrap=lambda function: fn.sharpness_aware(function, 0.1),
)
assert_type(fitted, fn.Fit[Params, State])
assert_type(fitted.opt_state, fn.OptState[Params])
assert_type(fn.predict(model, fitted.params, fitted.state, x), Array)
assert_type(fn.load("params.npz", like=fitted.params), Params)
assert_type(fn.load("params.npz"), dict[str, Array])

# replacing a gradient
frozen_gradient = evolve(model, backward=model.backward)
assert_type(frozen_gradient, Layer[Params, State, Array, Array])

# recurrent layers: flags say what goes in and out, and leave the parameters' type alone
State2 = tuple[Array, Array]
assert_type(fn.lstm(3), Layer[LSTMParams, Empty, Array, Array])
assert_type(fn.lstm(3, masked=True, final=True), Layer[LSTMParams, Empty, fn.Masked, tuple[fn.Masked, State2]])
assert_type(
    fn.peephole_lstm(3, initial=True, peephole_init=fn.initializers.zeros),
    Layer[PeepholeLSTMParams, Empty, tuple[Array, State2], Array],
)
assert_type(fn.gru(3, masked=True, initial=True), Layer[GRUParams, Empty, tuple[fn.Masked, Array], fn.Masked])
assert_type(fn.rnn(3, final=True), Layer[RNNParams, Empty, Array, tuple[Array, Array]])

# attention and Transformers
tokens = fn.embedding(9, 4) >> fn.attention(2, causal=True)
assert_type(tokens.init(key, (5,)).params, tuple[EmbeddingParams, AttentionParams[DenseParams, DenseParams]])
hidden = fn.embedding(9, 4, padding_index=0, masked=True) >> fn.attention(2, masked=True) >> fn.mean_steps(masked=True)
assert_type(fn.apply(hidden, hidden.init(key, (5,)).params, hidden.init(key, (5,)).state, np.zeros((1, 5), int)), Array)
assert_type(fn.gpt(9).init(key, (5,)).params, TiedEmbeddingParams[Body])
assert_type(fn.gpt(9).init(key, (5,)).params.inner[2][0][0][1], AttentionParams[DenseParams, DenseParams])
plain = fn.attention_without_bias(2, masked=True)
assert_type(plain, Layer[AttentionParams[LinearParams, LinearParams], Empty, fn.Masked, fn.Masked])
across = fn.cross_attention_without_bias(2, memory_masked=True)
assert_type(across, Layer[CrossAttentionParams[LinearParams], Empty, tuple[Array, fn.Masked], Array])
decoder = fn.decoder_block(4, 2, memory_masked=True)
assert_type(decoder, Layer[PreNormDecoder, STATELESS, tuple[Array, fn.Masked], tuple[Array, fn.Masked]])
