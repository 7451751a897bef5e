"""The training loop: plain steps of pure functions, to be read, copied and changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from math import isfinite
from typing import TypeVar, cast

import numpy as np

from funcnn.data.batching import batches
from funcnn.data.streams.prefetch import prefetch
from funcnn.data.streams.rows import Rows
from funcnn.grad import LossAndGradFunction
from funcnn.key import Key
from funcnn.layer import Layer, Train
from funcnn.losses.loss import Loss
from funcnn.optim.optimizer import Optimizer, OptState
from funcnn.runtime.allocator import keep_memory
from funcnn.sharding.communicator import Communicator
from funcnn.train.divergence import DivergenceError
from funcnn.train.epoch_row import epoch_row
from funcnn.train.finite import is_finite
from funcnn.train.history import History, Row
from funcnn.train.holdout import Holdout
from funcnn.train.keeping import carry, fitted, last_good
from funcnn.train.passing import Passing
from funcnn.train.plateau_report import complete, report_metric
from funcnn.train.preparation.prepare import Plan, prepare
from funcnn.train.preparation.request import FitRequest
from funcnn.train.progress import reporter
from funcnn.train.record import Callback, Epoch, Fit, Point, Reached, Recorded, Stopped, wanted
from funcnn.train.scores import batch_mass
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
    x: X | Rows,
    y: T,
    *,
    key: Key,
    epochs: int,
    batch_size: int,
    validation: tuple[X | Rows, T] | float | Holdout | None = None,
    metrics: Mapping[str, Callable[[Y, M], float]] | None = None,
    params: P | None = None,
    state: S | None = None,
    opt_state: OptState[P] | None = None,
    history: History | None = None,
    wrap: Callable[[LossAndGradFunction[P, S, X, Y, T]], LossAndGradFunction[P, S, X, Y, T]] | None = None,
    evaluate_at: Callable[[P, OptState[P]], P] | None = None,
    drop_last: bool = False,
    early_stopping: EarlyStopping | None = None,
    callbacks: Sequence[Callback[P, S]] = (),
    progress: bool | None = None,
    resume: str | os.PathLike[str] | None = None,
    communicator: Communicator | None = None,
    record: Sequence[Recorded] = (),
) -> Fit[P, S]:
    """Train a network.

    The same arguments give the same result, bit for bit.  The children of the key are: 0 for ``model.init``, 1 for splitting
    off a validation set, and (2, epoch) for an epoch counted from 0, whose child 0 shuffles the rows and whose child (1, step)
    is the key of the mode :class:`Train` in a step: who writes the loop out with :func:`data.batches`, :func:`loss_and_grad`
    and ``optimizer.update`` gets the same bits, whatever the batch size.  (A network without randomness is not given a key of its
    own in each step.)

    Everything is checked before the first step: a wrong argument costs no work.  And nothing learned is lost: whatever ends
    training later, an error of a metric or a callback, a full disk, an interrupt, carries the result up to there.

    The column ``loss`` of the history is the loss of the epoch's batches together, on the scale of ``val_loss``: batches are
    averaged by what counts in them (weights, weights of classes, labels that are not ignored), or added where the loss is a sum.
    A batch in which nothing counts is left out, and changes nothing.

    Parameters
    ----------
    model : Layer
    loss : Loss
    optimizer : Optimizer
        Learning-rate schedules and clipping are part of it.  Every :func:`reduce_on_plateau` in it is told the loss after
        every epoch (that of the validation set, if there is one), or, if it wants a measure that rises, the first of the metrics.
        Gradients that :func:`accumulated` has left over at the end take a step of their own, after the last row of the history.
    x, y : array or tree of arrays
        Inputs and targets, one example per row.  In the place of x may stand :class:`data.Rows`, such as images in files: a
        thread reads the next batches while one is learned from.
        For sample weights or masks, y is a :class:`Weighted` target; rows whose
        weights are all 0 are left out.
    key : Key
        All randomness comes from it.
    epochs : int
        Passes through the data, at least 1.
    batch_size : int
        Rows of a batch, from 1 to the number of rows.
    validation : (x, y), float or Holdout, optional
        A set to be evaluated after every epoch, or the share in (0, 1) of the rows to hold out for it, chosen at random; a
        :class:`Holdout` keeps the proportions of the classes.
    metrics : dict, optional
        Functions ``(prediction, target) -> float`` by name.  They are computed on the validation set, and on the training set
        from the predictions that the steps of the epoch made anyway (in training mode, while the parameters changed).  With a
        Weighted target they see what has a positive weight, unweighted.
    params, state, opt_state : tree, optional
        Where to begin; by default ``model.init`` gives the parameters, in the precision of the data (that of x, or of y when x
        holds integers, or else float64), and ``optimizer.init`` its state.
    history : History, optional
        That of the run which goes on from ``params``: epochs are counted from its end (``epochs`` is their number in all).  With
        the key of that run the validation share stays what it was, and no order of the rows and no mask comes a second time.
    wrap : callable, optional
        Takes the function of :func:`loss_and_grad` and returns one of the same type, such as :func:`sharpness_aware` or
        :func:`penalized`.  The history shows the loss itself, as for the validation set, without what is added to it.
    evaluate_at : callable, optional
        ``(params, opt_state) -> params``: the parameters to validate with, where they are not those that are trained, such as
        ``optimizer.average`` of :func:`ema`.  ``Fit.params`` are always those that are trained.  In a network with batch norms a
        pass over the training set gives these parameters running statistics of their own, by :func:`update_batch_statistics`
        (with the key (2, epoch, 2)), which ``Fit.state`` does not hold: who uses them calls it again.
    drop_last : bool, optional
        Whether the last batch of an epoch is left out when it is smaller than the others; by default it is used.
    early_stopping : EarlyStopping, optional
        When to stop before all epochs are done, and whether the best parameters are given.
    callbacks : sequence of callable, optional
        Each is called with an :class:`Epoch` at the end of every epoch; training ends when one returns True.  See
        :class:`Checkpoint`, :class:`BestCheckpoint`, :class:`CSVLog` and :class:`TensorBoardLog`; and :class:`OnStep`, for what
        is to be called after every step.
    progress : bool, optional
        A progress bar by tqdm (or, where it is not installed, a line per epoch) on standard error.  By default a bar, if tqdm
        is installed and standard error is a terminal, and otherwise nothing.
    resume : path, optional
        A file of :class:`Checkpoint` to go on from, with all other arguments as they were: the result is that of a run that was
        never interrupted, bit for bit (with the same versions on the same kind of machine).  Only ``epochs``, ``callbacks``,
        ``progress`` and the patience of early stopping may be others; everything else is compared with what the file says: model,
        loss and optimizer with all their settings, the data to the last bit, and functions by their code and by what they are
        bound to when ``fit`` is called.
    communicator : Communicator, optional
        The processes that train together, each calling ``fit`` with the same arguments: :func:`mpi_communicator` gives those of
        ``mpiexec``.  Each computes a part of every batch and of the validation set, as :func:`data_parallel` does; all get the
        same result.  Callbacks run on rank 0 alone, which writes the checkpoints; a run may go on with another number of
        processes.
    record : sequence of {"learning_rate", "gradient_norm"}, optional
        Further columns of the history, behind those of validation: the learning rate of the last step of the epoch (of the first
        rule in the optimizer that has one), and the mean over the steps of the gradient's norm.

    Returns
    -------
    Fit
        ``.params``, ``.state``, ``.opt_state``, ``.history``, and ``.stopped``, the reason why training ended.  After Ctrl-C it
        holds what was learned so far (``stopped == "interrupted"``).  It is also the attribute ``fit`` of every error that ends
        training (``stopped == "error"``, or ``"diverged"``), which keeps its type: ``except MyError as error: error.fit.params``.

    Raises
    ------
    DivergenceError
        When a loss or a parameter is not finite: it names the step and the layer in which NaN or infinity first appeared.  Its
        ``fit`` is the result up to the last step with a finite loss: nothing learned is lost, and the failure cannot be
        overlooked.
    TypeError, ValueError
        Before any work, when an argument is wrong, with what was expected, or is not the same for all processes.
    FileError
        When the file to resume from belongs to another run, with the arguments that differ.
    RankError
        In the processes that wait, when a callback failed on rank 0, or when their parameters are not the same any more.
    OSError
        When a :class:`Checkpoint` cannot be written: before any work.

    Warns
    -----
    UserWarning
        When ``params`` are given with a validation share and no ``history``: the rows that are held out may be others than those
        which these parameters have not seen.

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
    plan, reached = prepare(
        FitRequest(
            model=model, loss=loss, optimizer=optimizer, x=cast(X, x), y=y, key=key, epochs=epochs, batch_size=batch_size,
            validation=cast("tuple[X, T] | float | Holdout | None", validation), metrics={} if metrics is None else metrics,
            params=params, state=state, opt_state=opt_state, history=history, wrap=wrap,
            evaluate_at=evaluate_at, drop_last=drop_last, early_stopping=early_stopping, callbacks=callbacks, progress=progress,
            resume=resume, communicator=communicator, record=record,
        )
    )  # fmt: skip
    keep_memory()
    asked, now = plan.request, reached.point
    before = None  # the point and the batch of the last step with a finite loss
    reader: Generator[object, None, None] | None = None  # what a thread makes
    stopped: Stopped = "finished"
    try:
        with (
            np.errstate(all="ignore"),
            plan.interrupts,
            reporter(asked.progress, asked.epochs, plan.steps, len(reached.history)) as show,
        ):
            for epoch in range(len(reached.history), asked.epochs):
                if plan.is_over(reached):
                    stopped = "early"
                    break
                passing: Passing[Y, T] = Passing() if reached.within is None else reached.within
                done = passing.done
                shuffle, keys = key.child(2).child(epoch).split(2)
                mode = Train(keys)
                stream = batches(shuffle, (plan.source, asked.y), asked.batch_size, drop_last=asked.drop_last)
                if isinstance(asked.x, Rows):
                    stream = reader = prefetch(stream)
                for number, (x_batch, y_batch) in enumerate(show.steps(stream, epoch + 1)):
                    if number < done:
                        continue  # a checkpoint within the epoch has it already
                    mass = batch_mass(loss, y_batch)
                    if not mass > 0:
                        continue  # nothing counts in this batch, such as a batch of ignored labels: it changes nothing
                    batch = x_batch, y_batch, Train(keys.child(number)) if plan.draws else mode
                    result = plan.step(now.params, now.state, *batch)
                    if not isfinite(result.loss):  # NaN and infinity are no errors of NumPy's here: they end training
                        raise plan.diverged(now, batch, before, number, reached)
                    own = result.loss if wrap is None else loss.forward(result.output, y_batch).value
                    passing.numbers.append(number)
                    passing.losses.append(float(own))
                    passing.masses.append(mass)
                    if asked.metrics:
                        passing.outputs.append((result.output, y_batch))
                    if asked.record:
                        plan.note(passing, result.grads, now.opt_state)
                    before = now, batch
                    updated = plan.optimizer.update(now.params, result.grads, now.opt_state)
                    now = Point(updated.params, result.state, updated.state)
                    if plan.listeners and plan.hears(now, before[0].opt_state, passing, result.grads, reached):
                        stopped = "callback"
                        break
                    del result, updated  # the gradients' memory is free for the next step

                if stopped != "finished":
                    break
                row = epoch_row(plan, epoch + 1, now, passing)
                if not is_finite(now.params) or (passing.losses and not all(isfinite(row[name]) for name in plan.loss_columns)):
                    raise plan.diverged(now, None, before, plan.steps - 1, reached)
                reached = advanced(plan, reached, now, row)
                now = reached.point
                show.row(row)
                ended = Epoch(now.params, now.state, now.opt_state, reached.history, reached.best, plan.identity, passing)
                if wanted(asked.callbacks, ended):
                    stopped = "callback"
                    break
    except KeyboardInterrupt:
        stopped = "interrupted"
    except DivergenceError:  # it carries what was learned
        raise
    except BaseException as error:
        point, kept = last_good(now, before, reached, plan.begin)
        carry(error, fitted(point, reached, "error"), kept)
        raise
    finally:
        if reader is not None:
            reader.close()
    if reached.best is None:
        now = complete(optimizer, now)
    point, _ = last_good(now, before, reached, plan.begin)
    return fitted(point, reached, stopped)


def advanced(plan: Plan[P, S, X, Y, T, M], reached: Reached[P, S], now: Point[P, S], row: Row) -> Reached[P, S]:
    """Return where training stands after an epoch with such figures."""
    history = History((*reached.history.rows, row))
    point = report_metric(plan.request.optimizer, now, row)
    rule = plan.request.early_stopping
    if rule is None or not rule.improves(history, reached.peak):
        return Reached(point, history, reached.best, reached.peak)
    return Reached(point, history, point if rule.restore_best else None, row.epoch)
