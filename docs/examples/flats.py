"""From a CSV file to predictions: the rents of flats, told from columns of numbers, dates and texts with gaps in them."""

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np

import funcnn as fn


def write_flats(path: Path, rows: int, key: fn.Key) -> None:
    """Write a table of flats; what they cost depends on area, city and age, and the first not in proportion."""
    draw = key.generator()
    area, rooms, city = draw.gamma(6, 12, rows), draw.integers(1, 6, rows), draw.integers(0, 4, rows)
    built = np.datetime64("1950-01-01") + draw.integers(0, 27_000, rows)
    age = (np.datetime64("2024-01-01") - built).astype(int) / 365.25
    rent = 60 * area**0.6 * np.array([1.0, 1.3, 0.8, 1.6])[city] * (1 + 0.3 * np.exp(-age / 10)) + draw.normal(0, 40, rows)
    names = np.array(["Ulm", "Köln", "Gera", "München"])[city]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["rent", "area", "rooms", "city", "built"])
        for row in range(rows):
            known = draw.random(3) > 0.05  # one field in twenty is empty
            values = [f"{area[row]:.1f}", names[row], str(built[row])]
            given = [value if there else "" for value, there in zip(values, known, strict=True)]
            writer.writerow([f"{rent[row]:.0f}", given[0], rooms[row], *given[1:]])


def main(rows: int = 2000, seed: int = 0, picture: str | None = None) -> tuple[float, float]:
    """Train on three quarters of the flats; return the errors of the network and of the mean rent on the others."""
    key = fn.Key(seed)
    with tempfile.TemporaryDirectory() as folder:
        write_flats(Path(folder, "flats.csv"), rows, key.child(0))
        table = fn.data.read_table(Path(folder, "flats.csv"))
    print(table)
    parts = fn.data.split(key.child(1), table)

    fitted = fn.data.fit_table(parts.train, "rent")
    print(fitted, *fitted.features, sep="\n    ")
    train = fitted.dataset(parts.train)
    model = fn.dense(64) >> fn.relu() >> fn.dense(32) >> fn.relu() >> fn.dense(1)
    learned = fn.fit(
        model, fn.mean_squared_error(), fn.adam(3e-3), train.x, np.asarray(train.y, float), key=key.child(2), epochs=300,
        batch_size=64, validation=0.15, early_stopping=fn.EarlyStopping(30),
    )  # fmt: skip

    said = np.asarray(fitted.decode(fn.predict(model, learned.params, learned.state, fitted.transform(parts.test))), float)
    true = np.asarray(fitted.decode(fitted.targets(parts.test)), float)
    mean = np.asarray(fitted.decode(train.y), float).mean()
    error, baseline = (float(np.sqrt(np.mean((one - true) ** 2))) for one in (said, mean))
    print(f"rents of {len(true)} flats are off by {error:.0f} (root mean square), the mean rent by {baseline:.0f}")
    if picture is not None:
        draw(true, said, picture)
    return error, baseline


def draw(true: np.ndarray, said: np.ndarray, path: str) -> None:
    """Draw the predicted rents against the true ones."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.subplots()
    ends = [true.min(), true.max()]
    axes.plot(ends, ends, color="#888888", linewidth=1)
    axes.scatter(true, said, s=9, color="#3b6fb6", alpha=0.6, linewidths=0)
    axes.set(xlabel="rent", ylabel="predicted rent")
    with rc_context({"svg.hashsalt": "funcnn", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", help="where to draw the predicted rents against the true ones")
    options = parser.parse_args()
    main(options.rows, options.seed, options.picture)
