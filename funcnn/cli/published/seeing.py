"""``python -m funcnn predict FOLDER IMAGE``: a published network of images says what it sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import funcnn as fn
from funcnn.cli.failure import RequestError
from funcnn.cli.published.opening import open_published
from funcnn.cli.published.pictures import Preparation, prepared, read_preparation
from funcnn.cli.tasks.classify import SHOWN, softmax, write_csv
from funcnn.cli.terminal import section, style, table
from funcnn.models.pretrained.folder import labels


def predict(folder: Path, image: Path, output: Path | None) -> None:
    """Print the most probable classes of an image, and write those of all where that is asked for.

    Raises
    ------
    RequestError
        When the folder or the image cannot be read, or the network does not take images.
    """
    how = read_preparation(folder)
    x = prepared(image, how)
    loaded = open_published(folder)

    if not takes_images(loaded.config):
        raise RequestError(f"{folder} is of {loaded.config.get('model_type')}, which does not take images")
    try:
        logits = fn.apply(loaded.model, loaded.params, loaded.state, x.astype(fn.tree.leaves(loaded.params)[0].dtype))
    except (TypeError, ValueError) as error:
        raise RequestError(f"{image}: {error}") from None
    names, shares = labels(loaded), softmax(logits)[0]
    order = np.argsort(-shares, kind="stable")
    section("Image", f"{image}: {told(how)}")
    head, *body = table([["class", "probability"], *[[names[one], f"{shares[one]:.4f}"] for one in order[:SHOWN]]], right=(1,))
    section("Prediction", style(head, "dim"), *body)
    if output is not None:
        write_csv(output, [["class", "probability"], *[[names[one], f"{shares[one]:.6g}"] for one in order]])
        section("Written", str(output))


def takes_images(config: object) -> bool:
    """Tell whether a network takes images."""
    return isinstance(config, dict) and ("architecture" in config or config.get("model_type") == "vit")


def told(how: Preparation) -> str:
    """Return what was done with an image."""
    return f"as {how.height} x {how.width}" if how.height else "in its own size"
