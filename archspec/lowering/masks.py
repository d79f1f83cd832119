"""Attention masks: `causal and padding(attention_mask)` to a rule over the indices b, h, q, k."""

from __future__ import annotations

from archspec.components.slots import PairRule
from archspec.dims.evaluate import EvalError
from archspec.dims.expr import Binary, Call, Conditional, Expr, Index, Literal, Name, Unary, names, write
from archspec.errors import did_you_mean
from archspec.lowering.frame import Frame
from archspec.lowering.pairs import INDICES, Terms

CALLS = ("window", "near", "padding", "abs")
WORDS = {"causal": "k <= q", "window": "q - k < n", "near": "|q - k| <= n", "padding": "t[b, k]"}


def read_mask(frame: Frame, expr: Expr) -> PairRule:
    """The rule, its sugar written out, with the numbers and tensors that it names.

    Raises `EvalError`, `Broken`.
    """
    reader = _Reader(frame)
    written = reader.whole(expr)
    return PairRule(written, tuple(reader.numbers.items()), tuple(reader.tensors.items()))


class _Reader(Terms):
    def __init__(self, frame: Frame) -> None:
        super().__init__(frame, "a mask", "n")

    def whole(self, expr: Expr) -> Expr:
        """A mask: its terms, true where they look up a tensor that was left out."""
        match expr:
            case Binary(op="and", left=a, right=b):
                return self.both(self.whole(a), self.whole(b))
            case Conditional(test=t, then=a, orelse=b):
                return self.whole(a) if self.truth(t) else self.whole(b)
            case _ if any(name in self.frame.left_out for name in names(expr)):
                return Literal(True)
            case _:
                return self.rule(expr)

    def both(self, a: Expr, b: Expr) -> Expr:
        if Literal(True) in (a, b):
            return b if a == Literal(True) else a
        return Binary("and", a, b)

    def rule(self, expr: Expr) -> Expr:
        """A part that is true or false."""
        match expr:
            case Binary(op="and" | "or" as op, left=a, right=b):
                return Binary(op, self.rule(a), self.rule(b))
            case Binary(op="==" | "!=" | "<" | "<=" | ">" | ">=" as op, left=a, right=b):
                return Binary(op, self.term(a), self.term(b))
            case Unary(op="not", operand=x):
                return Unary("not", self.rule(x))
            case Name(id="causal"):
                return Binary("<=", Name("k"), Name("q"))
            case Name(id=name):
                return self.word(name, expr)
            case Call(function="window" | "near" | "padding"):
                return self.sugar(expr)
            case Index() if self.of_list(expr):
                return Literal(self.truth(expr))
            case Index():
                return self.lookup(expr, ("bool",))
            case Literal(value=bool()):
                return expr
            case Conditional(test=t, then=a, orelse=b):
                return self.rule(a) if self.truth(t) else self.rule(b)
            case Call(function=function):
                name = Name(function, expr.at, expr.at + len(function))
                hint = did_you_mean(function, CALLS) or f"one of: {', '.join(CALLS)}"
                raise EvalError("N003", f"unknown function '{function}' in a mask", name, hint)
            case _:
                hint = "such as 'k <= q and q - k < 512'"
                raise EvalError("N007", "a mask is made of comparisons of b, h, q and k", expr, hint)

    def word(self, name: str, expr: Expr) -> Expr:
        try:
            value = self.frame.value(name)
        except KeyError:
            value = None
        if isinstance(value, bool):
            return Literal(value)
        hint = did_you_mean(name, WORDS) or f"words: {', '.join(WORDS)}; or comparisons of b, h, q and k"
        if name in self.frame.tensors:
            hint = f"write 'padding({name})', or look it up: '{name}[b, k]'"
        raise EvalError("N007", f"'{name}' is not a mask", expr, hint)

    def sugar(self, call: Call) -> Expr:
        if len(call.args) != 1 or call.kwargs:
            message = f"'{call.function}' takes one argument, not {len(call.args) + len(call.kwargs)}"
            raise EvalError("N003", message, call, f"'{call.function}(n)' is '{WORDS[call.function]}'")
        if call.function == "padding":
            return self.rule(Index(call.args[0], (Name("b"), Name("k")), call.at, call.end))
        gap = Binary("-", Name("q"), Name("k"))
        size = self.term(call.args[0])
        return (
            Binary("<", gap, size) if call.function == "window" else Binary("<=", Call("abs", (gap,)), size)
        )

    def term(self, expr: Expr) -> Expr:
        """A part that is a number at each index."""
        match expr:
            case Name(id=name) if name in INDICES:
                return Name(name)
            case Binary(op="+" | "-" | "*" | "//" | "%" as op, left=a, right=b):
                return Binary(op, self.term(a), self.term(b))
            case Unary(op="-", operand=x):
                return Unary("-", self.term(x))
            case Call(function="abs", args=(x,)):
                return Call("abs", (self.term(x),))
            case Index() if not self.of_list(expr):
                return self.lookup(expr, ("int64", "int32"))
            case _:
                return self.number(expr)

    def lookup(self, expr: Index, dtypes: tuple[str, ...]) -> Expr:
        name, handle = self.tensor(expr)
        if dtypes == ("bool",) and handle.type.dtype not in ("bool", "int64", "int32"):
            raise EvalError("N007", f"{name} is {handle.type}, not true or false", expr, "declare it as bool")
        return Index(Name(name), tuple(self.index(item) for item in expr.items))

    def index(self, item: Expr) -> Expr:
        if isinstance(item, Name) and item.id in INDICES:
            return Name(item.id)
        if {"b", "h"} & set(names(item)) or not {"q", "k"} & set(names(item)):
            where = "b, h, q, k and numbers of q and k"
            message = f"a mask looks tensors up at {where}, not at '{write(item)}'"
            raise EvalError("N007", message, item, "compute a tensor for each row or head first")
        return self.term(item)
