"""The library's source without what a script for one network has no use for.

The numbers of a script are real, its arguments are right, and whether it trains is known.  So checks, annotations and the
branches for complex numbers go, and what is left is the arithmetic: the same operations in the same order, hence the same bits.
"""

from __future__ import annotations

import ast
import re
from typing import cast

from attrs import frozen

Value = bool | None
"""What a test is known to be; None where it is not."""


@frozen
class Known:
    """What is known of the run."""

    training: bool | None
    """None where both modes occur, as below :func:`funcnn.frozen`."""
    keeps_errors: bool = False
    """Whether errors stay: of functions that read what a user gives."""


CHECKS = ("check_", "refuse_", "_check")
"""How functions are called that do nothing but raise errors."""

KEPT_DECORATORS = {"property", "staticmethod", "classmethod", "contextmanager"}


class Simplify(ast.NodeTransformer):
    """Takes away from a function or a class what a script does not need."""

    def __init__(self, known: Known) -> None:
        self.known = known

    # What is known.

    def truth(self, test: ast.expr) -> Value:
        """Return what a test is known to be."""
        text = ast.unparse(test)
        if text.endswith("dtype.kind == 'f'"):
            return True
        if text.endswith("dtype.kind == 'c'") or text == "TYPE_CHECKING":
            return False
        if text in ("isinstance(mode, Train)", "mode.residuals", "keeps_residuals(mode)"):
            return self.known.training
        if text == "isinstance(mode, Eval)":
            return None if self.known.training is None else not self.known.training
        match test:
            case ast.Constant(value=bool() as value):
                return value
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.truth(operand)
                return None if inner is None else not inner
            case ast.BoolOp(op=op, values=values):
                known = [self.truth(one) for one in values]
                decisive = isinstance(op, ast.Or)
                if decisive in known:
                    return decisive
                return None if None in known else not decisive
        return None

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        """Leave out a test whose outcome is known, and one that only raises."""
        value = self.truth(node.test)
        if value is not None:
            return self.statements(node.body if value else node.orelse)
        if not self.known.keeps_errors and not node.orelse and all(isinstance(one, ast.Raise) for one in node.body):
            return None
        node.test = self.shortened(node.test)
        node.body = self.statements(node.body)
        node.orelse = self.statements(node.orelse)
        if not node.body and not node.orelse:
            return None
        node.body = node.body or [ast.Pass()]
        return node

    def shortened(self, test: ast.expr) -> ast.expr:
        """Return a test without the parts that decide nothing."""
        test = self.visit(test)
        if isinstance(test, ast.BoolOp):
            left = [one for one in test.values if self.truth(one) is None]
            return left[0] if len(left) == 1 else ast.BoolOp(test.op, left)
        return test

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        """Leave out a choice that is known."""
        value = self.truth(node.test)
        if value is not None:
            return cast(ast.AST, self.visit(node.body if value else node.orelse))
        return self.generic_visit(node)

    def statements(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """Return statements, each simplified."""
        made: list[ast.stmt] = []
        for one in body:
            new = self.visit(one)
            made += new if isinstance(new, list) else [] if new is None else [new]
            if made and isinstance(made[-1], ast.Return | ast.Raise):
                break
        return made

    # What goes.

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Leave out calls of checks."""
        match node.value:
            case ast.Call(func=func) if ast.unparse(func).rpartition(".")[2].startswith(CHECKS):
                return None
        return self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> ast.AST | list[ast.stmt]:
        """Leave out handlers that only say where an error happened."""
        for handler in node.handlers:
            if not (handler.body and isinstance(handler.body[-1], ast.Raise)):
                return self.generic_visit(node)
        return self.statements([*node.body, *node.orelse, *node.finalbody])

    def visit_For(self, node: ast.For) -> ast.AST | None:
        """Leave out a loop in which nothing is left."""
        node.iter = self.visit(node.iter)
        node.body = self.statements(node.body)
        return node if node.body else None

    def visit_While(self, node: ast.While) -> ast.AST | None:
        """Leave out a loop in which nothing is left."""
        node.test = self.visit(node.test)
        node.body = self.statements(node.body)
        return node if node.body else None

    def visit_With(self, node: ast.With) -> ast.AST | None:
        """Leave out a context in which nothing is left."""
        node.items = [self.visit(one) for one in node.items]
        node.body = self.statements(node.body)
        return node if node.body else None

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Leave out the annotation."""
        if node.value is None:
            return None
        return ast.Assign([node.target], self.visit(node.value))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave out calls that give back what they are given."""
        name = ast.unparse(node.func)
        if name == "cast":
            return cast(ast.AST, self.visit(node.args[1]))
        if name in ("check_count", "check_integer", "check_range", "check_flag"):
            return cast(ast.AST, self.visit(node.args[0]))
        if name in ("np.real", "with_no_tangent", "without_tangent"):
            return cast(ast.AST, self.visit(node.args[0]))
        if name == "Forward" and self.known.training is False and len(node.args) == 3:
            node.args[2] = ast.Tuple([], ast.Load())  # nobody asks for residuals
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Leave out real parts: all numbers are real."""
        if node.attr == "real" and isinstance(node.ctx, ast.Load):
            return cast(ast.AST, self.visit(node.value))
        if node.attr == "_input":
            node.attr = "input"
        return self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Leave out assertions."""
        return None

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Leave out the annotation."""
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Leave out annotations, decorators and all but the first line of the docstring."""
        node.returns = None
        node.decorator_list = [one for one in node.decorator_list if kept_decorator(one)]
        first = short_docstring(node)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        node.args = self.visit(node.args)
        body = self.statements(node.body)
        match body:
            case [*_, ast.Assign(targets=[ast.Name(id=made)], value=value), ast.Return(value=ast.Name(id=given))] if (
                made == given
            ):
                body[-2:] = [ast.Return(value)]
        node.body = [*first, *body] or [ast.Pass()]
        return node


def kept_decorator(decorator: ast.expr) -> bool:
    """Tell whether a decorator does something in a script: caches are left out, since they change no number."""
    return ast.unparse(decorator).partition("(")[0] in KEPT_DECORATORS


def short_docstring(node: ast.FunctionDef | ast.ClassDef) -> list[ast.stmt]:
    """Return the first line of a docstring as a statement."""
    text = ast.get_docstring(node)
    return [ast.Expr(ast.Constant(ROLE.sub(r"``\1``", text.splitlines()[0])))] if text else []


ROLE = re.compile(r":\w+:`~?(?:funcnn\.)?([^`]*)`")
"""How documentation refers to a function."""
