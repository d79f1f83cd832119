"""Tensor expressions to operations: `x * (1 + scale) + shift`, `split(qkv, 3, axis=-1)`, `h[:, 0]`."""

from __future__ import annotations

import inspect
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

from archspec.components.base import Place
from archspec.dims import num as n
from archspec.dims.evaluate import EvalError, describe, evaluate
from archspec.dims.expr import (
    Binary,
    Call,
    Conditional,
    Expr,
    Index,
    Listing,
    Literal,
    Name,
    Slice,
    Unary,
)  # fmt: skip
from archspec.dims.num import Num, Value
from archspec.errors import did_you_mean
from archspec.ir.builder import Handle
from archspec.ir.ops import elementwise, shape
from archspec.ir.types import DTYPES, axis_of
from archspec.lowering.frame import Frame
from archspec.lowering.functions import FUNCTIONS

Result: TypeAlias = "Handle | tuple[Any, ...] | Value"
_ARITH = {"+": "add", "-": "sub", "*": "mul", "/": "div", "//": "floordiv", "%": "mod", "**": "pow"}
_COMPARE = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_MIRROR = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


def lower_expression(frame: Frame, expr: Expr, name: str) -> Result:
    """The operations of an expression, placed in the frame's region; what it gives.

    Raises `EvalError`, `ShapeError`, `Problem`, `Broken`.
    """
    return _Lower(frame, frame.place(name)).visit(expr)


class _Lower:
    def __init__(self, frame: Frame, at: Place) -> None:
        self.frame, self.at = frame, at

    def visit(self, expr: Expr) -> Result:
        match expr:
            case Name():
                return self.name(expr)
            case Unary(op=op, operand=x):
                return self.unary(op, self.visit(x), expr)
            case Binary():
                return self.binary(expr)
            case Conditional(test=t, then=a, orelse=b):
                return self.visit(a) if self.number(t) is True else self.visit(b)
            case Call():
                return self.call(expr)
            case Index():
                return self.index(expr)
            case Listing(items=items):
                return tuple(self.visit(item) for item in items)
            case Literal() | Slice():
                return self.number(expr)

    def number(self, expr: Expr) -> Value:
        return evaluate(expr, self.frame.value)

    def name(self, expr: Name) -> Result:
        try:
            return self.frame.tensor(expr.id)
        except KeyError as missing:
            tensors: tuple[str, ...] = missing.args[0] if missing.args else ()
        try:
            return self.frame.value(expr.id)
        except KeyError:
            options = (*tensors, *self.frame.values)
            shown = f"tensors here: {', '.join(tensors)}" if tensors else None
            raise EvalError(
                "N001", f"unknown name '{expr.id}'", expr, did_you_mean(expr.id, options) or shown
            ) from None

    def unary(self, op: str, x: Result, expr: Expr) -> Result:
        if isinstance(x, Handle):
            return self.at.builder.apply(
                elementwise.Map("not" if op == "not" else "neg"), x, name=self.at.name
            )
        return self.number(expr)

    def binary(self, expr: Binary) -> Result:
        left, right = self.visit(expr.left), self.visit(expr.right)
        a, b = isinstance(left, Handle), isinstance(right, Handle)
        if not a and not b:
            return self.combine(expr, left, right)
        if isinstance(left, Handle) and isinstance(right, Handle):
            return self.tensors(expr.op, left, right)
        x, other, flip = (left, right, False) if isinstance(left, Handle) else (right, left, True)
        if not isinstance(other, Num) or not isinstance(x, Handle):
            shown = describe(other) if not isinstance(other, Handle | tuple) else "a list"
            raise EvalError("N002", f"'{expr.op}' does not combine a tensor and {shown}", expr)
        return self.mixed(expr, x, other, flip)

    def combine(self, expr: Binary, left: Result, right: Result) -> Value:
        """Two values that are no tensors; they may come from `size(x, axis)`, so names are not read again."""
        found = {"left": left, "right": right}
        again = Binary(
            expr.op,
            Name("left", expr.left.at, expr.left.end),
            Name("right", expr.right.at, expr.right.end),
            expr.at,
            expr.end,
        )
        return evaluate(again, found.__getitem__)  # type: ignore[arg-type]  # neither is a tensor here

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
            position = self.visit(expr.items[0])
            if len(expr.items) == 1 and isinstance(position, Num) and -len(base) <= int(position) < len(base):
                return base[int(position)]
            raise EvalError("N004", f"no such item in a list of {len(base)}", expr)
        if not isinstance(base, Handle):
            return self.number(expr)
        return self.subscript(base, expr)

    def subscript(self, x: Handle, expr: Index) -> Handle:
        items = list(expr.items)
        given = sum(1 for i in items if not _is_dots(i) and not _is_new(i))
        dots = [k for k, i in enumerate(items) if _is_dots(i)]
        if given > x.type.rank or len(dots) > 1:
            raise EvalError("N002", f"too many indices for {x.type}", expr)
        if dots:
            items[dots[0] : dots[0] + 1] = [Slice(None, None)] * (x.type.rank - given)
        axis = 0
        for item in items:
            if _is_new(item):
                x = self.unit(x, axis)
            elif isinstance(item, Slice):
                x = self.slice(x, axis, item)
            else:
                x = self.pick(x, axis, item)
                continue
            axis += 1
        return x

    def unit(self, x: Handle, axis: int) -> Handle:
        return self.at.builder.apply(
            shape.Reshape((*x.type.shape[:axis], n.num(1), *x.type.shape[axis:])), x, name=self.at.name
        )

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
            raise EvalError("N002", "a bound is a number", expr)
        return value

    def pick(self, x: Handle, axis: int, item: Expr) -> Handle:
        position = self.bound(item)
        assert position is not None
        size = x.type.shape[axis_of(x.type, axis)]
        start = size + position if position.static and int(position) < 0 else position
        one = self.at.builder.apply(shape.Slice(axis, start, start + 1), x, name=self.at.name)
        return self.at.builder.apply(
            shape.Reshape(x.type.shape[:axis] + x.type.shape[axis + 1 :]), one, name=self.at.name
        )

    def call(self, expr: Call) -> Result:
        function = FUNCTIONS.get(expr.function)
        words = expr.function == "cast"
        args = [self.word(a) if words and i else self.visit(a) for i, a in enumerate(expr.args)]
        kwargs = {key: self.word(value) if words else self.visit(value) for key, value in expr.kwargs}
        if (
            function is None
            or (not any(_has_tensor(a) for a in (*args, *kwargs.values()))
            and expr.function not in _SOURCES)
        ):
            return self.plain_call(expr, args)
        return self.bind(expr, args, kwargs)

    def word(self, expr: Expr) -> Result:
        return expr.id if isinstance(expr, Name) and expr.id in DTYPES else self.visit(expr)

    def plain_call(self, expr: Call, args: list[Result]) -> Value:
        """A function of numbers, whose arguments are known already."""
        if expr.kwargs or any(_has_tensor(a) for a in args):
            known = tuple(FUNCTIONS)
            raise EvalError(
                "N003", f"unknown function '{expr.function}'", expr, did_you_mean(expr.function, known)
            )
        found = {f"a{k}": a for k, a in enumerate(args)}
        names = tuple(Name(key, e.at, e.end) for key, e in zip(found, expr.args, strict=True))
        return evaluate(Call(expr.function, names, (), expr.at, expr.end), found.__getitem__)  # type: ignore[arg-type]  # no tensors

    def bind(self, expr: Call, args: list[Result], kwargs: dict[str, Result]) -> Result:
        function = FUNCTIONS[expr.function]
        signature, hints = inspect.signature(function), get_type_hints(function)
        try:
            bound = signature.bind(self.at, *args, **kwargs)
        except TypeError as error:
            shown = ", ".join(p for p in list(signature.parameters)[1:])
            raise EvalError(
                "N003", f"{expr.function}: {error}", expr, f"write {expr.function}({shown})"
            ) from None
        for key, value in list(bound.arguments.items())[1:]:
            kind = signature.parameters[key].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                bound.arguments[key] = tuple(_coerce(v, hints[key], key, expr) for v in value)
            elif kind is inspect.Parameter.VAR_KEYWORD:
                bound.arguments[key] = {k: _coerce(v, hints[key], k, expr) for k, v in value.items()}
            else:
                bound.arguments[key] = _coerce(value, hints[key], key, expr)
        return function(*bound.args, **bound.kwargs)


