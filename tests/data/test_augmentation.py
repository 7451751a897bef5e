"""Augmentation: keyed pure functions on batches, against what can be said of their results without them."""

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import funcnn as fn
from funcnn.data.augmentation.cropping import cut
from funcnn.data.augmentation.warping import warped
from funcnn.typing import Array

KEY = fn.Key(3)
CHANGES = {
    "flip": fn.data.random_flip(),
    "flip-height": fn.data.random_flip(0.7, axis=-3),
    "crop": fn.data.random_crop((4, 3)),
    "crop-padded": fn.data.random_crop(5, padding=2, border="reflect"),
    "shift": fn.data.random_shift(0.4, border="edge"),
    "rotation": fn.data.random_rotation(40.0),
    "zoom": fn.data.random_zoom(beyond="border"),
    "noise": fn.data.random_noise(3.0),
    "light": fn.data.random_light(0.3, 0.5),
    "erasing": fn.data.random_erasing(0.8, value=7.0),
    "chain": fn.data.random_flip() >> fn.data.random_rotation() >> fn.data.random_crop(4) >> fn.data.random_noise(1.0),
}


def images(n: int = 12, height: int = 6, width: int = 5, channels: int = 2) -> Array:
    made: Array = np.random.default_rng(0).uniform(0, 255, (n, height, width, channels))
    return made


@pytest.mark.parametrize("name", CHANGES)
def test_equal_keys_give_equal_changes_and_others_do_not(name: str) -> None:
    change = CHANGES[name]
    x = images()
    kept = x.copy()
    first = change(KEY, x)
    np.testing.assert_array_equal(first, change(KEY, x))
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(change))(KEY, x), first)
    assert not np.array_equal(first, change(fn.Key(4), x))
    assert change == pickle.loads(pickle.dumps(change))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("name", CHANGES)
def test_a_batch_keeps_its_dtype_and_its_values(name: str, dtype: type) -> None:
    x: Array = images().round().astype(dtype)
    changed = CHANGES[name](KEY, x)
    assert changed.dtype == dtype
    exact = CHANGES[name](KEY, x.astype(np.float64)).clip(0, 255) if dtype is np.uint8 else CHANGES[name](KEY, images().round())
    assert np.abs(changed.astype(float) - exact).max() <= (1 if dtype is np.uint8 else 1e-3)


def rows_of(x: Array) -> set[bytes]:
    return {one.tobytes() for one in x}


@pytest.mark.parametrize("axis", [-2, -3])
def test_images_are_mirrored_or_left(axis: int) -> None:
    x = images(200)
    changed = fn.data.random_flip(0.25, axis=axis)(KEY, x)
    mirrored = np.array([not np.array_equal(new, old) for new, old in zip(changed, x, strict=True)])
    np.testing.assert_array_equal(changed[mirrored], np.flip(x, axis)[mirrored])
    assert 30 <= mirrored.sum() <= 70  # of a mean of 50, with a deviation of 6.1
    np.testing.assert_array_equal(fn.data.random_flip(0.0)(KEY, x), x)
    np.testing.assert_array_equal(fn.data.random_flip(1.0)(KEY, x), x[:, :, ::-1])


def test_each_crop_is_a_window_and_every_window_comes() -> None:
    x = images(1)
    many = fn.data.random_crop((4, 3), padding=1)(KEY, np.repeat(x, 600, 0))
    wide = np.pad(x[0], ((1, 1), (1, 1), (0, 0)))
    windows = {wide[top : top + 4, left : left + 3].tobytes() for top in range(5) for left in range(5)}
    assert rows_of(many) == windows


def test_each_shift_moves_by_whole_points_in_both_directions() -> None:
    x = images(1, 10, 5)
    many = fn.data.random_shift(0.2)(KEY, np.repeat(x, 300, 0))
    expected = set()
    for down in (-2, -1, 0, 1, 2):
        for right in (-1, 0, 1):
            moved = np.zeros_like(x[0])
            for row in range(10):
                for column in range(5):
                    if 0 <= row - down < 10 and 0 <= column - right < 5:
                        moved[row, column] = x[0, row - down, column - right]
            expected.add(moved.tobytes())
    assert rows_of(many) == expected


def test_a_shift_of_a_share_is_of_all_its_points() -> None:
    """In floating point 0.29 times 100 is less than 29."""
    line = np.arange(1.0, 101.0).reshape(1, 1, 100, 1)
    moved = fn.data.random_shift(0.29)(KEY, np.repeat(line, 2000, 0))
    assert moved[:, 0, 0, 0].max() == 30
    assert moved[:, 0, -1, 0].min() in (0, 71)
    assert {int(row) for row in moved[:, 0, 50, 0]} == set(range(22, 81))


