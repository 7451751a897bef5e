"""Rows that are read when they are asked for: everything that takes them gives what it gives for the array of all rows."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from attrs import frozen

import funcnn as fn
from funcnn.typing import Array, IntArray, Shape

X = np.random.default_rng(0).standard_normal((23, 4))
Y = np.arange(23) % 3
KEY = fn.Key(1)


@frozen(eq=False)
class Lazy(fn.data.Rows):
    """An array that can be read as rows alone."""

    array: Array
    wrong: str = ""

    @property
    def shape(self) -> Shape:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[np.floating]:
        return self.array.dtype

    def read(self, rows: IntArray) -> Array:
        assert type(rows) is np.ndarray
        assert rows.dtype.kind == "i"
        assert rows.size == 0 or 0 <= rows.min() <= rows.max() < len(self.array)
        if self.wrong == "error" and 217 in rows:
            raise OSError(5, "the disk is gone")
        read = self.array[rows]
        return read.astype(np.float32) if self.wrong == "dtype" else read[1:] if self.wrong == "shape" else read


class Unread(Lazy):
    """Rows that nobody may read."""

    def read(self, rows: IntArray) -> Array:
        raise AssertionError("a split reads nothing")


def test_batches_of_rows_are_those_of_the_array() -> None:
    for key, size, last in itertools.product((None, KEY), (1, 5, 23), (False, True)):
        lazy = list(fn.data.batches(key, (Lazy(X), Y), size, drop_last=last))
        plain = list(fn.data.batches(key, (X, Y), size, drop_last=last))
        assert len(lazy) == len(plain)
        for one, other in zip(lazy, plain, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
            assert not np.asarray(one[0]).flags.writeable


def test_splits_read_nothing_and_choose_the_rows_of_the_array() -> None:
    lazy, plain = (Unread(X), Y), (X, Y)
    pairs = [
        (fn.data.split(KEY, lazy, 0.3), fn.data.split(KEY, plain, 0.3)),
        (fn.data.stratified_split(KEY, lazy, 0.3, labels=Y), fn.data.stratified_split(KEY, plain, 0.3, labels=Y)),
        *zip(fn.data.k_fold(KEY, lazy, 4), fn.data.k_fold(KEY, plain, 4), strict=True),
    ]
    for one, other in pairs:
        for part, expected in ((one.train, other.train), (one.test, other.test)):
            np.testing.assert_array_equal(part[1], expected[1])
            assert isinstance(part[0], fn.data.Rows)
            assert len(part[0]) == len(expected[0])


def test_a_part_of_a_part_has_the_right_rows() -> None:
    first = fn.data.split(KEY, Lazy(X), 0.3).train
    second = fn.data.split(fn.Key(2), first, 0.5).test
    expected = fn.data.split(fn.Key(2), fn.data.split(KEY, X, 0.3).train, 0.5).test
    np.testing.assert_array_equal(second.all(), expected)
    np.testing.assert_array_equal(fn.data.take(second, np.array([-1, 0])), expected[[-1, 0]])


MODEL = fn.dense(6) >> fn.batch_norm() >> fn.relu() >> fn.dropout(0.3) >> fn.dense(3)
LOSS = fn.softmax_cross_entropy()


@pytest.mark.parametrize("validation", [None, 0.25, "given"])
def test_fit_learns_from_rows_to_the_bits_of_the_array(validation: float | str | None) -> None:
    def train(x: Array | fn.data.Rows, held_out: Array | fn.data.Rows) -> dict[str, Array]:
        result = fn.fit(
            MODEL, LOSS, fn.adam(0.01), x, Y, key=KEY, epochs=3, batch_size=5,
            validation=(held_out, Y) if validation == "given" else validation,  # type: ignore[arg-type]  # "given" is a tuple
            metrics={"accuracy": fn.metrics.accuracy}, evaluate_at=lambda params, state: fn.tree.map(lambda p: p * 1.0, params),
        )  # fmt: skip
        columns = {name: np.array([row[name] for row in result.history.rows]) for name in ("loss", "accuracy")}
        return {**columns, **dict(fn.tree.walk((result.params, result.state)))}

    plain, lazy = train(X, X[::-1]), train(Lazy(X), Lazy(X[::-1]))
    assert plain.keys() == lazy.keys()
    for name in plain:
        np.testing.assert_array_equal(plain[name], lazy[name], err_msg=name)


def test_prediction_and_evaluation_of_rows_are_those_of_the_array() -> None:
    start = MODEL.init(KEY, (4,))
    np.testing.assert_array_equal(
        fn.predict(MODEL, start.params, start.state, Lazy(X), batch_size=7),
        fn.predict(MODEL, start.params, start.state, X, batch_size=7),
    )
    assert fn.evaluate(MODEL, start.params, start.state, Lazy(X), Y, LOSS) == fn.evaluate(
        MODEL, start.params, start.state, X, Y, LOSS
    )


def test_a_run_on_rows_is_resumed_and_other_rows_are_refused(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (23, 4)).astype(np.uint8)

    def train(epochs: int, data: IntArray, **more: object) -> fn.Fit[object, object]:
        return fn.fit(fn.dense(3), LOSS, fn.adam(0.1), fn.data.from_bytes(data), Y, key=KEY, epochs=epochs, batch_size=5, **more)  # type: ignore[arg-type]  # options of several types

    whole = train(4, pixels)
    train(2, pixels, callbacks=[fn.Checkpoint(tmp_path / "half.npz")])
    rest = train(4, pixels, resume=tmp_path / "half.npz")
    for one, other in zip(fn.tree.leaves(whole.params), fn.tree.leaves(rest.params), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.float32
    with pytest.raises(fn.FileError, match="was made with x ="):
        train(4, pixels[::-1], resume=tmp_path / "half.npz")


def test_an_error_of_reading_carries_what_was_learned() -> None:
    before = threading.active_count()
    with pytest.raises(OSError, match="the disk is gone") as caught:
        fn.fit(MODEL, LOSS, fn.adam(0.01), Lazy(np.tile(X, (10, 1)), "error"), np.tile(Y, 10), key=KEY, epochs=3, batch_size=2)
    assert isinstance(caught.value.fit, fn.Fit)  # type: ignore[attr-defined]  # it is given to every error
    assert caught.value.fit.stopped == "error"  # type: ignore[attr-defined]  # it is given to every error
    assert threading.active_count() == before


@pytest.mark.parametrize("wrong", ["dtype", "shape"])
def test_rows_that_read_something_else_are_named(wrong: str) -> None:
    with pytest.raises(TypeError, match=r"Lazy.read gave float.* for 2 rows, expected float64\[2, 4\]"):
        Lazy(X, wrong).take(np.array([0, 1]))


def test_from_bytes_divides_by_255() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(64, 4)
    for dtype in map(np.dtype, ("f", "d", "g")):
        read = fn.data.from_bytes(pixels, dtype=dtype).all()
        np.testing.assert_array_equal(read, np.divide(pixels, 255, dtype=dtype))
        assert read.dtype == dtype
    with pytest.raises(TypeError, match=r"pixels is float64\[2\], expected an array \(n, ...\) of uint8"):
        fn.data.from_bytes(np.zeros(2))  # type: ignore[arg-type]  # the mistake
    with pytest.raises(TypeError, match="dtype is float16"):
        fn.data.from_bytes(pixels, dtype=np.float16)


def test_joined_reads_each_row_from_its_part(tmp_path: Path) -> None:
    np.save(tmp_path / "first.npy", X[:9])
    parts = [np.load(tmp_path / "first.npy", mmap_mode="r"), Lazy(X[9:10]), X[10:]]
    rows = fn.data.joined(parts)
    order = np.random.default_rng(1).permutation(23)
    np.testing.assert_array_equal(rows.take(order), X[order])
    np.testing.assert_array_equal(rows.all(), X)
    with pytest.raises(ValueError, match=r"parts\[1\] is float64\[23, 3\] and parts\[0\] float64\[23, 4\]"):
        fn.data.joined([X, X[:, :3]])
    with pytest.raises(TypeError, match="parts is"):
        fn.data.joined([])


def test_prefetch_keeps_the_order_and_raises_where_the_item_would_be() -> None:
    def failing() -> Iterator[int]:
        yield from range(5)
        raise RuntimeError("no sixth")

    items = fn.data.prefetch(failing(), 3)
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(RuntimeError, match="no sixth"):
        next(items)


def test_prefetch_makes_no_more_than_it_may_and_ends_its_thread() -> None:
    made = []
    seen = threading.Event()

    def counted() -> Iterator[int]:
        for number in itertools.count():
            made.append(number)
            if number == 3:
                seen.set()
            yield number

    before = threading.active_count()
    items = fn.data.prefetch(counted(), 2)
    assert next(items) == 0
    assert seen.wait(10)  # one was taken, two are ready, and one waits for a place
    assert made == [0, 1, 2, 3]
    items.close()
    assert threading.active_count() == before
