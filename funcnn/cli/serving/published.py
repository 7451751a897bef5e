"""Published weights behind a port: they write, or say what they see."""

from __future__ import annotations

import base64
import binascii
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.cli.failure import RequestError
from funcnn.cli.published.opening import open_published
from funcnn.cli.published.pictures import Preparation, prepared, read_preparation
from funcnn.cli.published.seeing import takes_images
from funcnn.cli.published.writing import VOCABULARY, continued, open_writer
from funcnn.cli.serving.run_folder import command, described, listed, sampling_of, told_by
from funcnn.cli.tasks.classify import softmax
from funcnn.deploy.server.limits import HTTPError, Limits
from funcnn.deploy.server.serving import Service
from funcnn.deploy.server.strict_json import check_names, told
from funcnn.models.pretrained.folder import labels


@frozen(eq=False)
class Seer:
    """A published network of images, with what it does to an image first."""

    loaded: fn.pretrained.Pretrained
    preparation: Preparation
    names: tuple[str, ...]


def service(path: Path, limits: Limits) -> Service:
    """Return what can be asked of published weights; raises a RequestError when their folder cannot be read."""
    example: dict[str, object]
    if (path / VOCABULARY).is_file():
        writer = open_writer(path)
        loaded, where = writer.loaded, "/sample"
        example = {"prompt": "Once upon a time", "count": 50}
        action = partial(write, partial(continued, writer), limits)
    else:
        preparation, loaded = read_preparation(path), open_published(path)
        if not takes_images(loaded.config):
            raise RequestError(f"{path} is of {loaded.config.get('model_type')}: what is served writes, or takes images")
        where, example = "/predict", dict[str, object](image="...")
        action = partial(see, Seer(loaded, preparation, tuple(labels(loaded))))
    description: dict[str, object] = {
        "model": loaded.model.name,
        "parameters": fn.tree.size(loaded.params),
        "requests": {where: example},
        "limits": described(limits),
        "example": command(where, example),
        "funcnn": fn.__version__,
    }
    return Service(description, {where: action})


def write(sample: partial[str], limits: Limits, given: dict[str, object]) -> dict[str, object]:
    """Answer with a text that goes on with a prompt."""
    return {"text": told_by(sample, sampling_of(limits, given))}


def see(seer: Seer, given: dict[str, object]) -> dict[str, object]:
    """Answer what an image shows: the bytes of its file, in base 64."""
    check_names(given, ("image",))
    text = given["image"]
    if not isinstance(text, str):
        raise HTTPError(422, f"image is {told(text)}, expected the bytes of an image file in base 64")
    try:
        image = prepared(BytesIO(base64.b64decode(text, validate=True)), seer.preparation)
    except binascii.Error as error:
        raise HTTPError(422, f"image is not in base 64: {error}") from None
    except RequestError as error:
        raise HTTPError(422, str(error)) from None
    loaded = seer.loaded
    try:
        logits = fn.apply(loaded.model, loaded.params, loaded.state, image.astype(fn.tree.leaves(loaded.params)[0].dtype))
    except ValueError as error:
        raise HTTPError(422, str(error)) from None
    shares = softmax(logits)
    order = np.argsort(-shares[0], kind="stable")[:10].tolist()
    (row,) = listed(shares[:, order])
    return {"classes": [seer.names[one] for one in order], "probabilities": row}
