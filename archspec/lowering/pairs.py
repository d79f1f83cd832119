"""What masks and scores are made of: positions, numbers by name, and elements of tensors."""

from __future__ import annotations

from itertools import chain, count

from archspec.dims.evaluate import EvalError, describe, evaluate
from archspec.dims.expr import Expr, Index, Literal, Name
from archspec.dims.num import Num
from archspec.errors import did_you_mean
from archspec.ir.builder import Handle
from archspec.lowering.faults import Broken
from archspec.lowering.frame import Frame

INDICES = ("b", "h", "q", "k")
SUCH = {1: "h", 2: "b, k", 3: "h, q, k", 4: "b, h, q, k"}  # how tensors of so many axes are mostly looked up


class Terms:
    """Reads the terms of a rule for pairs, and collects the numbers and tensors that it names.

    `what` is what the messages call it: `a mask`; `stem` begins the names of numbers that have none.
    """

    def __init__(self, frame: Frame, what: str, stem: str) -> None:
        self.frame, self.what, self.stem = frame, what, stem
        self.numbers: dict[str, Num] = {}
        self.tensors: dict[str, Handle] = {}

    def truth(self, expr: Expr) -> bool:
        value = self.frame.evaluate(expr)
        if isinstance(value, bool):
            return value
        hint = "compare it, as in 'n != 0'"
        raise EvalError("N002", f"expected true or false, found {describe(value)}", expr, hint)

    def number(self, expr: Expr) -> Expr:
        if isinstance(expr, Name) and expr.id in self.frame.tensors:
            rank = self.handle(expr).type.rank
            hint = f"look it up at an index: '{expr.id}[{SUCH.get(rank, 'b, k')}]'"
            raise EvalError("N007", f"'{expr.id}' is a tensor", expr, hint)
        value = evaluate(expr, self.frame.value)
        if not isinstance(value, Num):
            raise EvalError("N002", f"{self.what} computes with numbers, not {describe(value)}", expr)
        if isinstance(value.expr, Literal):
            return Literal(value.expr.value)
        return self.named(value, expr.id if isinstance(expr, Name) else f"{self.stem}{len(self.numbers)}")

    def named(self, value: Num, name: str) -> Name:
        """The number's name: this one, or with a number behind it where another number is called so."""
        words = chain([name], (f"{name}{i}" for i in count(2)))
        return Name(next(word for word in words if self.numbers.setdefault(word, value) == value))

    def of_list(self, expr: Index) -> bool:
        """Whether an item of a list is meant: `windows[i]`, and not an element of a tensor."""
        base = expr.base
        return isinstance(base, Name) and base.id not in self.frame.tensors and base.id in self.frame.values

    def tensor(self, expr: Index) -> tuple[str, Handle]:
        """The tensor that is looked up, with an index for each of its axes."""
        base = expr.base
        if not isinstance(base, Name):
            raise EvalError("N007", f"only a named tensor is looked up in {self.what}", expr)
        handle = self.handle(base)
        rank = handle.type.rank
        if rank != len(expr.items):
            takes = f"{rank} indices" if rank != 1 else "one index"
            message = f"'{base.id}' is {handle.type}: it takes {takes}, not {len(expr.items)}"
            raise EvalError("N007", message, expr, f"such as '{base.id}[{SUCH.get(rank, 'b, k')}]'")
        return base.id, handle

    def handle(self, base: Name) -> Handle:
        """The tensor of that name."""
        try:
            handle = self.frame.tensor(base.id)
        except KeyError:
            if not self.frame.lowering.whole:
                raise Broken from None
            hint = self.frame.why_unknown(base.id) or did_you_mean(base.id, self.frame.tensors)
            listed = f"tensors here: {', '.join(self.frame.tensors)}"
            raise EvalError("N001", f"unknown name '{base.id}'", base, hint or listed) from None
        self.tensors[base.id] = handle
        return handle
