"""Data parallelism over ranks: the function of one process, the same bits on all of them, and nothing in silence."""

import re
import signal
from functools import partial
from typing import Any

import numpy as np
import pytest
from attrs import field, frozen

import funcnn as fn
from funcnn.grad import LossAndGradOf
from funcnn.sharding.communicator import SMALL, all_gather_rows, all_gather_texts, all_reduce_sum
from funcnn.sharding.data_parallel import RankMeeting, Ranks, parallel_step
from funcnn.sharding.mpi import launched
from funcnn.train.ranks import CallbacksOfRankZero, Interrupts, RankError, predict_by_ranks
from funcnn.train.record import Epoch
from tests.sharding.ranks import ThreadRank, on_ranks

KEY = fn.Key(5)
ROWS = 11
GENERATOR = KEY.generator()
X = GENERATOR.normal(size=(ROWS, 4))
LABELS = GENERATOR.integers(0, 3, ROWS)
SPARSE = np.where(np.arange(ROWS) < 7, -1, LABELS)  # the first of two ranks, and of three, has nothing that counts
NETWORK: Any = fn.dense(6) >> fn.batch_norm() >> fn.tanh() >> fn.dropout(0.4) >> fn.dense(3)
PAIR: Any = fn.branch(NETWORK, NETWORK)
Case = tuple[Any, Any, Any]

APART: dict[str, Case] = {
    "labels": (NETWORK, fn.softmax_cross_entropy(), LABELS),
    "sum": (NETWORK, fn.softmax_cross_entropy(reduction="sum"), LABELS),
    "class weights": (NETWORK, fn.softmax_cross_entropy(class_weight=(1.0, 2.0, 5.0)), LABELS),
    "ignored": (NETWORK, fn.softmax_cross_entropy(ignore_index=-1), SPARSE),
    "ignored, sum": (NETWORK, fn.softmax_cross_entropy(ignore_index=-1, reduction="sum"), SPARSE),
    "weights": (NETWORK, fn.mean_squared_error(), fn.Weighted(X[:, :3], np.arange(ROWS) % 3)),
    "pairs": (PAIR, fn.contrastive(), (LABELS > 0).astype(float)),
}
WHOLE: dict[str, Case] = APART | {
    "compared": (PAIR, fn.info_nce(), ()),
    "added": (PAIR, fn.combined_loss(fn.softmax_cross_entropy(ignore_index=-1), fn.mean_squared_error()), (SPARSE, X[:, :3])),
}


def started(model: Any) -> Any:
    return model.init(KEY.child(1), (4,))


def step(case: Case, gather_outputs: bool, rank: ThreadRank, rows: int = ROWS) -> Any:
    """Return what a rank gets of one step, in training."""
    model, loss, target = case
    start = started(model)
    function = fn.data_parallel(fn.loss_and_grad(model, loss), rank, gather_outputs=gather_outputs)
    target = fn.tree.map(lambda leaf: leaf[:rows], target)
    return function(start.params, start.state, X[:rows], target, fn.Train(KEY.child(2)))


def expected(case: Case, rows: int = ROWS) -> Any:
    model, loss, target = case
    start = started(model)
    target = fn.tree.map(lambda leaf: leaf[:rows], target)
    return fn.loss_and_grad(model, loss)(start.params, start.state, X[:rows], target, fn.Train(KEY.child(2)))


