"""The terms of a mask rule as tensor expressions over positions: `q`, [Q, 1], and `k`, [K]."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from archspec.backends.torch.python import python
from archspec.dims import num as n
from archspec.dims.expr import Binary, Call, Conditional, Expr, Index, Name, Unary, children, names, write
from archspec.dims.num import Num
from archspec.errors import Diagnostic, Span, UnsupportedError
from archspec.ir.score import PLACES
from archspec.ir.types import TensorType


def looked_up(term: Expr) -> tuple[str, ...]:
    """The tensors that a term looks up."""
    own = [term.base.id] if isinstance(term, Index) and isinstance(term.base, Name) else []
    inner = [] if own else [name for child in children(term) for name in looked_up(child)]
    return tuple(dict.fromkeys(own + inner))


def lookups(rule: Expr) -> tuple[Index, ...]:
    """The elements of tensors that a rule reads."""
    return (rule,) if isinstance(rule, Index) else tuple(x for part in children(rule) for x in lookups(part))


def bare(term: Expr) -> set[str]:
    """Positions that a term computes with, apart from looking tensors up at them."""
    if isinstance(term, Index):
        return {word for item in term.items if not isinstance(item, Name) for word in bare(item)}
    if isinstance(term, Name):
        return {term.id} & set(PLACES)
    return {word for child in children(term) for word in bare(child)}


class Terms(Struct, frozen=True):
    """Writes terms. `types`: of the tensors; `words`: what the function calls tensors and numbers.

    `queries`: how many there are. `blocks`: q and k are tables of positions, where tensors are looked up.
    """

    types: Mapping[str, TensorType]
    words: Mapping[str, str]
    queries: Num
    span: Span | None
    blocks: bool = False

    def boolean(self, term: Expr, *, nested: bool = False) -> str:
        """A boolean term; in parentheses where it is an operand of `&`."""
        match term:
            case Binary(op="and" | "or" as op, left=left, right=right):
                sign = "&" if op == "and" else "|"
                text = f"{self.boolean(left, nested=True)} {sign} {self.boolean(right, nested=True)}"
                return f"({text})" if nested else text
            case Unary(op="not", operand=inner):
                return f"~{self.boolean(inner, nested=True)}"
            case Index(base=Name(id=word)):
                return self.lookup(term) + ("" if self.types[word].dtype == "bool" else ".bool()")
            case _:
                text = self.number(term)
                return f"({text})" if nested and isinstance(term, Binary) else text

    def flat(self, part: Expr) -> str:
        """A tensor [B, K] of booleans that is looked up as it is."""
        (word,) = looked_up(part)
        return self.words[word] + ("" if self.types[word].dtype == "bool" else ".bool()")

    def number(self, expr: Expr) -> str:
        """A term that is a number at each position."""
        if {"b", "h"} & bare(expr):
            raise self.refused(expr)
        slots = {place: place for place in PLACES}
        marked = self._marked(expr, slots)
        return python(marked, lambda word: slots.get(word) or self.words.get(word, word), lambda _: None).text

    def _marked(self, expr: Expr, slots: dict[str, str]) -> Expr:
        """The expression with lookups as names, whose texts go into `slots`."""
        match expr:
            case Index():
                word = f" {len(slots)}"
                slots[word] = self.lookup(expr)
                return Name(word)
            case Binary(op=op, left=left, right=right):
                return Binary(op, self._marked(left, slots), self._marked(right, slots))
            case Unary(op=op, operand=inner):
                return Unary(op, self._marked(inner, slots))
            case Call(function=function, args=args):
                return Call(function, tuple(self._marked(arg, slots) for arg in args))
            case Conditional():
                raise self.refused(expr)
            case _:
                return expr

    def lookup(self, expr: Index) -> str:
        """`t[b, k]` as `t[:, None, None, :]`: the tensor's axes where the scores have them."""
        if any(not isinstance(item, Name) for item in expr.items):
            return self._computed(expr)
        places = [next(names(item), "") for item in expr.items]
        ordered = sorted({place for place in places if place in PLACES}, key=PLACES.index)
        if places != ordered or not isinstance(expr.base, Name):
            raise self.refused(expr)
        span = PLACES[PLACES.index(places[0]) :]
        sizes = dict(zip(places, self.types[expr.base.id].shape, strict=True))
        index = [self._part(place, sizes[place]) if place in places else "None" for place in span]
        while len(index) > 1 and index[0] == index[-1] == ":" and "None" not in index[1:]:
            index.pop()
        base = self.words[expr.base.id]
        if self.blocks:
            return f"at({base}, {places[1]})"
        return base if set(index) == {":"} else f"{base}[{', '.join(index)}]"

    def _computed(self, expr: Index) -> str:
        """`block[q // size, k // size]`: an element at each pair, [Q, K]."""
        read = {word for item in expr.items for word in names(item)}
        if {"b", "h"} & read or self.blocks or not isinstance(expr.base, Name):
            raise self.refused(expr)
        return f"{self.words[expr.base.id]}[{', '.join(self.number(item) for item in expr.items)}]"

    def _part(self, place: str, size: Num) -> str:
        """The axis; where it goes over the whole sequence, the queries' part of it."""
        return "start : start + queries" if place == "q" and not n.same(size, self.queries) else ":"

    def refused(self, expr: Expr) -> UnsupportedError:
        """What to raise for a term that cannot be written."""
        hint = "look tensors up at b, h, q, k in this order; put per-head numbers in a tensor"
        message = f"the torch backend cannot write the mask term '{write(expr)}'"
        return UnsupportedError(Diagnostic("U003", message, self.span, hint))
