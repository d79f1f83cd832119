"""Rules over pairs of a query and a key as tensors that broadcast to [B, H, Q, K]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from archspec.backends.onnx.place import Place
from archspec.backends.onnx.tensor import Tensor
from archspec.dims import num as n
from archspec.dims.expr import (
    Binary,
    Call,
    Conditional,
    Expr,
    Index,
    Literal,
    Name,
    Slice,
    Unary,
    names,
    write,
)
from archspec.dims.num import Num
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.types import is_float

ARITHMETIC = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "**": "Pow"}
COMPARE = {"<": "Less", "<=": "LessOrEqual", ">": "Greater", ">=": "GreaterOrEqual", "==": "Equal"}
FUNCTIONS = {"abs": "Abs", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "min": "Min", "max": "Max"}
FRACTIONS = ("exp", "log", "sqrt")


@dataclass(slots=True)
class Found:
    """A value at each pair, with its dtype in the IR."""

    value: ir.Value
    dtype: str


@dataclass(slots=True)
class Pairs:
    """What the names of a rule stand for. `sizes` are those of b, h, q and k; queries count from `start`."""

    axes: ClassVar[Mapping[str, int]] = {"b": 0, "h": 1, "q": 2, "k": 3}
    rank: ClassVar[int] = 4
    place: Place
    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, Num]
    sizes: Mapping[str, Num]
    start: Num

    def boolean(self, rule: Expr) -> ir.Value:
        """The rule as booleans."""
        return self._to(self.of(rule), "bool").value

    def of(self, rule: Expr) -> Found:
        """The rule's value at each pair. Raises `UnsupportedError` U003 for what has no value there."""
        match rule:
            case Literal(value=bool() | int() | float() as value):
                dtype = (
                    "bool" if isinstance(value, bool) else "int64" if isinstance(value, int) else "float32"
                )
                return Found(self.place.scalar(value, dtype), dtype)
            case Name(id=word):
                return self.position(word) if word in self.axes else self._number(word)
            case Index(base=Name(id=word)):
                return self._looked_up(rule, self.tensors[word])
            case Binary(op="and" | "or", left=a, right=b):
                kind = "And" if rule.op == "and" else "Or"
                return Found(self.place.one(kind, self.boolean(a), self.boolean(b)), "bool")
            case Binary(op=op, left=a, right=b):
                return self._combined(op, self.of(a), self.of(b))
            case Unary(op="not", operand=inner):
                return Found(self.place.one("Not", self.boolean(inner)), "bool")
            case Unary(op=op, operand=inner):
                found = self.of(inner)
                return found if op == "+" else Found(self.place.one("Neg", found.value), found.dtype)
            case Call(function=function, args=args) if function in FUNCTIONS:
                return self._called(function, [self.of(arg) for arg in args])
            case Conditional(test=test, then=a, orelse=b):
                return self._either(self.boolean(test), self.of(a), self.of(b))
            case _:
                raise self.refused(rule)

    def refused(self, rule: Expr) -> UnsupportedError:
        """What to raise for a part that cannot be written."""
        return UnsupportedError(Diagnostic("U003", f"ONNX has no form of '{write(rule)}' at a pair"))

    def position(self, word: str) -> Found:
        """The positions along b, h, q or k, on the axis that these have."""
        start = self.start if word == "q" else n.num(0)
        return Found(self.spread(self.counted(start, self.sizes[word]), (self.axes[word],)), "int64")

    def counted(self, start: Num, count: Num) -> ir.Value:
        """start, start + 1, ...: [count]."""
        first, last = (self.place.rank0(x, "int64") for x in (start, start + count))
        return self.place.one("Range", first, last, self.place.scalar(1, "int64"))

    def spread(self, value: ir.Value, axes: Sequence[int]) -> ir.Value:
        """A tensor with these axes of the pairs, with axes of size 1 from the first of them on."""
        missing = [i - axes[0] for i in range(axes[0], self.rank) if i not in axes]
        return self.place.one("Unsqueeze", value, self.place.tape.integers(*missing)) if missing else value

    def whole(self, place: str, size: Num) -> bool:
        """Whether an axis of a tensor is that of the pairs, place by place, or the same at all of them."""
        return self.place.same(size, self.sizes[place]) or self.place.same(size, n.num(1))

    def own(self, place: str, size: Num) -> bool:
        """Whether an axis is as long as the queries of this call, so that it counts from their first."""
        return place == "q" and self.start.value != 0 and self.place.same(size, self.sizes["q"])

    def _number(self, word: str) -> Found:
        dtype = "float32" if isinstance(self.numbers[word].value, float) else "int64"
        return Found(self.place.number(self.numbers[word], dtype), dtype)

    def _looked_up(self, rule: Index, tensor: Tensor) -> Found:
        places = [item.id if isinstance(item, Name) and item.id in self.axes else "" for item in rule.items]
        sizes = tensor.type.shape
        known = [place != "" and self.whole(place, size) for place, size in zip(places, sizes, strict=True)]
        axes = [self.axes[place] for place, fits in zip(places, known, strict=True) if fits]
        if all(known) and axes == sorted(set(axes)):
            value = self.spread(tensor.value, axes)
        else:
            value = self._along_last(rule, places, known, tensor) or self._at(rule, tensor)
        return Found(value, tensor.type.dtype)

    def _along_last(
        self, rule: Index, places: Sequence[str], known: Sequence[bool], tensor: Tensor
    ) -> ir.Value | None:
        """`table[h, f(q, k)]`: along the last axis at [Q, K] places; None for other lookups."""
        lead, last = places[:-1], rule.items[-1]
        read = {*names(last)} & {*self.axes}
        if not lead or not all(known[:-1]) or read != {"q", "k"} or lead not in (["h"], ["b"], ["b", "h"]):
            return None
        found = self.place.one("Gather", tensor.value, self._index(last).value, axis=len(lead))
        return self.place.one("Unsqueeze", found, self.place.tape.integers(1)) if lead == ["b"] else found

    def _at(self, rule: Index, tensor: Tensor) -> ir.Value:
        """Elements at computed places, of the tensor laid out in a row."""
        total: Found | None = None
        for size, item in zip(tensor.type.shape, rule.items, strict=True):
            step = self._index(item)
            if isinstance(item, Name) and self.own(item.id, size):
                step = self._combined("-", step, Found(self.place.number(self.start, "int64"), "int64"))
            if total is not None:
                width = Found(self.place.number(size, "int64"), "int64")
                step = self._combined("+", self._combined("*", total, width), step)
            total = step
        assert total is not None, "a lookup has a place"
        row = self.place.one("Reshape", tensor.value, self.place.tape.integers(-1))
        return self.place.one("Gather", row, total.value, axis=0)

    def _index(self, item: Expr | Slice) -> Found:
        if isinstance(item, Slice):
            raise self.refused(item)
        return self.of(item)

    def _to(self, x: Found, dtype: str) -> Found:
        return Found(self.place.cast(x.value, x.dtype, dtype), dtype)

    def _alike(self, fractional: bool, *given: Found) -> list[Found]:
        """Numbers as fp32 if one of them is a fraction, or the result is; else as int64."""
        dtype = "float32" if fractional or any(is_float(x.dtype) for x in given) else "int64"
        return [self._to(x, dtype) for x in given]

    def _combined(self, op: str, a: Found, b: Found) -> Found:
        a, b = self._alike(op in ("/", "**"), a, b)
        if op in COMPARE:
            return Found(self.place.one(COMPARE[op], a.value, b.value), "bool")
        if op == "!=":
            return Found(self.place.one("Not", self.place.one("Equal", a.value, b.value)), "bool")
        if op in ("//", "%"):
            return Found(self._divided(op, a, b), a.dtype)
        return Found(self.place.one(ARITHMETIC[op], a.value, b.value), a.dtype)

    def _divided(self, op: str, a: Found, b: Found) -> ir.Value:
        """The quotient toward minus infinity, or its remainder: a - floor(a / b) * b."""
        if is_float(a.dtype):
            quotient = self.place.one("Floor", self.place.one("Div", a.value, b.value))
            if op == "//":
                return quotient
            return self.place.one("Sub", a.value, self.place.one("Mul", quotient, b.value))
        rest = self.place.one("Mod", a.value, b.value)
        return rest if op == "%" else self.place.one("Div", self.place.one("Sub", a.value, rest), b.value)

    def _either(self, test: ir.Value, a: Found, b: Found) -> Found:
        if a.dtype == b.dtype == "bool":
            return Found(self.place.one("Where", test, a.value, b.value), "bool")
        a, b = self._alike(False, a, b)
        return Found(self.place.one("Where", test, a.value, b.value), a.dtype)

    def _called(self, function: str, given: Sequence[Found]) -> Found:
        args = self._alike(function in FRACTIONS, *given)
        return Found(self.place.one(FUNCTIONS[function], *(x.value for x in args)), args[0].dtype)
