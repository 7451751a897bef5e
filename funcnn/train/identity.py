"""What a run is: the arguments of ``fit`` that decide its result, each by a short text and a fingerprint.

A run that goes on from a checkpoint is asked to be the same one.  What may differ is what does not touch the numbers of an
epoch: how many epochs there are, callbacks, the display of progress, and the patience of early stopping.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cached_property

import attrs
import numpy as np
from attrs import frozen

from funcnn import __version__, tree
from funcnn.errors import describe
from funcnn.layer import Layer
from funcnn.losses.loss import Loss
from funcnn.train.fingerprint import fingerprint
from funcnn.train.stopping import EarlyStopping

MAY_DIFFER = ("epochs", "callbacks", "progress", "resume", "communicator", "record")
"""Arguments of ``fit`` that a run which goes on may be given otherwise; what is recorded may not, where there is something."""

_DATA = ("x", "y", "validation", "params", "state", "opt_state")


@frozen(eq=False, slots=False)  # no slots: what is worked out once is kept in the instance
class Identity:
    """The run of a call of ``fit``."""

    arguments: Mapping[str, object]
    columns: tuple[str, ...]
    """The columns of its history."""

    @cached_property
    def settings(self) -> dict[str, list[str]]:
        """For each argument that is no data [what it looks like, its fingerprint].

        To be asked for before training begins: functions of users may keep something from one call to the next.
        """
        return {name: entry(value) for name, value in self.arguments.items() if name not in _DATA}

    @cached_property
    def data(self) -> dict[str, list[str]]:
        """The same of the data, which are all read when this is first asked for."""
        return {name: entry(value) for name, value in self.arguments.items() if name in _DATA}

    @property
    def entries(self) -> dict[str, list[str]]:
        """All of them, in the order of the arguments."""
        both = self.settings | self.data
        return {name: both[name] for name in self.arguments}

    @property
    def versions(self) -> str:
        """The versions of this library, and of Python, by which functions of one's own are compiled."""
        return f"funcnn {__version__} and Python {'.'.join(platform.python_version_tuple()[:2])}"


def entry(value: object) -> list[str]:
    """Return what an argument looks like and its fingerprint."""
    return [shown(value), fingerprint(compared(value))]


def compared(value: object) -> object:
    """Return what of an argument counts: of early stopping everything but the patience."""
    return attrs.evolve(value, patience=1) if isinstance(value, EarlyStopping) else value


def shown(value: object) -> str:
    """Return a short text of one line for a message."""
    if isinstance(value, Layer):
        text = " >> ".join(part.name for part in value.parts) if value.parts and value.name == "serial" else value.name
    elif isinstance(value, Loss):
        text = value.name
    elif isinstance(value, (np.ndarray, tuple)) and _is_tree(value):
        text = describe(value)
    elif attrs.has(type(value)) and _is_tree(value):
        text = f"a {type(value).__name__} of {tree.size(value)} numbers"
    elif callable(value) and hasattr(value, "__qualname__"):
        text = str(value.__qualname__)
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{name}: {shown(one)}" for name, one in value.items()) + "}"
    else:
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= 100 else f"{text[:97]}..."


def _is_tree(value: object) -> bool:
    try:
        return bool(tree.leaves(value))
    except TypeError:
        return False


def difference(
    path: object, there: Mapping[str, list[str]], here: Mapping[str, list[str]], versions: tuple[str, str]
) -> str | None:
    """Return the message that says what differs between a checkpoint's run and this one, or None."""
    names = [name for name in {**here, **there} if there.get(name, ["", ""])[1] != here.get(name, ["", ""])[1]]
    if not names:
        return None
    told = []
    for name in names:
        old, new = there.get(name, ["nothing", ""])[0], here.get(name, ["nothing", ""])[0]
        told.append(f"{name} = {old}, this run has {new if new != old else 'another one that looks alike'}")
    made, now = versions
    other = f"; a run is gone on with by the versions that began it: {made}, these are {now}" if made != now else ""
    return (
        f"{path} was made with {'; '.join(told)}: only the same run can be resumed, with all arguments of its beginning{other}"
        " (load its parameters with fn.load to begin another)"
    )
