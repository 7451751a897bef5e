"""Former names of public things: they go on working for one version, with a warning that says the new name."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping


def former_names(module: str, names: Mapping[str, str], others: Callable[[str], object] | None = None) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a module that gives what former names are called now, with a DeprecationWarning.

    All other names are those of ``others``, where that is given.
    """

    def look_up(name: str) -> object:
        if name not in names:
            if others is not None:
                return others(name)
            raise AttributeError(f"module {module!r} has no attribute {name!r}", name=name, obj=sys.modules[module])
        warnings.warn(f"{module}.{name} is called {names[name]} now", DeprecationWarning, stacklevel=2)
        value: object = getattr(sys.modules[module], names[name])
        return value

    return look_up
