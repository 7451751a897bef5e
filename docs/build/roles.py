"""Read docstrings as Markdown: roles, written :func:`name`, become code, and displayed formulas stand alone."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import griffe

ROLE = re.compile(r":(?:func|class|mod|meth|attr|data):`~?([\w.]+)`")

_SPEC = importlib.util.spec_from_file_location("mathml", Path(__file__).with_name("mathml.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
mathml = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(mathml)


class Roles(griffe.Extension):
    """Rewrite every docstring that is collected."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Replace ``:func:`x``` by inline code and set displayed formulas apart."""
        if obj.docstring:
            obj.docstring.value = mathml.set_apart(ROLE.sub(lambda found: f"`{found[1]}`", obj.docstring.value))
