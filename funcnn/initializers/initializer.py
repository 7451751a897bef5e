"""What an initializer is, and the check of one that is given."""

import inspect
from collections.abc import Callable
from typing import TypeAlias

from funcnn.errors import check_function, shown
from funcnn.key import Key
from funcnn.typing import Array, Shape

Initializer: TypeAlias = Callable[[Key, Shape], Array]


def check_initializer(value: Initializer, what: str) -> Initializer:
    """Return an initializer, a function (key, shape) -> array, or raise an error that names the argument.

    Raises
    ------
    TypeError
        When it is no function of two arguments, or a factory of initializers that has yet to be called, such as ``normal``.
    """
    wanted = "an initializer: a function (key, shape) -> array, such as fn.initializers.he_normal"
    check_function(value, what, wanted)
    if getattr(value, "__annotations__", {}).get("return") in (Initializer, "Initializer"):
        raise TypeError(f"{what} is {shown(value)}, which makes initializers, expected one: call it first, such as normal(0.01)")
    try:
        inspect.signature(value).bind(None, None)
    except TypeError:
        raise TypeError(f"{what} is {shown(value)}, which does not take two arguments, expected {wanted}") from None
    except ValueError:  # a function written in C that does not tell its arguments
        pass
    return value
