"""Tensor expressions to operations: `x * (1 + scale) + shift`, `split(qkv, 3, axis=-1)`, `h[:, 0]`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from archspec.components.base import Place, Problem
from archspec.dims import num as n
from archspec.dims.evaluate import EvalError, describe, evaluate
from archspec.dims.expr import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Expr,
    Index,
    Listing,
    Literal,
    Name,
    Slice,
    Unary,
)  # fmt: skip
from archspec.dims.functions import FUNCTIONS as NUMBER_FUNCTIONS
from archspec.dims.num import Num, NumError, UnknownError, Value
from archspec.errors import did_you_mean
from archspec.ir.builder import Handle
from archspec.ir.ops import elementwise, shape
from archspec.ir.types import DTYPES, ShapeError, axis_of
from archspec.lowering.calls import Result, call_function, function_name, shown
from archspec.lowering.frame import Frame
from archspec.lowering.functions import FUNCTIONS

_ARITH = {"+": "add", "-": "sub", "*": "mul", "/": "div", "//": "floordiv", "%": "mod", "**": "pow"}
_COMPARE = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_MIRROR = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


def lower_expression(frame: Frame, expr: Expr, *names: str) -> Result:
    """The operations of an expression, placed in the frame's region; what it gives.

    Raises `EvalError` at the innermost part that does not work, `Broken`.
    """
    return _Lower(frame, structs.replace(frame.place(names[0]), names=names)).visit(expr)


class _Lower:
    def __init__(self, frame: Frame, at: Place) -> None:
        self.frame, self.at = frame, at

    def visit(self, expr: Expr) -> Result:
        try:
            return self._visit(expr)
        except (Problem, ShapeError) as fault:
            raise EvalError(fault.code, fault.message, expr, fault.hint) from None
        except NumError as fault:
            code = "N005" if isinstance(fault, UnknownError) else "N004"
            raise EvalError(code, str(fault), expr) from None

    def _visit(self, expr: Expr) -> Result:
        match expr:
            case Name():
                return self.name(expr)
            case Unary(op=op, operand=x):
                return self.unary(op, self.visit(x), expr)
            case Binary():
                return self.binary(expr)
            case Conditional(test=t, then=a, orelse=b):
                return self.visit(a) if self.truth(t) else self.visit(b)
            case Call():
                return self.call(expr)
            case Index():
                return self.index(expr)
            case Listing(items=items):
                return tuple(self.visit(item) for item in items)
            case Literal() | Slice() | Comprehension():
                return self.number(expr)

    def number(self, expr: Expr) -> Value:
        return self.frame.evaluate(expr)

    def truth(self, expr: Expr) -> bool:
        value = self.number(expr)
        if isinstance(value, bool):
            return value
        hint = "compare it, as in 'n != 0'"
        raise EvalError("N002", f"expected true or false, found {describe(value)}", expr, hint)

    def name(self, expr: Name) -> Result:
        if expr.id == "_" or expr.id in self.frame.tensors:
            return self.frame.tensor(expr.id)
        if expr.id in self.frame.left_out:
            hint = f"'{expr.id}' is optional: leave this out with 'when: {expr.id} != null'"
            raise EvalError("L013", f"'{expr.id}' is not given here", expr, hint)
        try:
            return self.frame.value(expr.id)
        except KeyError:
            raise EvalError("N001", f"unknown name '{expr.id}'", expr, self.suggest(expr.id)) from None

    def suggest(self, name: str) -> str | None:
        tensors = tuple(self.frame.tensors)
        listed = f"tensors here: {', '.join(tensors[-12:])}" if tensors else None
        close = did_you_mean(name, (*tensors, *self.frame.options()))
        return self.frame.why_unknown(name) or close or listed

    def unary(self, op: str, x: Result, expr: Expr) -> Result:
        if isinstance(x, Handle):
            return self.at.builder.apply(
                elementwise.Map("not" if op == "not" else "neg"), x, name=self.at.name
            )
        return self.again(Unary(op, Name("x", expr.at, expr.end), expr.at, expr.end), {"x": x})

    def binary(self, expr: Binary) -> Result:
        left, right = self.visit(expr.left), self.visit(expr.right)
        a, b = isinstance(left, Handle), isinstance(right, Handle)
        if not a and not b:
            return self.combine(expr, left, right)
        if expr.op == "in":
            raise EvalError("N002", "'in' looks for a number or a word in a list", expr)
        if isinstance(left, Handle) and isinstance(right, Handle):
            return self.tensors(expr.op, left, right)
        x, other, flip = (left, right, False) if isinstance(left, Handle) else (right, left, True)
        if not isinstance(other, Num) or not isinstance(x, Handle):
            raise EvalError("N002", f"'{expr.op}' does not combine a tensor and {shown(other)}", expr)
        return self.mixed(expr, x, other, flip)

    def combine(self, expr: Binary, left: Result, right: Result) -> Result:
        """Two values that are no tensors; they may come from `size(x, axis)`, so names are not read again."""
        found = {"left": left, "right": right}
        again = Binary(
            expr.op,
            Name("left", expr.left.at, expr.left.end),
            Name("right", expr.right.at, expr.right.end),
            expr.at,
            expr.end,
        )
        if isinstance(left, tuple) and isinstance(right, tuple) and expr.op == "+":
            return (*left, *right)
        if _has_tensor(left) or _has_tensor(right):
            message = f"'{expr.op}' does not combine {shown(left)} and {shown(right)}"
            raise EvalError("N002", message, expr)
        return self.again(again, found)

    def tensors(self, op: str, a: Handle, b: Handle) -> Handle:
        if op == "@":
            return FUNCTIONS["matmul"](self.at, a, b)  # type: ignore[return-value]  # one result
        if op in ("and", "or"):
            return self.at.builder.apply(elementwise.Logic(op), a, b, name=self.at.name)
        kind = elementwise.Compare(_COMPARE[op]) if op in _COMPARE else elementwise.Arith(_ARITH[op])
        return self.at.builder.apply(kind, a, b, name=self.at.name)

    def mixed(self, expr: Binary, x: Handle, other: Num, flip: bool) -> Handle:
        op = expr.op
        if op in _COMPARE:
            fn = _MIRROR[_COMPARE[op]] if flip else _COMPARE[op]
            return self.at.builder.apply(elementwise.CompareScalar(fn, other), x, name=self.at.name)
        if op not in _ARITH:
            raise EvalError("N002", f"'{op}' does not combine a tensor and a number", expr)
        commutes = op in "+*"
        return self.at.builder.apply(
            elementwise.Scalar(_ARITH[op], other, flip and not commutes), x, name=self.at.name
        )

    def index(self, expr: Index) -> Result:
        base = self.visit(expr.base)
        if isinstance(base, tuple):
            return self.item(base, expr)
        if not isinstance(base, Handle):
            return self.number(expr)
        return self.subscript(base, expr)

    def item(self, base: tuple[Result, ...], expr: Index) -> Result:
        if len(expr.items) != 1 or isinstance(expr.items[0], Slice):
            raise EvalError("N002", f"a list of {len(base)} takes one index here", expr)
        position = self.bound(expr.items[0])
        if position is None or not -len(base) <= int(position) < len(base):
            raise EvalError("N004", f"index {position} is outside a list of {len(base)}", expr.items[0])
        return base[int(position)]

    def subscript(self, x: Handle, expr: Index) -> Handle:
        items = list(expr.items)
        given = sum(1 for i in items if not _is_dots(i) and not _is_new(i))
        dots = [k for k, i in enumerate(items) if _is_dots(i)]
        if given > x.type.rank or len(dots) > 1:
            raise EvalError("N002", f"{given} indices are too many for {x.type}", expr, "one for each axis")
        if dots:
            items[dots[0] : dots[0] + 1] = [Slice(None, None)] * (x.type.rank - given)
        axis, kept = 0, list[int | None]()
        for item in items:
            if _is_new(item):
                kept.append(None)
                continue
            if isinstance(item, Slice):
                x = self.slice(x, axis, item)
                kept.append(axis)
            else:
                x = self.pick(x, axis, item)
            axis += 1
        kept += range(axis, x.type.rank)
        return self.framed(x, kept)

    def framed(self, x: Handle, kept: list[int | None]) -> Handle:
        """The axes `kept`, in order, with a new one of size 1 for each None."""
        if kept == list(range(x.type.rank)):
            return x
        sizes = tuple(n.num(1) if axis is None else x.type.shape[axis] for axis in kept)
        return self.at.builder.apply(shape.Reshape(sizes), x, name=self.at.name)

    def slice(self, x: Handle, axis: int, item: Slice) -> Handle:
        if item.start is None and item.stop is None and item.step is None:
            return x
        if item.step is not None:
            raise EvalError("N002", "a slice of a tensor takes no step", item, "reshape, then pick")
        start = self.bound(item.start) or n.num(0)
        return self.at.builder.apply(shape.Slice(axis, start, self.bound(item.stop)), x, name=self.at.name)

    def bound(self, expr: Expr | None) -> Num | None:
        if expr is None:
            return None
        value = self.visit(expr)
        if not isinstance(value, Num):
            raise EvalError("N002", f"an index is a number, not {shown(value)}", expr)
        return value

    def pick(self, x: Handle, axis: int, item: Expr) -> Handle:
        position = self.bound(item)
        assert position is not None
        size = x.type.shape[axis_of(x.type, axis)]
        start = size + position if position.static and int(position) < 0 else position
        return self.at.builder.apply(shape.Slice(axis, start, start + 1), x, name=self.at.name)

    def call(self, expr: Call) -> Result:
        known = (*FUNCTIONS, *NUMBER_FUNCTIONS)
        if expr.function not in known:
            hint = did_you_mean(expr.function, known) or f"some are: {', '.join(sorted(known)[:12])}"
            raise EvalError("N003", f"unknown function '{expr.function}'", function_name(expr), hint)
        words = expr.function == "cast"
        args = [self.word(a) if words and i else self.visit(a) for i, a in enumerate(expr.args)]
        kwargs = {key: self.word(value) if words else self.visit(value) for key, value in expr.kwargs}
        tensors = any(_has_tensor(a) for a in (*args, *kwargs.values()))
        if expr.function in FUNCTIONS and (tensors or expr.function in _SOURCES):
            return call_function(self.at, expr, args, kwargs)
        return self.plain_call(expr, args)

    def word(self, expr: Expr) -> Result:
        """A dtype is a word, not a name in scope."""
        if not isinstance(expr, Name) or expr.id in self.frame.tensors or expr.id in self.frame.options():
            return self.visit(expr)
        if expr.id not in DTYPES:
            hint = did_you_mean(expr.id, DTYPES) or f"one of: {', '.join(DTYPES)}"
            raise EvalError("T010", f"unknown dtype '{expr.id}'", expr, hint)
        return expr.id

    def plain_call(self, expr: Call, args: list[Result]) -> Value:
        """A function of numbers, whose arguments are known already."""
        if expr.function not in NUMBER_FUNCTIONS:
            message = f"'{expr.function}' works on a tensor, and none is given"
            raise EvalError("N003", message, function_name(expr), "name a step")
        if any(_has_tensor(a) for a in args):
            message = f"'{expr.function}' works on numbers, not on tensors"
            raise EvalError("N003", message, function_name(expr), "compute the number under 'params'")
        found = {f"a{k}": a for k, a in enumerate(args)}
        names = tuple(Name(key, e.at, e.end) for key, e in zip(found, expr.args, strict=True))
        return self.again(Call(expr.function, names, expr.kwargs, expr.at, expr.end), found)

    def again(self, expr: Expr, found: Mapping[str, Result]) -> Value:
        """Numbers from values that are known already: names are not read again."""
        return evaluate(expr, found.__getitem__)  # type: ignore[arg-type]  # none of them is a tensor


_SOURCES = ("iota", "full")


def _is_dots(item: Expr) -> bool:
    return isinstance(item, Name) and item.id == "..."


def _is_new(item: Expr) -> bool:
    return isinstance(item, Literal) and item.value is None


def _has_tensor(value: Result) -> bool:
    return isinstance(value, Handle) or (isinstance(value, tuple) and any(_has_tensor(v) for v in value))
