"""What ``config.json`` says of a network: every field is known, or refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from attrs import field, frozen

from funcnn.errors import check_is_file, shorten, shown
from funcnn.files.tree_reader import FileError

T = TypeVar("T")

COMMON = frozenset({
    "_name_or_path", "architectures", "attn_implementation", "auto_map", "bos_token_id", "chunk_size_feed_forward",
    "cls_token_id", "dtype", "eos_token_id", "finetuning_task", "gradient_checkpointing", "id2label", "initializer_factor",
    "initializer_range",
    "keys_to_ignore_at_inference", "label2id", "mask_token_id", "max_length", "model_type", "num_labels", "output_attentions",
    "output_hidden_states", "output_past", "pad_token_id", "prefix", "problem_type", "return_dict", "sep_token_id",
    "task_specific_params", "tokenizer_class", "torch_dtype", "torchscript", "transformers_version", "unk_token_id", "use_cache",
    "use_return_dict",
})  # fmt: skip
"""Fields that change nothing of what a network computes in evaluation."""


@frozen
class Fields:
    """The fields of an architecture's configuration."""

    used: Mapping[str, object]
    """Those by which the network is built, with their defaults; :data:`NEEDED` where there is none."""
    only: Mapping[str, tuple[object, ...]] = field(factory=dict)
    """Those of which only some values are supported, the first one being the default."""
    unused: frozenset[str] = frozenset()
    """Those without effect on what the network computes in evaluation, beside the common ones."""


MOST_PARTS = 10_000
"""A bound on how often a network repeats a part, where there are no tensors to go by."""


class Needed:
    """Stands for a field that has no default."""


NEEDED = Needed()


@frozen(eq=False)
class Configuration:
    """The fields of a configuration, read by their types."""

    where: str
    content: Mapping[str, object]
    fields: Fields
    most_parts: int
    """How many parts a network can have: no more than there are tensors."""

    def _value(self, name: str) -> object:
        return self.content.get(name, self.fields.used[name])

    def _typed(self, name: str, kind: type[T] | tuple[type[T], ...], wanted: str) -> T:
        value = self._value(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise FileError(f"{self.where}: {name} is {shown(value)}, expected {wanted}")
        return value

    def count(self, name: str, most: int = 2**31) -> int:
        """Return a number of at least 1."""
        value = self._typed(name, int, "a whole number")
        if not 1 <= value <= most:
            raise FileError(f"{self.where}: {name} is {shown(value)}, expected 1 to {most}")
        return value

    def whole(self, name: str) -> int:
        """Return a number of at least 0."""
        value = self._typed(name, int, "a whole number")
        if value < 0:
            raise FileError(f"{self.where}: {name} is {shown(value)}, expected at least 0")
        return value

    def parts(self, name: str) -> int:
        """Return how often a part is there: no more than there are tensors, since each has one at least."""
        return self.count(name, self.most_parts)

    def optional_count(self, name: str) -> int | None:
        """Return a number of at least 1, or None."""
        return None if self._value(name) is None else self.count(name)

    def counts(self, name: str) -> tuple[int, ...]:
        """Return a list of numbers of at least 1."""
        value = self._typed(name, list, "a list of whole numbers")
        if not value or not all(type(one) is int and 1 <= one <= MOST_PARTS for one in value):
            raise FileError(f"{self.where}: {name} is {shown(value)}, expected whole numbers from 1 to {MOST_PARTS}")
        return tuple(value)

    def number(self, name: str) -> float:
        """Return a positive number."""
        value = self._typed(name, (int, float), "a number")
        if not 0 < value <= sys.float_info.max:  # an integer may be larger than any float
            raise FileError(f"{self.where}: {name} is {shown(value)}, expected a positive number")
        return float(value)

    def flag(self, name: str) -> bool:
        """Return true or false."""
        return self._typed(name, bool, "true or false")

    def word(self, name: str, known: Mapping[str, T]) -> T:
        """Return what a word stands for."""
        value = self._typed(name, str, f"one of {', '.join(known)}")
        if value not in known:
            raise FileError(f"{self.where}: {name} is {shorten(value)!r}, expected one of {', '.join(known)}")
        return known[value]

    def optional_words(self, name: str, known: Mapping[str, T]) -> tuple[T, ...] | None:
        """Return what each word of a list stands for, or None."""
        if self._value(name) is None:
            return None
        wanted = f"a list of {', '.join(known)}"
        value = self._typed(name, list, wanted)
        if not all(isinstance(one, str) and one in known for one in value):
            raise FileError(f"{self.where}: {name} is {shown(value)}, expected {wanted}")
        return tuple([known[one] for one in value])

    def mapping(self, name: str) -> Mapping[str, object]:
        """Return an object, or an empty one for null."""
        value = self._value(name)
        if value is None:
            return {}
        return self._typed(name, dict, "an object")


def read_json(path: Path) -> dict[str, object]:
    """Read a file with an object of JSON.

    Raises
    ------
    FileNotFoundError, FileError
        When there is no such file, or it holds something else.
    """
    check_is_file(path)
    try:
        content: object = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is no JSON: {shorten(str(error), 200)}") from None
    if not isinstance(content, dict):
        raise FileError(f"{path} is {shown(content)}, expected an object")
    return content


def configured(where: str, content: Mapping[str, object], fields: Fields, most_parts: int = MOST_PARTS) -> Configuration:
    """Return a configuration whose fields are all known, or raise a FileError that lists those that are not."""
    unknown = [name for name in content if name not in {*fields.used, *fields.only, *fields.unused, *COMMON}]
    told = [f"{shorten(name)} is {shown(content[name])}, and not known: it may change what is computed" for name in unknown]
    for name, allowed in fields.only.items():
        if not any(type(content.get(name, allowed[0])) is type(one) and content.get(name, allowed[0]) == one for one in allowed):
            told.append(f"{name} is {shown(content[name])}, supported is {' or '.join(map(shown, allowed))}")
    told += [f"{name} is missing" for name, default in fields.used.items() if default is NEEDED and name not in content]
    if told:
        raise FileError(f"{where} is of a network that is not supported:\n  " + "\n  ".join(told))
    return Configuration(where, content, fields, most_parts)