def assert_near(got: Any, wanted: Any) -> None:
    fn.tree.check_structure(wanted, got, "got")
    for one, other in zip(fn.tree.leaves(got), fn.tree.leaves(wanted), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("name", WHOLE)
def test_the_ranks_together_give_what_one_process_gives(name: str, size: int) -> None:
    wanted, made = expected(WHOLE[name]), on_ranks(partial(step, WHOLE[name], True), size)
    for one in made:
        np.testing.assert_allclose(one.loss, wanted.loss, rtol=1e-12)
        for got, other in ((one.grads, wanted.grads), (one.state, wanted.state), (one.output, wanted.output)):
            assert_near(got, other)
        assert fn.tree.same((one.grads, one.state, one.output), (made[0].grads, made[0].state, made[0].output))


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("name", APART)
def test_losses_by_parts_add_up(name: str, size: int) -> None:
    wanted, made = expected(APART[name]), on_ranks(partial(step, APART[name], False), size)
    for one in made:
        np.testing.assert_allclose(one.loss, wanted.loss, rtol=1e-12)
        assert_near(one.grads, wanted.grads)
        assert_near(one.state, wanted.state)
        assert fn.tree.same(one.grads, made[0].grads)
    rows = [fn.tree.leaves(one.output)[0] for one in made]
    np.testing.assert_allclose(np.concatenate(rows), fn.tree.leaves(wanted.output)[0], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("gather_outputs", [True, False])
@pytest.mark.parametrize("rows", [1, 2])
def test_a_batch_of_fewer_rows_than_ranks_is_computed_by_each(rows: int, gather_outputs: bool) -> None:
    made = on_ranks(partial(step, APART["labels"], gather_outputs, rows=rows), 3)
    assert all(fn.tree.same(one.grads, expected(APART["labels"], rows).grads) for one in made)


def test_what_is_ignored_on_a_rank_is_not_looked_at() -> None:
    """The rows of the first rank have labels that are none, of weight 0."""
    target = fn.Weighted(np.where(np.arange(ROWS) < 7, 99, LABELS), np.arange(ROWS) >= 7)
    case = NETWORK, fn.softmax_cross_entropy(), target
    for one in on_ranks(partial(step, case, False), 2):
        assert_near(one.grads, expected(case).grads)


def test_single_precision_stays_single() -> None:
    case = fn.dense(3), fn.softmax_cross_entropy(), LABELS

    def run(rank: ThreadRank) -> Any:
        start = fn.tree.astype(started(case[0]).params, np.float32)
        function = fn.data_parallel(fn.loss_and_grad(case[0], case[1]), rank, gather_outputs=False)
        return function(start, (), X.astype(np.float32), LABELS, fn.Train(KEY))

    for one in on_ranks(run, 2):
        assert one.loss.dtype == np.float32
        assert {leaf.dtype for leaf in fn.tree.leaves(one.grads)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("gather_outputs", [True, False])
def test_what_is_compiled_gives_the_same_bits(gather_outputs: bool) -> None:
    model = fn.dense(6) >> fn.tanh() >> fn.dense(3)
    start = started(model)

    def run(rank: ThreadRank) -> list[Any]:
        plain = fn.data_parallel(fn.loss_and_grad(model, fn.softmax_cross_entropy()), rank, gather_outputs=gather_outputs)
        return [
            function(start.params, start.state, X, LABELS, fn.Train(KEY)).grads
            for function in (plain, *(fn.compiled(plain),) * 3)
        ]

    for made in on_ranks(run, 2):
        assert all(fn.tree.same(one, made[0]) for one in made)


@pytest.mark.parametrize("name", ["compared", "added"])
def test_losses_that_are_not_those_of_parts_are_refused(name: str) -> None:
    model, loss, _ = WHOLE[name]
    with pytest.raises(ValueError, match=re.escape(f"the loss {loss.name} compares the examples of a batch or adds")):
        on_ranks(lambda rank: fn.data_parallel(fn.loss_and_grad(model, loss), rank, gather_outputs=False), 2)


def test_single_examples_have_no_gradient_in_a_sum_of_losses_that_compares_them() -> None:
    with pytest.raises(ValueError, match="compares the examples"):
        fn.per_example_grads(PAIR, fn.combined_loss(fn.info_nce(), fn.info_nce()))


def test_wrong_arguments() -> None:
    plain = fn.loss_and_grad(NETWORK, fn.softmax_cross_entropy())
    with pytest.raises(TypeError, match=r"function is compiled.*, expected what fn\.loss_and_grad returned"):
        on_ranks(lambda rank: fn.data_parallel(fn.compiled(plain), rank), 1)
    with pytest.raises(TypeError, match="communicator is 3, which has no rank, size, all_gather, all_to_all"):
        fn.data_parallel(plain, 3)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(TypeError, match="gather_outputs"):
        on_ranks(lambda rank: fn.data_parallel(plain, rank, gather_outputs=1), 1)  # type: ignore[arg-type]  # what is tested


# ------------------------------------------------------------------------------------------------------------------- exchanges


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 5, SMALL + 1])
@pytest.mark.parametrize("dtype", [np.float32, np.longdouble, np.complex128, np.int64])
def test_sums_are_taken_in_the_order_of_the_ranks(size: int, count: int, dtype: type) -> None:
    vectors: list[Any] = [(GENERATOR.normal(size=count) * 10.0 ** (3 * rank)).astype(dtype) for rank in range(size)]
    wanted = vectors[0].copy()
    for one in vectors[1:]:
        wanted = wanted + one
    for made in on_ranks(lambda rank: all_reduce_sum(rank, vectors[rank.rank]), size):
        assert made.dtype == wanted.dtype
        np.testing.assert_array_equal(made, wanted)


def test_texts_and_rows_reach_all_ranks() -> None:
    texts = ("", "rank one: \u00e9\u00df", "2" * 1000)
    assert on_ranks(lambda rank: all_gather_texts(rank, texts[rank.rank]), 3) == [texts] * 3
    for made in on_ranks(lambda rank: all_gather_rows(rank, (X[rank.rank :][:2],), (2, 2)), 2):
        np.testing.assert_array_equal(made[0], np.concatenate([X[:2], X[1:3]]))


def test_sums_at_different_places_are_told_apart() -> None:
    with pytest.raises(RuntimeError, match="sum over it at different places"):
        on_ranks(lambda rank: RankMeeting(rank).all_reduce_sum(rank.rank, 1, f"layer {rank.rank}"), 2)


def test_sums_keep_the_kind_of_what_is_summed() -> None:
    values: tuple[Any, ...] = 2, np.float32(1), np.ones(2)
    (made, _) = on_ranks(lambda rank: [RankMeeting(rank).all_reduce_sum(rank.rank, one, "") for one in values], 2)
    assert made[0] == 4
    assert type(made[0]) is int
    assert type(made[1]) is np.float32
    assert not made[2].flags.writeable


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("batch_size", [2, 4, 20])
def test_predictions_of_the_ranks_are_those_of_one(size: int, batch_size: int) -> None:
    start = started(NETWORK)
    wanted = fn.predict(NETWORK, start.params, start.state, X, batch_size=batch_size)
    at = start.params, start.state
    for made in on_ranks(lambda rank: predict_by_ranks(rank, NETWORK, at, X, batch_size), size):
        np.testing.assert_array_equal(made, wanted)


# ------------------------------------------------------------------------------------------------------------------------- fit


def fitted(rank: ThreadRank | None, **options: Any) -> Any:
    options = {"epochs": 3, "batch_size": 4} | options
    return fn.fit(
        NETWORK, fn.softmax_cross_entropy(), fn.momentum(0.05), X, LABELS, key=KEY, communicator=rank, progress=False, **options
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"metrics": {"accuracy": fn.metrics.accuracy}, "validation": 0.3}, {"wrap": lambda step: fn.sharpness_aware(step, 0.1)}],
    ids=["plain", "metrics", "wrap"],
)
def test_fit_gives_the_result_of_one_process(options: dict[str, Any]) -> None:
    alone, ranks = fitted(None, **options), on_ranks(lambda rank: fitted(rank, **options), 2)
    for one in ranks:
        assert fn.tree.same((one.params, one.state), (ranks[0].params, ranks[0].state))
        for got, wanted in zip(fn.tree.leaves((one.params, one.state)), fn.tree.leaves((alone.params, alone.state)), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10)
        for row, wanted in zip(one.history.rows, alone.history.rows, strict=True):
            assert dict(row.values) == pytest.approx(dict(wanted.values), rel=1e-10, abs=1e-12)


