"""Score rules as tensor expressions over positions: b [B, 1, 1, 1], h [H, 1, 1], q [Q, 1] and k [K]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from archspec.backends.torch.code import Code
from archspec.backends.torch.dialect import Score
from archspec.backends.torch.python import python
from archspec.dims import num as n
from archspec.dims.expr import Binary, Call, Expr, Index, Name, Unary, names, write
from archspec.dims.num import Num
from archspec.errors import Diagnostic, Span, UnsupportedError
from archspec.ir.score import FRACTIONS, PLACES, lookups
from archspec.ir.types import TensorType

NARROW = ("float", "float16", "bfloat16")
ENDS = {"min": "max", "max": "min"}  # the smaller of x and 3 is x, at most 3


class ScoreTerms(Struct, frozen=True):
    """Writes a rule. `types`: of the tensors; `words`: what the function calls tensors and numbers."""

    op: Score
    types: Mapping[str, TensorType]
    words: Mapping[str, str]
    span: Span | None

    def rule(self) -> Code:
        """The whole rule. What it computes with is widened to fp32, what it only looks up is not."""
        whole = self.op.rule
        return Code(self.lookup(whole)) if isinstance(whole, Index) else self.code(whole)

    def code(self, expr: Expr) -> Code:
        """A part of the rule."""
        slots: dict[str, str] = {}
        marked = self._marked(expr, slots)
        return python(marked, lambda word: slots.get(word) or self.words.get(word, word), lambda _: None)

    def _marked(self, expr: Expr, slots: dict[str, str]) -> Expr:
        """The expression with names in place of what tensors write otherwise; their texts go into `slots`."""
        match expr:
            case Binary(op=op, left=left, right=right):
                return Binary(op, self._marked(left, slots), self._marked(right, slots))
            case Unary(op=op, operand=inner):
                return Unary(op, self._marked(inner, slots))
            case Call(function="abs", args=(inner,)):
                return Call("abs", (self._marked(inner, slots),))
            case Index() | Call():
                word = f" {len(slots)}"
                slots[word] = ""  # taken, also while its parts are written
                slots[word] = self._element(expr) if isinstance(expr, Index) else self._call(expr)
                return Name(word)
            case _:
                return expr

    def _element(self, part: Index) -> str:
        assert isinstance(part.base, Name)
        widened = ".float()" if self.types[part.base.id].dtype in NARROW else ""
        return self.lookup(part) + widened

    def _call(self, call: Call) -> str:
        if call.function in FRACTIONS and self._varies(call):
            return f"{self.code(call.args[0]).atom}.{call.function}()"
        if call.function not in ENDS:
            hint = "put the number into the attention's 'names'"
            message = f"the torch backend computes no '{write(call)}' of numbers alone"
            raise UnsupportedError(Diagnostic("U003", message, self.span, hint))
        return self._extreme(call.function, call.args)

    def _extreme(self, function: str, args: Sequence[Expr]) -> str:
        """The smallest or largest: `x.clamp(low, high)` where it is one tensor among numbers."""
        if len(args) > 2:
            return self._extreme(function, (Call(function, tuple(args[:-1])), args[-1]))
        varying = [x for x in args if self._varies(x)]
        texts = [self.code(x).text for x in args]
        if len(varying) != 1:
            word = function if not varying else {"min": "torch.minimum", "max": "torch.maximum"}[function]
            return f"{word}({', '.join(texts)})"
        x, end = varying[0], texts[1 - args.index(varying[0])]
        low = self._low(x) if function == "min" else None
        if low is not None:
            return f"{self.code(low[0]).atom}.clamp({self.code(low[1]).text}, {end})"
        return f"{self.code(x).atom}.clamp({ENDS[function]}={end})"

    def _low(self, expr: Expr) -> tuple[Expr, Expr] | None:
        """x and a number, of `max(x, number)`."""
        if not isinstance(expr, Call) or expr.function != "max" or len(expr.args) != 2:
            return None
        x, low = sorted(expr.args, key=self._varies, reverse=True)
        return None if self._varies(low) else (x, low)

    @staticmethod
    def _varies(expr: Expr) -> bool:
        """Whether an expression is a tensor, and not one number."""
        return bool(lookups(expr) or {*PLACES} & {*names(expr)})

    def lookup(self, part: Index) -> str:
        """An element at each pair: by slices where its axes stand as those of the scores, or by positions."""
        assert isinstance(part.base, Name)
        base, shape = self.words[part.base.id], self.types[part.base.id].shape
        places = [item.id if isinstance(item, Name) and item.id in PLACES else "" for item in part.items]
        lead = places[:-1]
        if places == sorted({*places} - {""}, key=PLACES.index):
            index = self._sliced(places, dict(zip(places, shape, strict=True)))
        elif lead == [place for place in "bh" if place in lead] and not {"b", "h"} & {*names(part.items[-1])}:
            index = self._gathered(lead, part.items[-1])
        else:
            index = [self.position(item, size) for item, size in zip(part.items, shape, strict=True)]
        return base if {*index} == {":"} else f"{base}[{', '.join(index)}]"

    def _sliced(self, places: list[str], sizes: Mapping[str, Num]) -> list[str]:
        span = PLACES[PLACES.index(places[0]) :]
        return [self._part(place, sizes[place]) if place in places else "None" for place in span]

    def _part(self, place: str, size: Num) -> str:
        """An axis; of one that is longer, what these queries and keys are at."""
        if place == "q" and not n.same(size, self.op.queries):
            return "start : start + queries"
        return ":keys" if place == "k" and not n.same(size, self.op.keys) else ":"

    def _gathered(self, lead: list[str], item: Expr) -> list[str]:
        """Along the last axis, at [Q, K], [Q, 1] or [K] places."""
        read = {*names(item)}
        rank = 2 if "q" in read else 1 if "k" in read else 0
        span = PLACES[PLACES.index(lead[0]) : 2] if lead else ()
        missing = ["None"] * (2 - rank if lead else 0)
        return [*(":" if place in lead else "None" for place in span), *missing, self.code(item).text]

    def position(self, item: Expr, size: Num) -> str:
        """Where to look along an axis; along one of these queries alone, from the first of them on."""
        own = item == Name("q") and n.same(size, self.op.queries) and self.op.start.value != 0
        return "q - start" if own else self.code(item).text
