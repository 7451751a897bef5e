"""``python -m funcnn sample FOLDER``: a published network of text goes on with a prompt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.cli.failure import RequestError
from funcnn.cli.options import Sampling
from funcnn.cli.published.opening import open_published
from funcnn.errors import shorten
from funcnn.typing import IntArray

VOCABULARY, MERGES, TOKENIZER = "vocab.json", "merges.txt", "tokenizer.json"
_TOKENS = 50
_KINDS = ("gpt2", "llama")


@frozen(eq=False)
class PublishedWriter:
    """A published network of text, and how it reads text."""

    encoding: fn.data.BytePairEncoding
    loaded: fn.pretrained.Pretrained


def write(folder: Path, sampling: Sampling) -> str:
    """Return a prompt and what a network says comes next.

    Raises
    ------
    RequestError
        When the folder cannot be read, its network does not write, or the prompt cannot be encoded.
    """
    return continued(open_writer(folder), sampling)


def open_writer(folder: Path) -> PublishedWriter:
    """Read a published network that writes; raises as :func:`write` does."""
    encoding = read_encoding(folder)
    loaded = open_published(folder)
    if loaded.config.get("model_type") not in _KINDS:
        raise RequestError(f"{folder} is of {loaded.config.get('model_type')}, which does not write; {' and '.join(_KINDS)} do")
    vocabulary = loaded.config.get("vocab_size")
    if vocabulary != len(encoding):
        raise RequestError(f"{folder / VOCABULARY} has {len(encoding)} tokens and the network {vocabulary}: they are not of one")
    return PublishedWriter(encoding, loaded)


def continued(writer: PublishedWriter, sampling: Sampling) -> str:
    """Return a prompt and what a network says comes next; raises as :func:`write` does."""
    encoding, loaded = writer.encoding, writer.loaded
    prompt = tokens_of(encoding, sampling.prompt, loaded.config)
    how = sampling.of_tokens(stop_tokens(loaded.config, len(encoding)))
    context = loaded.config.get("n_positions")
    made = fn.generation.sample(
        loaded.model, loaded.params, loaded.state, prompt, sampling.count or _TOKENS, fn.Key(sampling.seed), sampling=how,
        context_length=context if isinstance(context, int) else None,
    )  # fmt: skip
    first = 0 if sampling.prompt is not None else prompt.shape[1]
    tokens = made.tokens[0, first : int(made.lengths[0])]
    return encoding.decode(tokens[:-1] if tokens.size and tokens[-1] in how.stop else tokens)


def read_encoding(folder: Path) -> fn.data.BytePairEncoding:
    """Return how a folder's network reads text."""
    both = (folder / VOCABULARY).is_file() and (folder / MERGES).is_file()
    if not both and not (folder / TOKENIZER).is_file():
        raise RequestError(
            f"{folder} has no {VOCABULARY} and {MERGES}, and no {TOKENIZER}, the byte-pair encoding by which its network reads"
            " text: take them from where the weights are from"
        )
    try:
        if both:
            return fn.data.read_byte_pairs(folder / VOCABULARY, folder / MERGES)
        return fn.data.read_tokenizer(folder / TOKENIZER)
    except (OSError, ValueError) as error:
        raise RequestError(str(error)) from None


def tokens_of(encoding: fn.data.BytePairEncoding, prompt: str | None, config: object) -> IntArray:
    """Return the prompt as tokens (1, t); without one, the token with which texts begin."""
    if prompt is not None:
        try:
            return encoding.encode(prompt)[np.newaxis]
        except ValueError as error:
            raise RequestError(f"--prompt: {shorten(str(error), 200)}") from None
    begin = config.get("bos_token_id") if isinstance(config, dict) else None
    if not isinstance(begin, int) or not 0 <= begin < len(encoding):
        raise RequestError("--prompt: the configuration names no token with which texts begin: give a prompt")
    return np.array([[begin]])


def stop_tokens(config: object, vocabulary: int) -> tuple[int, ...]:
    """Return the tokens with which texts end."""
    end = config.get("eos_token_id") if isinstance(config, dict) else None
    named = end if isinstance(end, list) else [end]
    return tuple([one for one in named if isinstance(one, int) and 0 <= one < vocabulary])