def test_a_shift_by_less_than_a_point_is_refused() -> None:
    with pytest.raises(ValueError, match=r"share is 0.1, less than one point of images of 8 x 8: .* at least 0.12"):
        fn.data.random_shift(0.1)(KEY, np.ones((2, 8, 8, 1)))
    assert fn.data.random_shift(0.1)(KEY, np.ones((2, 8, 10, 1))).shape == (2, 8, 10, 1)


def test_cut_reads_the_right_points() -> None:
    x = images(3)
    got = cut(x, np.array([0, 1, 2]), np.array([2, 0, 1]), (4, 3))
    np.testing.assert_array_equal(got, np.stack([x[0, 0:4, 2:5], x[1, 1:5, 0:3], x[2, 2:6, 1:4]]))


def test_a_quarter_turn_of_a_square_is_exact() -> None:
    x = images(4, 6, 6)
    for quarter in range(4):
        turned = warped(x, np.full(4, quarter * np.pi / 2), np.ones(4), "zeros")
        np.testing.assert_allclose(turned, np.rot90(x, -quarter, (1, 2)), rtol=0, atol=1e-11)


def slow_warp(image: Array, angle: float, zoom: float) -> Array:
    """Read one image at each place by itself, linearly, with 0 beyond its borders."""
    height, width, channels = image.shape
    made = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            v, u = row - (height - 1) / 2, column - (width - 1) / 2
            at_u = (np.cos(angle) * u + np.sin(angle) * v) / zoom + (width - 1) / 2
            at_v = (-np.sin(angle) * u + np.cos(angle) * v) / zoom + (height - 1) / 2
            for r in range(height):
                for c in range(width):
                    weight = max(0.0, 1 - abs(r - at_v)) * max(0.0, 1 - abs(c - at_u))
                    for channel in range(channels):
                        made[row, column, channel] += weight * image[r, c, channel]
    return made


def test_warping_equals_a_slow_loop_for_images_that_are_no_squares() -> None:
    x = images(3, 7, 4, 1)
    angle, zoom = np.array([0.3, -1.1, 0.0]), np.array([1.0, 0.7, 1.9])
    expected = np.stack([slow_warp(*one) for one in zip(x, angle, zoom, strict=True)])
    np.testing.assert_allclose(warped(x, angle, zoom, "zeros"), expected, rtol=0, atol=1e-11)


def test_noise_has_its_deviation() -> None:
    x = np.zeros((10, 50, 50, 4))
    noise = fn.data.random_noise(0.3)(KEY, x)
    assert abs(noise.std() - 0.3) < 0.3 * 5 / np.sqrt(2 * x.size)
    assert abs(noise.mean()) < 0.3 * 5 / np.sqrt(x.size)


def test_light_is_one_line_for_each_image() -> None:
    x = images(30)
    changed = fn.data.random_light(0.2, 0.4)(KEY, x)
    for old, new in zip(x, changed, strict=True):
        slope, offset = np.polyfit(old.ravel(), new.ravel(), 1)
        np.testing.assert_allclose(new, slope * old + offset, rtol=0, atol=1e-10)
        assert 0.8 <= new.mean() / old.mean() <= 1.2
        assert 0.8 * 0.6 <= slope <= 1.2 * 1.4


def test_what_is_erased_is_one_rectangle_of_the_asked_size() -> None:
    x = np.ones((300, 30, 20, 2))
    changed = fn.data.random_erasing(0.5, low=0.1, high=0.2, value=-1.0)(KEY, x)
    shares = []
    for one in changed:
        gone = (one == -1).all(-1)
        assert np.array_equal(gone, (one == -1).any(-1))
        rows, columns = gone.any(1), gone.any(0)
        assert gone.sum() == rows.sum() * columns.sum()
        shares.append(gone.mean())
    erased = [share for share in shares if share]
    assert 115 <= len(erased) <= 185
    assert 0.08 < min(erased) < max(erased) < 0.23


def test_erased_rectangles_have_all_shapes_and_places() -> None:
    """Heights over widths between 0.3 and 1 / 0.3, and first and last rows and columns alike."""
    gone = fn.data.random_erasing(1.0, low=0.05, high=0.1)(KEY, np.ones((500, 60, 60, 1)))[..., 0] == 0
    tall, wide = gone.any(2).sum(1), gone.any(1).sum(1)
    ratios = tall / wide
    assert 0.27 < ratios.min() < 0.35  # rounded to points
    assert 1 / 0.35 < ratios.max() < 1 / 0.27
    points = fn.data.random_erasing(1.0, low=0.2, high=0.25)(KEY, np.ones((200, 2, 2, 1)))[..., 0]
    assert set((points == 0).sum((1, 2)).tolist()) == {1, 2}  # points, none of them cut off
    assert ((points == 0).sum(0) > 20).all()


