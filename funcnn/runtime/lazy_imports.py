"""Public names that are imported at their first use: ``import funcnn`` costs what a program uses of it.

``funcnn/__init__.py`` says where every name lives, in import statements that type checkers and readers see; at run time the very
same statements are looked up, one name at a time.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module

_IMPORT = re.compile(r"^    from (\S+) import (?:\(([^)]*)\)|(.*))$", re.MULTILINE)


def attach(package: str, public: list[str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package whose indented import statements are deferred."""
    module = sys.modules[package]
    homes: dict[str, str] = {}  # where each name is imported from, read at first need

    def look_up(name: str) -> object:
        if not homes:
            homes.update(read_homes(package))
        home = homes.get(name)
        try:
            if home is None or home == package:  # a module of the package, public or not
                value: object = import_module(f"{package}.{name}")
            else:
                value = getattr(__import__(home, fromlist=[name]), name)
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{name}":
                raise
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=module) from None
        setattr(module, name, value)
        return value

    return look_up, listing(package, public)


def listing(module: str, public: list[str]) -> Callable[[], list[str]]:
    """Return the ``__dir__`` of a module: its public names and those that every module has, and not what it imports."""
    own = vars(sys.modules[module])
    return lambda: sorted({*public, *[name for name in own if name.startswith("__") and name.endswith("__")]})


def read_homes(package: str) -> dict[str, str]:
    """Return the module from which a package's source imports each name."""
    from linecache import getlines

    module = sys.modules[package]
    source = "".join(getlines(str(module.__file__), vars(module)))  # the file, or what its loader gives
    if not source:
        raise ImportError(f"{package} is installed without its source, in which its names are looked up: install it anew")
    names = ((home, (several or single).split(",")) for home, several, single in _IMPORT.findall(source))
    return {name.strip(): home for home, found in names for name in found if name.strip()}
