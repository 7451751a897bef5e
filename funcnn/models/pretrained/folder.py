"""A network and its weights from a folder as hubs lay it out, and back: ``config.json`` and ``model.safetensors``."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from attrs import evolve, frozen
from numpy.typing import DTypeLike

from funcnn import initializers, tree
from funcnn.errors import check_path, shorten, shown
from funcnn.files.atomic_write import write_text
from funcnn.files.tree_reader import FileError
from funcnn.initializers import Initializer, check_initializer
from funcnn.key import Key, check_key
from funcnn.layer import AnyLayer, Init
from funcnn.models.pretrained.architecture import Architecture, Network
from funcnn.models.pretrained.bert import BERT
from funcnn.models.pretrained.configuration import MOST_PARTS, Configuration, configured, read_json
from funcnn.models.pretrained.convnext import CONVNEXT
from funcnn.models.pretrained.gpt2 import GPT2
from funcnn.models.pretrained.heads import labels_of
from funcnn.models.pretrained.llama import LLAMA
from funcnn.models.pretrained.lstm import LSTM
from funcnn.models.pretrained.mistral import MISTRAL
from funcnn.models.pretrained.qwen import QWEN2, QWEN3
from funcnn.models.pretrained.resnet import RESNET
from funcnn.models.pretrained.safetensors_file import FILE, HALF, Stored, describe_folder, write_file
from funcnn.models.pretrained.table import Table, check_covers, check_tensors, expected_shapes, read_tree, write_tensors
from funcnn.models.pretrained.vgg import VGG
from funcnn.models.pretrained.vit import VIT
from funcnn.typing import Array, Shape

CONFIG = "config.json"
_ALWAYS = 1 << 22  # as many numbers are made in any case: what differs is then listed by name

AnyInit: TypeAlias = Init[Any, Any]  # Any: as the model's

_KINDS = {one.name: one for one in (GPT2, LLAMA, MISTRAL, QWEN2, QWEN3, BERT, VIT, RESNET, CONVNEXT, VGG, LSTM)}


@frozen(eq=False)
class Pretrained:
    """A network with weights that were learned elsewhere; see :func:`load`."""

    model: AnyLayer  # Any: which layers there are is known only when a configuration has been read
    params: object
    state: object
    config: Mapping[str, object]
    """What ``config.json`` says, as it stands."""


def load(folder: str | os.PathLike[str], *, dtype: DTypeLike | None = None) -> Pretrained:
    """Read a network and its weights from a folder as hubs lay it out.

    The folder has ``config.json`` and ``model.safetensors``, or ``model.safetensors.index.json`` and the files that it names.  It
    is read by the package ``safetensors``: ``pip install 'funcnn[weights]'``.

    Parameters
    ----------
    folder : path
        Of GPT-2, Llama, Mistral, Qwen 2 and 3, BERT or ViT as ``transformers`` writes them; of ResNet, ConvNeXt or VGG with the
        names of ``torchvision``; of ``torch.nn.LSTM``.
    dtype : dtype, optional
        The precision of the parameters: that of the file unless given, but at least float32.

    Returns
    -------
    Pretrained
        The model, its parameters and state, and the configuration.

    Warns
    -----
    UserWarning
        Once, when numbers of half precision become float32.

    Raises
    ------
    ModuleNotFoundError
        When ``safetensors`` is not installed.
    FileNotFoundError
        When there is no such folder or file.
    FileError
        A ValueError: when a file is damaged; the configuration is of another network, or has fields that are not known; tensors
        are missing, of another shape, or too many: all are listed by name, before anything is computed.

    See Also
    --------
    save : the way back.

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile
    >>> made = fn.pretrained.build({"model_type": "lstm", "input_size": 3, "hidden_size": 4}, fn.Key(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fn.pretrained.save(folder, made)
    ...     again = fn.pretrained.load(folder)
    >>> fn.tree.same(again.params, made.params)
    True
    """
    where = check_path(folder, "folder")
    kind = None if dtype is None else tree.checked_dtype(dtype)
    if not where.is_dir():
        raise FileNotFoundError(f"there is no folder {where}")
    config = read_json(where / CONFIG)
    stored = describe_folder(where)
    held = sum(math.prod(one.shape) for one in stored.values())
    network, start = _started(config, str(where / CONFIG), partial(_zeros_within, [], held, where), Key(0), len(stored))
    table = _named_as(network.table, stored)
    pair = (start.params, start.state)
    check_covers(table, pair)
    check_tensors(str(where), expected_shapes(table, pair), {name: one.shape for name, one in stored.items()}, table)
    _check_kinds(where, table, pair, stored)
    _say_halves(where, stored)
    if kind is None:
        needed = {stored[name].kind for entry in table.params for name in entry.names}
        kind = np.dtype(np.float64 if "F64" in needed else np.float32)
    params, state = read_tree(table, pair, kind, lambda name: stored[name].read())
    return Pretrained(network.model, params, state, config)


def _zeros_within(asked: list[int], held: int, where: Path, key: Key, shape: Shape) -> Array:
    """Return zeros, or raise before they are made where all weights together are far more than the files hold.

    What is missing or of another shape is listed by name afterwards; this is for sizes that would take the memory first.
    """
    asked.append(math.prod(shape))
    if sum(asked) > max(_ALWAYS, 4 * held):
        raise FileError(
            f"{where}: {CONFIG} asks for weights of more than {sum(asked):,} numbers, and the tensors hold {held:,}: they are"
            " not of one network"
        )
    return initializers.zeros(key, shape)


def build(config: Mapping[str, object], key: Key, *, weight_init: Initializer | None = None) -> Pretrained:
    """Make the network of a configuration, with weights that are random.

    Parameters
    ----------
    config : mapping
        The fields of ``config.json``.
    key : Key
    weight_init : callable, optional
        Initializer ``(key, shape) -> array`` of all weights: normal of deviation 0.02, as GPT-2 and BERT have it, unless given.

    Returns
    -------
    Pretrained

    Raises
    ------
    TypeError, FileError
        When the configuration is of another network, or has fields that are not known.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> config = {"model_type": "gpt2", "vocab_size": 11, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 6}
    >>> made = fn.pretrained.build(config, fn.Key(0))
    >>> fn.apply(made.model, made.params, made.state, np.array([[3, 1, 4]])).shape
    (1, 3, 11)
    """
    given: object = config
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise TypeError(f"config is {shown(given)}, expected the fields of a config.json")
    weight_init = initializers.normal(0.02) if weight_init is None else check_initializer(weight_init, "weight_init")
    network, start = _started(config, "the configuration", weight_init, check_key(key))
    return Pretrained(network.model, start.params, start.state, dict(config))


def save(folder: str | os.PathLike[str], pretrained: Pretrained) -> None:
    """Write a network as other libraries read it: ``config.json`` and ``model.safetensors`` with their names of tensors.

    Parameters
    ----------
    folder : path
        It is made where there is none.
    pretrained : Pretrained
        What :func:`load` or :func:`build` gave, perhaps with other parameters: ``attrs.evolve(pretrained, params=...)``.

    Raises
    ------
    TypeError, ValueError
        When the parameters are not those of the configuration.
    ModuleNotFoundError, OSError
        When ``safetensors`` is not installed; when the files cannot be written.
    """
    where = check_path(folder, "folder")
    given: object = pretrained
    if not isinstance(given, Pretrained):
        raise TypeError(f"pretrained is {shown(given)}, expected what fn.pretrained.load gives")
    network, start = _started(given.config, "the configuration", initializers.zeros, Key(0))
    pair, like = (given.params, given.state), (start.params, start.state)
    tree.check_structure(like, pair, "the network")
    for (path, one), other in zip(tree.walk(like), tree.leaves(pair), strict=True):
        if one.shape != other.shape:
            raise ValueError(f"the network{path} is {list(other.shape)}, expected {list(one.shape)} by its configuration")
    where.mkdir(parents=True, exist_ok=True)
    write_file(where / FILE, write_tensors(network.table, pair))
    write_text(where / CONFIG, json.dumps(given.config, indent=2, ensure_ascii=False) + "\n")


def labels(pretrained: Pretrained) -> tuple[str, ...]:
    """Return the names of the classes of a network; numbers, where its configuration has none."""
    config = pretrained.config
    names = config.get("label_names")
    if isinstance(names, list):
        return tuple(map(str, names))
    if "num_classes" in config or "architecture" in config:
        count = config.get("num_classes", 1000)
        return tuple(map(str, range(count if isinstance(count, int) else 0)))
    return labels_of(Configuration("the configuration", config, _architecture(config, "the configuration").fields, MOST_PARTS))


def _architecture(config: Mapping[str, object], where: str) -> Architecture:
    """Return the architecture that a configuration names."""
    kind, name = config.get("model_type"), config.get("architecture")
    if kind is None and isinstance(name, str):
        kind = name.split("_")[0].rstrip("0123456789")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise FileError(f"{where}: model_type is {shown(kind)}, expected one of {', '.join(_KINDS)}")
    return _KINDS[kind]


def _started(
    config: Mapping[str, object], where: str, weight_init: Initializer, key: Key, most_parts: int = MOST_PARTS
) -> tuple[Network, AnyInit]:
    """Return the network of a configuration, and the parameters and state with which it begins."""
    architecture = _architecture(config, where)
    try:
        network = architecture.build(configured(where, config, architecture.fields, most_parts), weight_init)
        return network, network.model.init(key, network.in_shape)
    except FileError:
        raise
    except (TypeError, ValueError) as error:
        raise FileError(f"{where}: {error}") from None
    except MemoryError:
        raise FileError(f"{where}: a network of these sizes does not fit in memory") from None


def _named_as(table: Table, stored: Mapping[str, Stored]) -> Table:
    """Return the table with the names that a checkpoint has: those of a body alone, or those that norms had in older versions."""
    alone = bool(table.prefix) and not any(name.startswith(table.prefix) for name in stored)
    older = any(name.endswith(("LayerNorm.gamma", "LayerNorm.beta")) for name in stored)

    def renamed(name: str) -> str:
        name = name.removeprefix(table.prefix) if alone else name
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta") if older else name

    return evolve(table, params=tuple([evolve(one, names=[renamed(name) for name in one.names]) for one in table.params]))


def _check_kinds(where: Path, table: Table, pair: object, stored: Mapping[str, Stored]) -> None:
    """Raise a FileError that lists tensors of integers where there are floating numbers: quantized ones; or the other way."""
    leaves = dict(tree.walk(pair))
    wrong = [
        f"{name} ({stored[name].kind})"
        for entry in table.entries
        for name in entry.names
        if (leaves[entry.path].dtype.kind == "f") != ("F" in stored[name].kind)
    ]
    if wrong:
        raise FileError(f"{where} has numbers of other types than its network: {shorten(', '.join(wrong), 300)}")


def _say_halves(where: Path, stored: Mapping[str, Stored]) -> None:
    halves = [name for name, one in stored.items() if one.kind in HALF]
    if halves:
        kinds = sorted({stored[name].kind for name in halves})
        warnings.warn(
            f"{where}: {len(halves)} tensors of {' and '.join(kinds)} become float32, such as {shorten(halves[0])}", stacklevel=3
        )