def test_mixup_mixes_targets_as_it_mixes_inputs() -> None:
    x = np.eye(7)
    mixed, y = fn.data.mixup(1.0, classes=7)(KEY, x, np.arange(7))
    np.testing.assert_array_equal(mixed, y)  # the inputs are the classes themselves
    np.testing.assert_allclose(y.sum(1), 1.0, rtol=0, atol=1e-15)
    assert ((y > 0).sum(1) <= 2).all()
    assert ((y > 0).sum(1) == 2).sum() >= 4
    pairs = fn.data.mixup(1.0)(KEY, x, x @ np.arange(7.0)[:, None])
    np.testing.assert_allclose(pairs[1][:, 0], pairs[0] @ np.arange(7.0), rtol=0, atol=1e-14)


def test_cutmix_mixes_targets_by_the_area_that_is_left() -> None:
    x = np.zeros((40, 9, 7, 1)) + np.arange(40.0).reshape(-1, 1, 1, 1)
    mixed, y = fn.data.cutmix(1.0, classes=40)(KEY, x, np.arange(40))
    for row, (one, chances) in enumerate(zip(mixed[..., 0], y, strict=True)):
        there, count = np.unique(one, return_counts=True)
        shares = np.zeros(40)
        shares[there.astype(int)] = count / one.size
        np.testing.assert_allclose(chances, shares, rtol=0, atol=1e-15)
        foreign = one != row
        assert foreign.sum() == foreign.any(1).sum() * foreign.any(0).sum()
    assert (mixed != x).any()


def test_cutmix_takes_rectangles_of_the_area_that_the_share_leaves() -> None:
    r"""Against the integral: a side $s$ about a uniform point keeps $s - s^2/4$ within; $s^2 = 1 - \lambda$ is uniform."""
    x = np.zeros((3000, 48, 64, 1), np.float32)
    x[1500:] = 1
    mixed, y = fn.data.cutmix(1.0, classes=2)(KEY, x, np.repeat([0, 1], 1500))
    foreign = (mixed != x).mean()  # of the rows whose partner is of the other half
    uniform = np.linspace(0, 1, 10_001)
    side = np.sqrt(uniform)
    expected = np.trapezoid((side - side**2 / 4) ** 2, uniform) / 2
    assert foreign == pytest.approx(expected, rel=0.0, abs=0.02)  # of 3000 draws
    np.testing.assert_allclose(y[:, 1], mixed.mean((1, 2, 3)), rtol=0, atol=1e-6)  # float32


def test_training_changes_batches_by_the_key_of_each_step_and_evaluation_none() -> None:
    model, loss = fn.flatten() >> fn.dense(2), fn.softmax_cross_entropy()
    x, y = images(8) / 255, np.arange(8) % 2
    start = model.init(fn.Key(0), x.shape[1:])
    plain = fn.loss_and_grad(model, loss)
    change = fn.data.random_flip() >> fn.data.random_noise(0.1)
    step = fn.data.augmented(change, plain)
    mode = fn.Train(fn.Key(5))
    seen = change(fn.Key(5).child(2**32), x)
    assert float(step(start.params, start.state, x, y, mode).loss) == float(plain(start.params, start.state, seen, y, mode).loss)
    calm = step(start.params, start.state, x, y, fn.Eval())
    assert float(calm.loss) == float(plain(start.params, start.state, x, y, fn.Eval()).loss)


