"""Cases of recurrent layers, masks and what goes with them."""

from __future__ import annotations

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase
from funcnn.certificate.cases.draws import masked, masked_with_state, normals, small_normals, small_with_state, with_state

SEQUENCES: dict[str, tuple[LayerCase, ...]] = {
    "rnn": (
        LayerCase(lambda: fn.rnn(3), (4, 2)),
        LayerCase(lambda: fn.rnn(1), (17, 2), label="more steps than are derived in one go"),
        LayerCase(lambda: fn.rnn(2, masked=True), (4, 3), inputs=masked, label="masked"),
        LayerCase(lambda: fn.rnn(3, initial=True), ((4, 2), (3,)), inputs=with_state, label="initial"),
        LayerCase(
            lambda: fn.rnn(3, masked=True, initial=True), ((4, 2), (3,)), inputs=masked_with_state, label="masked and initial"
        ),
        LayerCase(lambda: fn.rnn(3, activation="relu"), (4, 2), label="relu"),
        LayerCase(lambda: fn.rnn(3, final=True), (4, 2), label="final"),
    ),
    "conv_lstm": (
        LayerCase(lambda: fn.conv_lstm(1, kernel=2), (2, 2, 2, 1)),
        LayerCase(
            lambda: fn.conv_lstm(1, kernel=(1, 2), initial=True, final=True),
            ((2, 1, 2, 1), ((1, 2, 1), (1, 2, 1))),
            batch=2,
            inputs=with_state,
            label="initial, final",
        ),
    ),
    "projected_lstm": (
        LayerCase(lambda: fn.projected_lstm(3, 2), (3, 2)),
        LayerCase(
            lambda: fn.projected_lstm(2, 1, masked=True, initial=True, final=True),
            ((3, 2), ((1,), (2,))),
            inputs=masked_with_state,
            label="masked, initial, final",
        ),
    ),
    "selective_scan": (
        LayerCase(lambda: fn.selective_scan(2), ((3, 2), (3, 2), (3, 2), (3, 2)), inputs=normals),
        LayerCase(
            lambda: fn.selective_scan(1), ((17, 1), (17, 1), (17, 1), (17, 1)), inputs=normals, label="more steps than are kept"
        ),
    ),
    "rnn_cell": (LayerCase(lambda: fn.rnn_cell(3), ((2,), (3,)), inputs=normals),),
    "lstm_cell": (LayerCase(lambda: fn.lstm_cell(3), ((2,), ((3,), (3,))), inputs=with_state),),
    "gru_cell": (LayerCase(lambda: fn.gru_cell(3), ((2,), (3,)), inputs=small_normals),),
    "lstm": (
        LayerCase(lambda: fn.lstm(3), (4, 2)),
        LayerCase(lambda: fn.lstm(1), (17, 2), label="more steps than are derived in one go"),
        LayerCase(lambda: fn.lstm(2, masked=True), (4, 3), inputs=masked, label="masked"),
        LayerCase(lambda: fn.lstm(3, initial=True), ((4, 2), ((3,), (3,))), inputs=with_state, label="initial"),
        LayerCase(
            lambda: fn.lstm(3, masked=True, initial=True),
            ((4, 2), ((3,), (3,))),
            inputs=masked_with_state,
            label="masked and initial",
        ),
        LayerCase(lambda: fn.lstm(3, final=True), (4, 2), label="final"),
    ),
    "peephole_lstm": (
        LayerCase(lambda: fn.peephole_lstm(3, peephole_init=fn.initializers.uniform(-1, 1)), (4, 2)),
        LayerCase(
            lambda: fn.peephole_lstm(3, masked=True, initial=True, final=True),
            ((4, 2), ((3,), (3,))),
            inputs=masked_with_state,
            label="masked, initial and final",
        ),
    ),
    "gru": (
        LayerCase(lambda: fn.gru(3), (4, 2)),
        LayerCase(lambda: fn.gru(1), (17, 2), label="more steps than are derived in one go"),
        LayerCase(lambda: fn.gru(2, masked=True), (4, 3), inputs=masked, label="masked"),
        LayerCase(lambda: fn.gru(3, initial=True), ((4, 2), (3,)), inputs=with_state, label="initial"),
        LayerCase(
            lambda: fn.gru(3, masked=True, initial=True), ((4, 2), (3,)), inputs=masked_with_state, label="masked and initial"
        ),
        LayerCase(lambda: fn.gru(3, reset_after=False), (4, 2), label="reset before"),
        LayerCase(
            lambda: fn.gru(3, reset_after=False, masked=True, initial=True, final=True),
            ((4, 2), (3,)),
            inputs=masked_with_state,
            label="reset before and all",
        ),
    ),
    "last_step": (
        LayerCase(lambda: fn.last_step(), (4, 2)),
        LayerCase(lambda: fn.last_step(masked=True), (4, 2), inputs=masked, label="masked"),
    ),
    "reverse_time": (
        LayerCase(lambda: fn.reverse_time(fn.gru(3)), (4, 2)),
        LayerCase(lambda: fn.reverse_time(fn.lstm(3, masked=True)), (4, 2), inputs=masked, label="masked"),
        LayerCase(lambda: fn.concatenate(fn.rnn(3), fn.reverse_time(fn.rnn(2))), (4, 2), label="bidirectional"),
        LayerCase(lambda: fn.reverse_time(fn.rnn(3, initial=True)), ((4, 2), (3,)), inputs=with_state, label="initial"),
    ),
    "bidirectional": (
        LayerCase(lambda: fn.bidirectional(fn.gru(3), fn.rnn(2)), (4, 2)),
        LayerCase(
            lambda: fn.bidirectional(fn.rnn(1, masked=True, final=True), fn.lstm(2, masked=True, final=True)),
            (3, 2),
            inputs=masked,
            label="masked and final",
        ),
        LayerCase(
            lambda: fn.bidirectional(fn.gru(2, initial=True), fn.lstm(1, initial=True)),
            ((3, 2), ((2,), ((1,), (1,)))),
            inputs=with_state,
            label="initial",
        ),
    ),
    "recurrent_stack": (
        LayerCase(
            lambda: fn.recurrent_stack(fn.lstm(2, initial=True, final=True), fn.gru(1, initial=True, final=True)),
            ((3, 2), (((2,), (2,)), (1,))),
            inputs=with_state,
        ),
        LayerCase(
            lambda: fn.recurrent_stack(
                fn.rnn(2, masked=True, initial=True, final=True), fn.rnn(1, masked=True, initial=True, final=True)
            ),
            ((3, 1), ((2,), (1,))),
            inputs=masked_with_state,
            label="masked",
        ),
        LayerCase(
            lambda: (
                fn.recurrent_stack(
                    fn.gru(2, initial=True, final=True),
                    fn.beside_memory(fn.dropout(0.3)) >> fn.lstm(1, initial=True, final=True),
                )
                >> fn.drop_memory()
            ),
            ((3, 1), ((2,), ((1,), (1,)))),
            inputs=small_with_state,
            label="dropout between, final states dropped",
        ),
    ),
    "trained_start": (
        LayerCase(lambda: fn.trained_start(fn.gru(2, initial=True), (2,)), (3, 4)),
        LayerCase(
            lambda: fn.trained_start(fn.lstm(2, initial=True, masked=True), ((2,), (2,))), (3, 4), inputs=masked, label="masked"
        ),
    ),
    "masked_steps": (
        LayerCase(lambda: fn.masked_steps(fn.dense(3) >> fn.tanh()), (4, 2), inputs=masked),
        LayerCase(lambda: fn.masked_steps(fn.dense(3)), (4, 2, 5), inputs=masked, label="matrices"),
    ),
    "unmask": (LayerCase(lambda: fn.unmask(), (4, 2), inputs=masked),),
}