@frozen(eq=False)
class Counted(fn.data.Rows):
    """Rows that note which of them were read."""

    values: Any
    seen: list[list[int]] = field(factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.values.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.values.dtype
        return dtype

    def read(self, rows: Any) -> Any:
        self.seen.append(rows.tolist())
        return self.values[rows]


def test_each_rank_reads_its_own_rows() -> None:
    def run(rank: ThreadRank | None, wrap: Any = None) -> tuple[Any, list[list[int]]]:
        rows = Counted(X)
        made = fn.fit(
            NETWORK, fn.softmax_cross_entropy(), fn.momentum(0.05), rows, LABELS, key=KEY, epochs=1, batch_size=4,
            communicator=rank, progress=False, wrap=wrap,
        )  # fmt: skip
        return made, rows.seen[-3:]  # of the epoch; before it, some are tried

    alone, whole = run(None)
    for wrap in (None, lambda step: fn.sharpness_aware(step, 1e-12)):
        ranks = on_ranks(lambda rank, wrap=wrap: run(rank, wrap), 2)  # type: ignore[misc]  # bound at once
        for made, seen in ranks:
            for got, wanted in zip(fn.tree.leaves(made.params), fn.tree.leaves(alone.params), strict=True):
                np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10)
            assert (seen == whole) == (wrap is not None)
        if wrap is None:
            assert [first + second for (_, one), (_, two) in [ranks] for first, second in zip(one, two, strict=True)] == whole


def test_what_diverges_in_the_rows_of_another_rank_is_found_on_each() -> None:
    x = X.copy()
    x[-1, 0] = 1e200  # finite, and its square is not
    model = fn.relu_squared() >> fn.dense(3)

    def run(rank: ThreadRank | None) -> str:
        try:
            fn.fit(
                model, fn.softmax_cross_entropy(), fn.sgd(0.01), Counted(x), LABELS, key=KEY, epochs=1, batch_size=4,
                communicator=rank, progress=False,
            )  # fmt: skip
        except fn.DivergenceError as error:
            return str(error).replace(str(error.fit), "")
        raise AssertionError("it did not diverge")

    assert on_ranks(run, 2) == [run(None)] * 2


def test_callbacks_run_on_rank_0_and_all_ranks_heed_them() -> None:
    seen: list[int] = []

    def stop(epoch: Epoch[Any, Any]) -> bool:
        seen.append(epoch.number)
        return epoch.number == 2

    ranks = on_ranks(lambda rank: fitted(rank, callbacks=[stop]), 2)
    assert seen == [1, 2]
    assert [one.stopped for one in ranks] == ["callback", "callback"]