def test_fit_learns_with_mixtures_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    data = fn.data.digits()
    x, y = data.x.reshape(-1, 8, 8, 1)[:300], data.y[:300]
    model = fn.flatten() >> fn.dense(10)

    train = partial(
        fn.fit, model, fn.softmax_cross_entropy(), fn.adam(0.01), x, np.eye(10)[y], key=fn.Key(0), batch_size=50,
        wrap=partial(fn.data.augmented, fn.data.cutmix()),
    )  # fmt: skip
    whole = train(epochs=4)
    train(epochs=2, callbacks=[fn.Checkpoint(tmp_path / "half.npz")])
    rest = train(epochs=4, resume=tmp_path / "half.npz")
    for one, other in zip(fn.tree.leaves(whole.params), fn.tree.leaves(rest.params), strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole.history.last["loss"] < whole.history.rows[0]["loss"]


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "not-images": (lambda: fn.data.random_flip()(KEY, np.zeros((3, 4))), r"x has shape \(3, 4\), expected images"),
    "integers": (lambda: fn.data.random_flip()(KEY, np.zeros((1, 2, 2, 1), int)), r"x is int64\[1, 2, 2, 1\]"),
    "no-key": (lambda: fn.data.random_flip()(0, images()), "key is 0, expected a key"),  # type: ignore[arg-type]  # the mistake
    "probability": (lambda: fn.data.random_flip(1.5), "probability is 1.5"),
    "axis": (lambda: fn.data.random_flip(axis=1), "axis is 1, expected -2"),
    "window": (lambda: fn.data.random_crop(9)(KEY, images()), "images are 6 x 5 .* too small for windows of 9 x 9"),
    "border": (lambda: fn.data.random_crop(2, border="wrap"), "border is 'wrap'"),  # type: ignore[arg-type]  # the mistake
    "share": (lambda: fn.data.random_shift(1.0), "share is 1.0"),
    "degrees": (lambda: fn.data.random_rotation(0.0), "degrees is 0.0"),
    "zoom": (lambda: fn.data.random_zoom(2.0, 1.0), "high is 1.0"),
    "value": (lambda: fn.data.random_erasing(1.0, value=0.5)(KEY, np.zeros((1, 4, 4, 1), np.uint8)), "value is 0.5 .* of bytes"),
    "labels": (lambda: fn.data.mixup()(KEY, np.eye(3), np.arange(3)), "labels cannot be mixed"),
    "label": (lambda: fn.data.mixup(classes=2)(KEY, np.eye(3), np.arange(3)), "y holds the label 2"),
    "bytes": (lambda: fn.data.cutmix()(KEY, np.zeros((1, 4, 4, 1), np.uint8), np.zeros(1)), "divide bytes by 255"),
    "lengths": (lambda: fn.data.mixup()(KEY, np.eye(3), np.zeros(2)), "a target for each example"),
    "change": (lambda: fn.data.augmented(abs, abs), "change is"),  # type: ignore[arg-type]  # the mistake
}


LEAST = float(np.nextafter(0, 1))
ENDS: dict[str, tuple[Callable[[float], object], tuple[float, ...], tuple[float, ...]]] = {
    "flip": (fn.data.random_flip, (0.0, 1.0), (-LEAST, 1.01)),
    "erasing": (fn.data.random_erasing, (0.0, 1.0), (-LEAST, 1.01)),
    "erasing low": (lambda value: fn.data.random_erasing(low=value, high=1.0), (LEAST, 1.0), (0.0, 1.01)),
    "erasing high": (lambda value: fn.data.random_erasing(low=0.5, high=value), (0.5, 1.0), (0.49, 1.01)),
    "erasing value": (lambda value: fn.data.random_erasing(value=value), (-1e308, 1e308), (-np.inf, np.inf)),
    "noise": (fn.data.random_noise, (LEAST, 1e308), (0.0, np.inf)),
    "brightness": (lambda value: fn.data.random_light(value, 0.0), (0.0, 1.0), (-LEAST, 1.01)),
    "contrast": (lambda value: fn.data.random_light(0.0, value), (0.0, 1.0), (-LEAST, 1.01)),
    "shift": (fn.data.random_shift, (LEAST, 0.99), (0.0, 1.0)),
    "rotation": (fn.data.random_rotation, (LEAST, 180.0), (0.0, 180.1)),
    "zoom low": (lambda value: fn.data.random_zoom(value, 2.0), (LEAST, 2.0), (0.0, np.inf)),
    "zoom high": (lambda value: fn.data.random_zoom(0.5, value), (0.5, 1e308), (0.49, np.inf)),
    "mixup": (fn.data.mixup, (LEAST, 1e308), (0.0, np.inf)),
    "cutmix": (fn.data.cutmix, (LEAST, 1e308), (0.0, np.inf)),
}
"""What makes a change of a number, numbers at the ends that are taken, and those that are not."""


@pytest.mark.parametrize("name", ENDS)
def test_numbers_are_taken_up_to_their_ends(name: str) -> None:
    make, taken, refused = ENDS[name]
    for value in taken:
        make(value)
    for value in refused:
        with pytest.raises(ValueError, match=r"expected a number in|the interval"):
            make(value)


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_is_refused_by_name(name: str) -> None:
    call, message = WRONG[name]
    with pytest.raises((TypeError, ValueError), match=message):
        call()
