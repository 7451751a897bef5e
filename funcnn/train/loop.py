"""The training loop: plain steps of pure functions, to be read, copied and changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from time import perf_counter
from typing import TypeVar

import numpy as np

from funcnn.allocator import keep_memory
from funcnn.compile.compiled import compiled_if_often
from funcnn.data.batching import batches
from funcnn.grad import LossAndGradFunction, loss_and_grad
from funcnn.key import Key
from funcnn.layer import Layer, Train
from funcnn.losses.loss import Loss
from funcnn.optim.optimizer import Optimizer, OptState
from funcnn.train.divergence import diverged, is_finite
from funcnn.train.history import History
from funcnn.train.listening import complete, told
from funcnn.train.prepare import prepare
from funcnn.train.progress import reporter
from funcnn.train.record import Callback, Epoch, Fit, Point, Stopped, wanted
from funcnn.train.rows import epoch_row
from funcnn.train.stopping import EarlyStopping

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")
M = TypeVar("M")


def fit(
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    optimizer: Optimizer,
    x: X,
    y: T,
    *,
    key: Key,
    epochs: int,
    batch_size: int,
    validation: tuple[X, T] | float | None = None,
    metrics: Mapping[str, Callable[[Y, M], float]] | None = None,
    params: P | None = None,
    state: S | None = None,
    opt_state: OptState[P] | None = None,
    wrap: Callable[[LossAndGradFunction[P, S, X, Y, T]], LossAndGradFunction[P, S, X, Y, T]] | None = None,
    evaluate_at: Callable[[P, OptState[P]], P] | None = None,
    drop_last: bool = False,
    early_stopping: EarlyStopping | None = None,
    callbacks: Sequence[Callback[P, S]] = (),
    progress: bool | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> Fit[P, S]:
    """Train a network.

    The same arguments give the same result, bit for bit.  The children of the key are: 0 for ``model.init``, 1 for splitting
    off a validation set, and (2, epoch) for an epoch counted from 0, whose child 0 shuffles the rows and whose child (1, step)
    is the key of the mode :class:`Train` in a step: who writes the loop out with :func:`data.batches`, :func:`loss_and_grad`
    and ``optimizer.update`` gets the same bits.  (A network without randomness is not given a key of its own in each step.)

    Everything is checked before the first step: a wrong argument costs no work.

    Parameters
    ----------
    model : Layer
    loss : Loss
    optimizer : Optimizer
        Learning-rate schedules and clipping are part of it.  Every :func:`reduce_on_plateau` in it is told the loss after
        every epoch (that of the validation set, if there is one), or, if it wants a measure that rises, the first of the metrics.
        Gradients that :func:`accumulated` has left over at the end take a step of their own, after the last row of the history.
    x, y : array or tree of arrays
        Inputs and targets, one example per row.  For sample weights or masks, y is a :class:`Weighted` target; rows whose
        weights are all 0 are left out.
    key : Key
        All randomness comes from it.
    epochs : int
        Passes through the data, at least 1.
    batch_size : int
        Rows of a batch, from 1 to the number of rows.
    validation : (x, y) or float, optional
        A set to be evaluated after every epoch, or the share in (0, 1) of the rows to hold out for it, chosen at random.
    metrics : dict, optional
        Functions ``(prediction, target) -> float`` by name.  They are computed on the validation set, and on the training set
        from the predictions that the steps of the epoch made anyway (in training mode, while the parameters changed).  With a
        Weighted target they see what has a positive weight, unweighted.
    params, state, opt_state : tree, optional
        Where to begin; by default ``model.init`` gives the parameters, in the precision of the data (that of x, or of y when x
        holds integers, or else float64), and ``optimizer.init`` its state.
    wrap : callable, optional
        Takes the function of :func:`loss_and_grad` and returns one of the same type, such as :func:`sharpness_aware`.
    evaluate_at : callable, optional
        ``(params, opt_state) -> params``: the parameters to validate with, where they are not those that are trained, such as
        ``optimizer.average`` of :func:`ema`.  ``Fit.params`` are always those that are trained.
    drop_last : bool, optional
        Whether the last batch of an epoch is left out when it is smaller than the others; by default it is used.
    early_stopping : EarlyStopping, optional
        When to stop before all epochs are done, and whether the best parameters are given.
    callbacks : sequence of callable, optional
        Each is called with an :class:`Epoch` at the end of every epoch; training ends when one returns True.  See
        :class:`Checkpoint`.
    progress : bool, optional
        A progress bar by tqdm (or, where it is not installed, a line per epoch) on standard error.  By default a bar, if tqdm
        is installed and standard error is a terminal, and otherwise nothing.
    resume : path, optional
        A file of :class:`Checkpoint` to go on from: the result is that of a run that was never interrupted, bit for bit.

    Returns
    -------
    Fit
        ``.params``, ``.state``, ``.opt_state``, ``.history``, and ``.stopped``, the reason why training ended.  After Ctrl-C it
        holds what was learned so far (``stopped == "interrupted"``).

    Raises
    ------
    DivergenceError
        When a loss or a parameter is not finite: it names the step and the layer in which NaN or infinity first appeared.  Its
        ``fit`` is the result up to the last step with a finite loss: nothing learned is lost, and the failure cannot be
        overlooked.
    TypeError, ValueError
        Before any work, when an argument is wrong, with what was expected.
    FileError
        When the file to resume from belongs to another run.

    See Also
    --------
    evaluate, predict, save

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> y = np.array([[0.0], [1.0], [1.0], [0.0]])
    >>> model = fn.dense(4) >> fn.tanh() >> fn.dense(1)
    >>> result = fn.fit(model, fn.mean_squared_error(), fn.adam(0.1), x, y, key=fn.Key(0), epochs=100, batch_size=4)
    >>> bool(result.history.last["loss"] < 0.001), result.stopped
    (True, 'finished')
    """
    job, (now, history, best, peak) = prepare(
        model, loss, optimizer, x, y, key, epochs, batch_size, validation, metrics, params, state, opt_state, drop_last,
        early_stopping, callbacks, progress, resume, wrap, evaluate_at,
    )  # fmt: skip
    keep_memory()
    step = compiled_if_often(loss_and_grad(model, loss), job.steps * (epochs - len(history)))
    step = step if wrap is None else wrap(step)
    draws = model.random or wrap is not None  # whether somebody may want the key of a step
    before = None  # the point and the batch of the last step with a finite loss
    stopped: Stopped = "finished"
    try:
        with np.errstate(all="ignore"), reporter(progress, epochs, job.steps, len(history)) as show:  # NaN is reported below
            for epoch in range(len(history), epochs):
                if early_stopping is not None and early_stopping.is_over(history, peak):
                    stopped = "early"
                    break
                started, losses, outputs = perf_counter(), [], []
                shuffle, keys = key.child(2).child(epoch).split(2)
                data, mode = (job.x, job.y), Train(keys)
                passing = [data] if batch_size == job.rows else batches(shuffle, data, batch_size, drop_last=drop_last)
                for number, (x_batch, y_batch) in enumerate(show.steps(passing, epoch + 1)):
                    batch = x_batch, y_batch, Train(keys.child(number)) if draws else mode
                    result = step(now.params, now.state, *batch)
                    if not isfinite(result.loss):
                        raise diverged(model, loss, now, batch, before, number, history, best, job.begin)
                    losses.append(float(result.loss))
                    if metrics:
                        outputs.append((result.output, y_batch))
                    before = now, batch
                    updated = optimizer.update(now.params, result.grads, now.opt_state)
                    now = Point(updated.params, result.state, updated.state)
                    del result, updated  # the gradients' memory is free for the next step

                row = epoch_row(job, epoch + 1, now, losses, outputs, evaluate_at, started)
                if not is_finite(now.params) or not all(isfinite(row[name]) for name in job.loss_columns):
                    raise diverged(model, loss, now, job.validation_batch, before, job.steps - 1, history, best, job.begin)
                history, now = History((*history.rows, row)), told(optimizer, now, row)
                if early_stopping is not None and early_stopping.improves(history, peak):
                    peak, best = epoch + 1, now if early_stopping.restore_best else None
                show.row(row)
                if wanted(callbacks, Epoch(now.params, now.state, now.opt_state, history, best, job.setting)):
                    stopped = "callback"
                    break
    except KeyboardInterrupt:
        stopped = "interrupted"
    final = complete(optimizer, now) if best is None else best
    return Fit(final.params, final.state, final.opt_state, history, stopped)
