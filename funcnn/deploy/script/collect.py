"""Functions, classes and constants of the library, with all that they need, as source that stands alone."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from datetime import UTC
from fractions import Fraction
from functools import cache, partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

import attrs
import numpy as np
from attrs import evolve, field, frozen

from funcnn.deploy.script.shortened import SHORTENED
from funcnn.deploy.script.simplify import Known, Simplify, short_docstring
from funcnn.deploy.script.stand_ins import STAND_INS
from funcnn.layer import AnyLayer, Layer


class ScriptError(ValueError):
    """Something of a network that cannot be written as plain NumPy; the message says what."""


@cache
def module_syntax(name: str) -> ast.Module:
    """Return the syntax of a module of the library."""
    return ast.parse(inspect.getsource(sys.modules[name]))


@cache
def definitions(name: str) -> dict[str, ast.stmt]:
    """Return the definitions of a module by name; of a name that is defined several times (overloads), the last."""
    found: dict[str, ast.stmt] = {}
    for one in module_syntax(name).body:
        match one:
            case ast.FunctionDef(name=own) | ast.ClassDef(name=own):
                found[own] = one
            case ast.Assign(targets=[ast.Name(id=own)]) | ast.AnnAssign(target=ast.Name(id=own)):
                found[own] = one
            case ast.Assign(targets=[ast.Tuple(elts=names)]):
                found.update({one_name.id: one for one_name in names if isinstance(one_name, ast.Name)})
    return found


READING = "funcnn.deploy.script.inputs."
"""The modules whose functions read what a user of the script gives: they keep their errors."""

RESERVED = ("predict", "network", "prepare", "params", "state", "mode", "w", "given", "BOUND", "CLASSES", "VOCABULARY")
"""What a script calls its own."""


@frozen(eq=False)
class Collected:
    """Source that was collected: each definition stands below those that it needs."""

    known: Known
    imports: set[str] = field(factory=set, init=False)
    texts: dict[str, str] = field(factory=dict, init=False)
    """The definitions by their name in the script, in order."""
    arrays: dict[str, np.ndarray[Any, Any]] = field(factory=dict, init=False)  # Any: of all kinds
    """Constants that are arrays, which belong into the file of the weights."""
    _names: dict[tuple[str, str], str] = field(factory=lambda: {("", one): one for one in RESERVED}, init=False)
    """The name in the script of a name in a module."""
    _unread: dict[tuple[str, str], tuple[bool, ...]] = field(factory=dict, init=False)
    """Which parameters of a function nothing reads, as simplified."""
    _records: dict[Any, str] = field(factory=dict, init=False)  # Any: records of all kinds
    _layers: dict[int, tuple[str, AnyLayer]] = field(factory=dict, init=False)

    # Names.

    def name_for(self, module: str, name: str) -> str:
        """Return the name in the script for one of a module: its own, or with the module's where that is taken or too general."""
        key = (module, name)
        if key not in self._names:
            stem = module.rpartition(".")[2]
            general = name.lstrip("_") in GENERAL
            wanted = f"{stem}_{name.lstrip('_')}" if general else name
            if module.startswith("funcnn.tree."):
                wanted = f"tree_{name.lstrip('_')}"  # there are many variables with names such as leaves
            if wanted in self._names.values():
                wanted = f"{stem}_{name.lstrip('_')}"
            while wanted in self._names.values() or hasattr(builtins, wanted):
                wanted += "_"
            self._names[key] = wanted
        return self._names[key]

    def refer(self, value: Any) -> str:
        """Return the name of a function or a class, after collecting it."""
        module, name = str(value.__module__), str(value.__qualname__)
        if not module.startswith("funcnn"):
            return self.foreign(value, module, name)
        if "." in name or "<" in name:
            raise ScriptError(f"{module}.{name} is defined inside of another function, and has no source of its own")
        return self.define(module, name)

    def foreign(self, value: Any, module: str, name: str) -> str:
        """Return an expression for what belongs to NumPy or to the standard library."""
        if isinstance(value, np.ufunc) or (module.partition(".")[0] == "numpy" and getattr(np, name, None) is value):
            self.imports.add("import numpy as np")
            return f"np.{name}"
        if module.partition(".")[0] == "numpy":
            self.imports.add(f"from {module} import {name}")
            return name
        if module == "builtins":
            return name
        if module.partition(".")[0] not in sys.stdlib_module_names:
            raise ScriptError(f"{module}.{name} belongs neither to the library nor to NumPy: a script cannot have it")
        self.imports.add(f"from {module.lstrip('_')} import {name}")
        return name

    # Definitions.

    def define(self, module: str, name: str) -> str:
        """Collect a definition of a module of the library, and return its name in the script."""
        own = self.name_for(module, name)
        if own in self.texts:
            return own
        stand_in = STAND_INS.get(f"{module}.{name}")
        if stand_in is not None:
            self.imports.update(stand_in.imports)
            self.texts[own] = stand_in.text.replace("NAME", own)
            return own
        node = definitions(module).get(name)
        if node is None:
            raise ScriptError(f"{module} has no definition of {name!r}")
        self.texts[own] = ""  # it is under way: a function may call itself
        short = SHORTENED.get(f"{module}.{name}")
        made = deepcopy(node) if short is None else ast.parse(short).body[0]
        match made:
            case ast.FunctionDef():
                made = self.function(module, made)
                made.name = own
            case ast.ClassDef():
                made = self.record(module, made, getattr(sys.modules[module], name))
                made.name = own
            case ast.Assign() | ast.AnnAssign():
                value = getattr(sys.modules[module], name)
                text = self.constant(module, made, value)
                del self.texts[own]
                self.texts[own] = f"{own} = {text}"
                return own
        del self.texts[own]  # below what it needs
        self.texts[own] = ast.unparse(ast.fix_missing_locations(made))
        return own

    def constant(self, module: str, node: ast.Assign | ast.AnnAssign, value: Any) -> str:
        """Return the expression of a constant: its own where that is short, or its value."""
        try:
            return self.expression(value)
        except ScriptError:
            assert node.value is not None
            made = Resolve(self, module, set()).visit(Simplify(self.known).visit(deepcopy(node.value)))
            return ast.unparse(ast.fix_missing_locations(made))

    def function(self, module: str, node: ast.FunctionDef) -> ast.FunctionDef:
        """Return a function, simplified, its names those of the script."""
        known = evolve(self.known, keeps_errors=module.startswith(READING))
        made: ast.FunctionDef = Simplify(known).visit(node)
        unused_away(made)
        resolve = Resolve(self, module, local_names(made))
        resolved = [resolve.visit(one) for one in made.body]  # None for an import
        made.body = [one for one in resolved if one] or [ast.Pass()]
        read = {one.id for part in made.body for one in ast.walk(part) if isinstance(one, ast.Name)}
        self._unread[module, node.name] = tuple([one.arg not in read for one in made.args.args])
        made.args = resolve.visit(made.args)
        made.decorator_list = [resolve.visit(one) for one in made.decorator_list]
        return made

    def record(self, module: str, node: ast.ClassDef, kind: type) -> ast.ClassDef:
        """Return a class: a record of the library becomes a dataclass, whose values are given as they are."""
        body: list[ast.stmt] = list(short_docstring(node))
        if attrs.has(kind):
            self.imports.add("from dataclasses import dataclass")
            inherited = {one.name for base in kind.__mro__[1:] if attrs.has(base) for one in attrs.fields(base)}
            for one in attrs.fields(kind):
                if one.name not in inherited:
                    body.append(
                        ast.AnnAssign(ast.Name(one.name.lstrip("_"), ast.Store()), ast.Name("object"), self.default(one), 1)
                    )
            node.decorator_list = [ast.parse("dataclass(eq=False)", mode="eval").body]
        elif issubclass(kind, tuple):
            self.imports.add("from typing import NamedTuple")
            body += [ast.AnnAssign(ast.Name(one, ast.Store()), ast.Name("object"), None, 1) for one in kind._fields]  # type: ignore[attr-defined]  # a NamedTuple
            node.decorator_list = []
        for one in node.body:
            if isinstance(one, ast.Assign) and attrs.has(kind):  # what all records of the class have in common
                body.append(Resolve(self, module, set()).visit(deepcopy(one)))
            if isinstance(one, ast.FunctionDef) and one.name != "__attrs_post_init__":
                if one.name.startswith("__") and one.name not in ("__init__", "__call__"):
                    continue
                body.append(self.function(module, one))
        node.bases = [base for base in node.bases if self.is_kept(module, base)]
        node.bases = [
            ast.Name(self.refer(getattr(sys.modules[module], ast.unparse(base)))) if ast.unparse(base) != "NamedTuple" else base
            for base in node.bases
        ]
        node.body = body or [ast.Pass()]
        node.keywords = []
        return node

    def default(self, one: Any) -> ast.expr | None:
        """Return the default of a field as an expression."""
        if one.default is attrs.NOTHING:
            return None
        if isinstance(one.default, attrs.Factory):  # type: ignore[arg-type]  # attrs gives a class
            self.imports.add("from dataclasses import field")
            return ast.parse(f"field(default_factory={one.default.factory.__name__})", mode="eval").body
        return ast.parse(self.expression(one.default), mode="eval").body

    def is_kept(self, module: str, base: ast.expr) -> bool:
        """Tell whether a base class is one of the library's own records."""
        text = ast.unparse(base)
        value = getattr(sys.modules[module], text, None) if text.isidentifier() else None
        return text == "NamedTuple" or (isinstance(value, type) and str(value.__module__).startswith("funcnn"))

    # Values.

    def expression(self, value: Any) -> str:
        """Return an expression whose value is this one."""
        if value is None or isinstance(value, bool | str):
            return repr(value)
        if isinstance(value, np.generic):
            return f"np.{type(value).__name__}({value.item()!r})"
        if isinstance(value, int | float):
            return repr(value) if value == value and abs(value) != float("inf") else f"float('{value}')"
        if isinstance(value, tuple) and type(value) is tuple:
            inner = ", ".join(self.expression(one) for one in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self.expression(k)}: {self.expression(v)}" for k, v in value.items()) + "}"
        if isinstance(value, np.ndarray):
            name = f"constant_{len(self.arrays)}"
            self.arrays[name] = value
            return f'w["{name}"]'
        if isinstance(value, np.dtype):
            return f"np.dtype({value.name!r})"
        if value is UTC:
            self.imports.add("from datetime import UTC")
            return "UTC"
        if isinstance(value, Fraction):
            self.imports.add("from fractions import Fraction")
            return f"Fraction({value.numerator}, {value.denominator})"
        if isinstance(value, partial):
            self.imports.add("from functools import partial")
            given = [self.expression(value.func), *self.bound(value.func, value.args)]
            given += [f"{name}={self.expression(one)}" for name, one in value.keywords.items()]
            return f"partial({', '.join(given)})"
        if isinstance(value, Layer):
            return self.layer(value)
        if isinstance(value, FunctionType | type | np.ufunc):
            return self.refer(value)
        if isinstance(value, MethodType):
            return f"{self.expression(value.__self__)}.{value.__func__.__name__}"
        if attrs.has(type(value)):
            return self.record_value(value)
        if inspect.isbuiltin(value):
            return self.foreign(value, str(value.__module__), value.__name__)
        raise ScriptError(f"a value of the type {type(value).__name__} cannot be written into a script")

    def bound(self, function: Any, args: Sequence[Any]) -> list[str]:
        """Return the expressions of arguments that are bound to a function; of one that it does not read, None."""
        self.expression(function)
        unread = self._unread.get((function.__module__, function.__qualname__), ()) if isinstance(function, FunctionType) else ()
        idle = [*unread, *[False] * len(args)]
        return ["None" if skipped else self.expression(one) for one, skipped in zip(args, idle, strict=False)]

    def record_value(self, value: Any) -> str:
        """Return the expression of a record; of a long one a name, under which it is written once."""
        if value not in self._records:
            fields = [one for one in attrs.fields(type(value)) if one.init]
            given = [f"{one.alias}={self.expression(getattr(value, one.name))}" for one in fields]
            text = f"{self.refer(type(value))}({', '.join(given)})"
            if len(text) > SHORT:
                name = f"{type(value).__name__.lower()}_{len(self._records)}"
                self.texts[name] = f"{name} = {text}"
                text = name
            self._records[value] = text
        return self._records[value]

    def layer(self, layer: AnyLayer) -> str:
        """Return the name of a layer, after writing its functions: those that run it, not the one that makes it."""
        if id(layer) not in self._layers:
            kind = self.define("funcnn.layer.layer", "Layer")
            given = [repr(layer.name), self.expression(layer.forward)]
            if self.known.training is not False:
                given += [self.expression(layer.backward), repr(layer.random), repr(layer.selective)]
            name = f"layer_{len(self._layers)}"
            self._layers[id(layer)] = (name, layer)
            self.texts[name] = f"{name} = {kind}({', '.join(given)})"
        return self._layers[id(layer)][0]


