"""Tell the documentation what the constructor of an attrs class takes, which stands nowhere in its source."""

from typing import Any

import griffe

DECORATORS = {"attrs.frozen", "attrs.define"}


def is_record(class_: griffe.Class) -> bool:
    """Whether attrs writes the constructor of this class."""
    return any(getattr(one.value, "canonical_path", None) in DECORATORS for one in class_.decorators)


def options(attribute: griffe.Attribute) -> dict[str, Any] | None:
    """Return the arguments of ``field(...)``, or None where the value is an ordinary default."""
    call = attribute.value
    if not isinstance(call, griffe.ExprCall) or call.canonical_path != "attrs.field":
        return None
    return {one.name: one.value for one in call.arguments if isinstance(one, griffe.ExprKeyword)}


def parameters(class_: griffe.Class) -> list[griffe.Parameter]:
    """Return the constructor's parameters, in the order of the fields."""
    found = []
    for member in class_.members.values():
        if not isinstance(member, griffe.Attribute) or member.annotation is None or "property" in member.labels:
            continue
        given = options(member)
        default = member.value
        if given is not None:
            if str(given.get("init")) == "False":
                continue
            default = given.get("default", "..." if "factory" in given else None)
        keyword = given is not None and str(given.get("kw_only")) == "True"
        kind = griffe.ParameterKind.keyword_only if keyword else griffe.ParameterKind.positional_or_keyword
        found.append(griffe.Parameter(member.name.lstrip("_"), annotation=member.annotation, kind=kind, default=default))
    return found


class Records(griffe.Extension):
    """Add the constructor that attrs writes to every class that has one."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Walk the package."""
        self.walk(pkg)

    def walk(self, parent: griffe.Module | griffe.Class) -> None:
        """Visit the classes in a module or class."""
        for member in list(parent.members.values()):
            if isinstance(member, griffe.Class) and is_record(member) and "__init__" not in member.members:
                by_name = {one.name: one for base in reversed(member.mro()) if is_record(base) for one in parameters(base)}
                by_name |= {one.name: one for one in parameters(member)}
                self_ = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
                made = griffe.Function("__init__", parameters=griffe.Parameters(self_, *by_name.values()), returns="None")
                member.set_member("__init__", made)
            if isinstance(member, (griffe.Module, griffe.Class)):
                self.walk(member)
