"""The network of the estimators that redraw their input: an encoder of some sizes, and a decoder of the same in reverse."""

from __future__ import annotations

from collections.abc import Sequence

from funcnn.combinators.serial import serial
from funcnn.errors import check_count
from funcnn.estimators.training import body, with_head
from funcnn.layer import AnyLayer
from funcnn.layers.activations.sigmoids import tanh
from funcnn.layers.linear.dense import dense


def autoencoding(features: int, hidden: Sequence[int], latent_size: int, activation: AnyLayer | None) -> AnyLayer:
    """Return ``encoder >> decoder`` as a chain of two: ``params[0]`` and ``params[1]`` are theirs."""
    if not isinstance(hidden, Sequence):
        raise TypeError(f"hidden is {hidden!r}, expected the sizes of the layers between input and code, such as (100,)")
    activation = tanh() if activation is None else activation  # bounded: what lies far outside is not followed, and shows
    code = check_count(latent_size, "latent_size")
    encoder = with_head(body(tuple(hidden), activation), dense(code))
    decoder = with_head(body(tuple(reversed(hidden)), activation), dense(features))
    made: AnyLayer = serial(encoder, decoder)
    return made