_SOURCES = ("iota", "full")


def _is_dots(item: Expr) -> bool:
    return isinstance(item, Name) and item.id == "..."


def _is_new(item: Expr) -> bool:
    return isinstance(item, Literal) and item.value is None


def _has_tensor(value: Result) -> bool:
    return isinstance(value, Handle) or (isinstance(value, tuple) and any(_has_tensor(v) for v in value))


def _coerce(value: Result, hint: Any, name: str, expr: Call) -> Any:
    """A written argument as the kind its parameter asks for."""
    kinds = get_args(hint) if get_origin(hint) not in (tuple, None) and not _is_sequence(hint) else (hint,)
    for kind in kinds:
        if kind is type(None) and value is None:
            return None
        if kind is int and isinstance(value, Num):
            return int(value)
        if kind in (Handle, Num, bool, str) and isinstance(value, kind):
            return value
        if get_origin(kind) is tuple and isinstance(value, tuple) and all(isinstance(v, Num) for v in value):
            return value
        if _is_sequence(kind) and isinstance(value, tuple) and all(isinstance(v, Handle) for v in value):
            return value
    shown = (
        "a tensor" if isinstance(value, Handle) else "a list" if isinstance(value, tuple) else describe(value)
    )
    raise EvalError("N003", f"{expr.function}: '{name}' cannot be {shown}", expr)


def _is_sequence(hint: Any) -> bool:
    return "Sequence" in str(get_origin(hint))