def test_callbacks_of_steps_run_on_rank_0_and_all_ranks_heed_them() -> None:
    seen: list[tuple[int, int]] = []

    def look(step: fn.Step[Any, Any]) -> bool:
        seen.append((step.epoch, step.number))
        return step.epoch == 2

    ranks = on_ranks(lambda rank: fitted(rank, callbacks=[fn.OnStep(look)]), 2)
    assert seen == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert [one.stopped for one in ranks] == ["callback", "callback"]
    assert fn.tree.same(ranks[0].params, ranks[1].params)
    with pytest.raises(ValueError, match="whether callbacks hear steps is True on rank 0, and False on rank 1"):
        on_ranks(lambda rank: fitted(rank, callbacks=[fn.OnStep(look)] if rank.rank == 0 else []), 2)


def test_a_callback_that_fails_on_rank_0_fails_everywhere() -> None:
    errors: list[BaseException] = []

    def fail(step: fn.Step[Any, Any]) -> None:
        raise OSError("the disk is full")

    def run(rank: ThreadRank) -> None:
        try:
            fitted(rank, callbacks=[fn.OnStep(fail)])
        except (OSError, RankError) as error:
            errors.append(error)

    on_ranks(run, 2)
    told = {type(error): error for error in errors}
    assert set(told) == {OSError, RankError}
    assert "a callback failed on rank 0: OSError: the disk is full" in str(told[RankError])
    assert all(hasattr(error, "fit") for error in errors)


def test_ranks_that_are_given_other_things_are_told_apart() -> None:
    with pytest.raises(ValueError, match=r"not given the same: key is .* on rank 0, and .* on rank 1"):
        on_ranks(
            lambda rank: fn.fit(
                NETWORK, fn.softmax_cross_entropy(), fn.adam(0.05), X, LABELS, key=fn.Key(rank.rank), epochs=1,
                batch_size=4, communicator=rank, progress=False,
            ),
            2,
        )  # fmt: skip
    with pytest.raises(ValueError, match="epochs is 1 on rank 0, and 2 on rank 1"):
        on_ranks(lambda rank: fitted(rank, epochs=1 + rank.rank), 2)
    with pytest.raises(ValueError, match="batch_size is 4 and there are 5 processes"):
        on_ranks(fitted, 5)


def test_ranks_whose_parameters_drift_apart_are_told() -> None:
    made = fitted(None)

    def tell(rank: ThreadRank) -> bool:
        moved = fn.tree.map(lambda leaf: leaf + 1e-15 * rank.rank, made.params)
        epoch: Epoch[Any, Any] = Epoch(moved, made.state, made.opt_state, made.history, None, None)  # type: ignore[arg-type]  # unused
        return CallbacksOfRankZero(rank, Interrupts(), ())(epoch)

    with pytest.raises(RankError, match="after epoch 3 the parameters of rank 1 are not those of rank 0"):
        on_ranks(tell, 2)


def test_an_interrupt_of_one_rank_ends_all_after_the_same_step() -> None:
    plain = LossAndGradOf(NETWORK, fn.softmax_cross_entropy())
    start = started(NETWORK)

    def run(rank: ThreadRank) -> str:
        for gather_outputs in (True, False):
            ranks = Ranks(rank, plain.loss, lambda: rank.rank == 1)
            with pytest.raises(KeyboardInterrupt):
                parallel_step(plain, ranks, gather_outputs)(start.params, start.state, X, LABELS, fn.Train(KEY))
        return "interrupted"

    assert on_ranks(run, 2) == ["interrupted", "interrupted"]


def test_the_launcher_says_how_many_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "I_MPI_COMM_WORLD_SIZE", "PMIX_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert launched() == 1
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "3")
    assert launched() == 1  # a step of Slurm's that is no program of MPI
    monkeypatch.setenv("PMIX_RANK", "0")
    assert launched() == 3
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    assert launched() == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_remembered_and_raised_where_no_sum_came_after_it(number: signal.Signals) -> None:
    """Both the keys and SIGTERM, by which launchers and queues end programs."""
    before = {one: signal.getsignal(one) for one in Interrupts.signals}
    seen = []

    def interrupted(error: Exception | None) -> None:
        with Interrupts() as interrupts:
            seen.append(interrupts.is_asked())
            signal.raise_signal(number)
            seen.append(interrupts.is_asked())
            if error is not None:
                raise error

    with pytest.raises(KeyboardInterrupt):
        interrupted(None)
    with pytest.raises(ValueError, match="another error"):
        interrupted(ValueError("another error"))
    assert seen == [False, True] * 2
    assert {one: signal.getsignal(one) for one in Interrupts.signals} == before
