"""A variational autoencoder (Kingma & Welling 2014) learns to draw digits.

    python docs/examples/vae.py --data FOLDER --picture vae.png

The folder holds the four IDX files of MNIST.  Without one the embedded digits, of 8 x 8 pixels, stand in for them.
"""

import argparse
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np

import funcnn as fn


def load(folder: str, key: fn.Key) -> tuple[Any, Any]:
    """Return images (n, pixels) in [0, 1]: to train, and to test."""
    if folder:
        given = fn.data.idx_folder(folder, dtype=np.float32)
        return given.train.x, given.test.x
    held_out = fn.data.stratified_split(key, fn.data.digits(dtype=np.float32), 0.25)
    return held_out.train.x, held_out.test.x


def bound(model: Any, params: Any, state: Any, x: Any, key: fn.Key) -> tuple[float, float]:
    """Return the negative evidence lower bound in nats an image, each code drawn once, and the divergence in it."""
    parts = [slice(i, i + 500) for i in range(0, len(x), 500)]
    both = np.zeros(2)
    for number, rows in enumerate(parts):
        drawn = model.forward(params, state, x[rows], fn.Train(key.child(number))).output
        divergence = fn.gaussian_kl(reduction="sum").forward(drawn[1:], ()).value
        both += fn.negative_elbo(reduction="sum").forward(drawn, x[rows]).value, divergence
    whole, divergence = both / len(x)
    return float(whole), float(divergence)


def sheet(images: Any, columns: int = 8) -> Any:
    """Return images (n, pixels), as many as fill rows, side by side as one."""
    side = int(images.shape[1] ** 0.5)
    return images.reshape(-1, columns, side, side).swapaxes(1, 2).reshape(-1, columns * side)


def write_png(path: str, picture: Any) -> None:
    """Write a picture (rows, columns) of numbers from 0, black, to 1 as a file of grey pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    grey = np.round(255 * picture).astype(np.uint8)
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + row.tobytes() for row in grey), 9)
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b""))


def main(folder: str = "", epochs: int = 20, seed: int = 0, picture: str = "") -> float:
    fn.keep_memory()
    key = fn.Key(seed)
    x, x_test = load(folder, key.child(0))
    hidden: tuple[int, ...]
    if folder:
        hidden, code, batch = (512, 256), 16, 128
    else:
        hidden, code, batch = (128,), 8, 32
    pixels = x.shape[1]
    model: Any = fn.vae(pixels, hidden=hidden, latent_size=code)
    steps = epochs * fn.data.batch_count(len(x), batch, drop_last=True)
    began = time.perf_counter()
    result: Any = fn.fit(
        model,
        fn.negative_elbo(),
        fn.adam(fn.schedules.warmup_cosine(2e-3, max(1, steps // 20), steps)),
        x,
        x,
        key=key.child(1),
        epochs=epochs,
        batch_size=batch,
        drop_last=True,
        progress=False,
    )
    seconds = time.perf_counter() - began
    params, state = result.params, result.state
    whole, divergence = bound(model, params, state, x_test, key.child(2))
    print(f"{fn.tree.size(params):,} parameters, seed {seed}, {epochs} epochs in {seconds:.0f} s")
    print(f"negative bound on {len(x_test):,} test images: {whole:.2f} nats, of which the divergence {divergence:.2f}")
    if picture:
        some = x_test[:64]
        redrawn, _, _ = fn.apply(model, params, state, some)
        decoder: Any = fn.vae_decoder(pixels, hidden=hidden)
        codes = key.child(3).generator().normal(size=(64, code)).astype(np.float32)
        invented = fn.apply(decoder, params[1][0][1], state[1][0][1], codes)
        gap = np.full((8 * int(pixels**0.5), 8), 0.5)
        write_png(picture, np.hstack([sheet(some), gap, sheet(sigmoid(redrawn)), gap, sheet(sigmoid(invented))]))
    return whole


def sigmoid(logits: Any) -> Any:
    return 0.5 + 0.5 * np.tanh(0.5 * logits)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="", metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", default="", metavar="FILE.png")
    given = parser.parse_args()
    main(given.data, given.epochs, given.seed, given.picture)