SHORT = 60
"""Characters that a record may have where it is used."""

GENERAL = {
    "forward", "backward", "Settings", "Setting", "value", "scaled", "average_forward", "max_forward", "same", "combine", "along",
    "back", "correlate", "pad", "crop", "update", "losses", "pullback", "scale", "shuffle_forward",
}  # fmt: skip
"""Names that say something only together with their module."""


def unused_away(function: ast.FunctionDef) -> None:
    """Take away assignments to names that nothing reads any more, where they call nothing."""
    while True:
        read = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        idle = [
            one
            for one in function.body
            if isinstance(one, ast.Assign)
            and all(isinstance(target, ast.Name) and target.id not in read for target in one.targets)
            and not any(isinstance(node, ast.Call) for node in ast.walk(one.value))
        ]
        if not idle:
            return
        function.body = [one for one in function.body if one not in idle]


def local_names(function: ast.FunctionDef) -> set[str]:
    """Return the names that are bound inside of a function: what they hide of the module is not looked up."""
    return set(bound(function))


def bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a piece of code binds."""
    for one in ast.walk(node):
        match one:
            case ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) if one is not node:
                yield name
            case ast.ExceptHandler(name=str() as name):
                yield name


class Resolve(ast.NodeTransformer):
    """Puts the names of the script in the place of those of a module, and collects what they stand for."""

    def __init__(self, collected: Collected, module: str, local: set[str]) -> None:
        self.collected = collected
        self.module = sys.modules[module]
        self.local = local
        self.lazily: dict[str, Any] = {}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Keep in mind what is imported inside of a function."""
        for one in node.names:
            module = __import__(str(node.module), fromlist=[one.name])
            self.lazily[one.asname or one.name] = getattr(module, one.name)

    def value_of(self, name: str) -> Any:
        """Return what a name stands for."""
        if name in self.lazily:
            return self.lazily[name]
        return getattr(self.module, name, None)

    def checked(self, made: ast.expr) -> ast.expr:
        """Return an expression; raise when a variable of the function hides what it means."""
        if isinstance(made, ast.Name) and made.id in self.local:
            raise ScriptError(f"{self.module.__name__} has a variable that is called {made.id}, as a function of the script is")
        return made

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Put the name of the script in the place of one of the module."""
        if node.id in self.local or not (hasattr(self.module, node.id) or node.id in self.lazily):
            return node
        return self.expression(self.value_of(node.id), node.id)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Put the name of the script in the place of one of another module."""
        if isinstance(node.value, ast.Name) and node.value.id not in self.local:
            value = self.value_of(node.value.id)
            if value is attrs and node.attr == "evolve":
                return self.expression(attrs.evolve, "evolve")
            if isinstance(value, ModuleType) and value.__name__.startswith("funcnn"):
                return self.checked(self.expression(getattr(value, node.attr), node.attr, value.__name__))
        return self.generic_visit(node)

    def expression(self, value: Any, name: str, home: str = "") -> ast.expr:
        """Return an expression for what a name of a module stands for."""
        if isinstance(value, ModuleType):
            if value is np:
                self.collected.imports.add("import numpy as np")
                return ast.Name("np", ast.Load())
            if value.__name__.startswith("funcnn"):
                raise ScriptError(f"the module {value.__name__} is handed on as a whole")
            if value.__name__.partition(".")[0] not in sys.stdlib_module_names:
                raise ScriptError(f"the package {value.__name__} is neither NumPy nor of the standard library")
            self.collected.imports.add(f"import {value.__name__}")
            return ast.Name(value.__name__, ast.Load())
        if name == "evolve":
            self.collected.imports.add("from dataclasses import replace")
            return ast.Name("replace", ast.Load())
        if isinstance(value, FunctionType | type) or (callable(value) and hasattr(value, "__wrapped__")):
            inner = inspect.unwrap(value) if isinstance(value, Callable) else value  # type: ignore[arg-type]  # what callable() says
            return named(self.collected.refer(inner))
        if isinstance(value, np.ufunc):
            return named(self.collected.refer(value))
        module = home or self.module.__name__
        if name in definitions(module):
            return named(self.collected.define(module, name))
        for other in list(sys.modules.values()):  # a constant of another module, imported by name
            theirs = getattr(other, "__name__", "")
            if theirs.startswith("funcnn.") and vars(other).get(name) is value and name in definitions(theirs):
                return named(self.collected.define(theirs, name))
        return ast.parse(self.collected.expression(value), mode="eval").body


def named(text: str) -> ast.expr:
    """Return the expression of a name, which may be that of a part of a module."""
    return ast.parse(text, mode="eval").body
