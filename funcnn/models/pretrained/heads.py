"""What a configuration says of a model's last part."""

from __future__ import annotations

from funcnn.errors import shown
from funcnn.files.tree_reader import FileError
from funcnn.models.pretrained.configuration import Configuration


def has_head(config: Configuration, with_head: str, without: tuple[str, ...]) -> bool:
    """Tell whether a configuration is of the model with a head, or of one that gives its last hidden state.

    Raises
    ------
    FileError
        When it is of another model.
    """
    named = config.content.get("architectures")
    if named is None:
        return False
    if not isinstance(named, list) or len(named) != 1 or named[0] not in (with_head, *without):
        raise FileError(f"{config.where}: architectures is {shown(named)}, expected one of {', '.join((with_head, *without))}")
    return bool(named[0] == with_head)


def labels_of(config: Configuration) -> tuple[str, ...]:
    """Return the names of the classes; those that a configuration does not name are numbers."""
    named = config.content.get("id2label")
    if isinstance(named, dict):
        return tuple([str(named.get(str(number), number)) for number in range(len(named))])
    return tuple(map(str, range(config.optional_count("num_labels") or 2)))


def classes_of(config: Configuration) -> int:
    """Return how many classes there are: two, where a configuration does not say."""
    return len(labels_of(config)) or 2
