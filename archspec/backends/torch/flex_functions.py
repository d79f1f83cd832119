"""Mask and score rules as functions of emitted source that FlexAttention takes: of one query and one key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.backends.torch.code import SUM
from archspec.backends.torch.dialect import FlexMask, FlexScore
from archspec.backends.torch.layout import docstring, wrapped
from archspec.backends.torch.mask_rules import conjuncts, may_be_absent
from archspec.backends.torch.mask_terms import Terms, lookups
from archspec.backends.torch.masks import MaskWriter
from archspec.backends.torch.pair_functions import PairFunction, annotated, arguments, laid_out, spelt
from archspec.backends.torch.score_terms import ScoreTerms
from archspec.dims import num as n
from archspec.dims.expr import Expr, Index, Name, names, write
from archspec.dims.num import Num
from archspec.errors import Span
from archspec.ir.graph import Value
from archspec.ir.score import PLACES

_PLACES = tuple(map(Name, PLACES))
PAIR = ("b: Tensor", "h: Tensor", "q: Tensor", "k: Tensor")


def flex_mask(name: str, op: FlexMask, operands: Sequence[Value | None], span: Span | None) -> PairFunction:
    """The function that makes the block mask; absent operands' terms are left out when it runs.

    Raises `UnsupportedError` U003 for a rule that this backend cannot write.
    """
    given = {word: v for word, v in zip(op.operands, operands, strict=True) if v is not None}
    words = spelt((*op.operands, *(word for word, _ in op.names)))
    types = {word: v.type for word, v in given.items()}
    terms = _Elements(types, words, op.queries, span, start=op.start.value != 0)
    writer = FlexWriter(op, given, words, terms)
    kind = "BlockMask | None" if may_be_absent(op, operands) else "BlockMask"
    return _function(
        name, op, (words, given), (f"True where a query may look: {write(op.rule)}.", kind, writer.body())
    )


def flex_score(name: str, op: FlexScore, operands: Sequence[Value | None], span: Span | None) -> PairFunction:
    """The function that makes the change of a score.

    Raises `UnsupportedError` U003 for a rule that this backend cannot write.
    """
    given = {word: v for word, v in zip(op.operands, operands, strict=True) if v is not None}
    words = spelt((*op.operands, *(word for word, _ in op.names)))
    rule = _ScoreElements(op, {word: v.type for word, v in given.items()}, words, span).rule()
    body = [
        *_inner("changed", ("score: Tensor", *PAIR)),
        *_moved(op),
        f"    return score + {rule.inside(SUM)}",
        "",
        "return changed",
    ]
    kind = "Callable[..., Tensor]"
    return _function(name, op, (words, given), (f"Adds to a score: {write(op.rule)}.", kind, body))


def _function(
    name: str,
    op: FlexMask | FlexScore,
    known: tuple[Mapping[str, str], Mapping[str, Value]],
    text: tuple[str, str, Sequence[str]],
) -> PairFunction:
    (words, given), (doc, kind, body) = known, text
    params = arguments(words, body)
    meant = {other: word for word, other in words.items()}
    shown = [annotated(word, meant.get(word), given, op) for word in params]
    head = (*wrapped(f"def {name}(", shown, f") -> {kind}:", 0), *docstring([doc], 4))
    lines = (part if part.strip() else "" for line in body for part in laid_out(line))
    return PairFunction((*head, *lines), params)


def _inner(name: str, params: Sequence[str]) -> list[str]:
    return ["", f"def {name}({', '.join(params)}) -> Tensor:"]


def _moved(op: FlexMask | FlexScore) -> list[str]:
    """FlexAttention counts queries from 0."""
    return ["    q = q + start"] if "q" in names(op.rule) and op.start.value != 0 else []


class FlexWriter(MaskWriter, frozen=True):
    """The statements of the function that makes a block mask."""

    def body(self) -> list[str]:
        terms = conjuncts(self.op.rule)
        certain = [term for term in terms if not self.optional(term)]
        if not certain and len(terms) == 1:
            absent = " or ".join(f"{word} is None" for word in self.optional(terms[0]))
            inside = [f"return {self.terms.boolean(terms[0])}"]
            return [f"if {absent}:", "    return None", *self._visible(inside)]
        joined = " & ".join(self.terms.boolean(term, nested=len(certain) > 1) for term in certain)
        if len(certain) == len(terms):
            return [*self.shortcut(terms), *self._visible([f"return {joined}"])]
        inside = [f"seen = {joined or 'k >= 0'}"]
        for term in (term for term in terms if term not in certain):
            there = " and ".join(f"{word} is not None" for word in self.optional(term))
            inside += [f"if {there}:", f"    seen = seen & {self.terms.boolean(term, nested=True)}"]
        return [*self.shortcut(terms), *self._visible([*inside, "return seen"])]

    def _visible(self, inside: Sequence[str]) -> list[str]:
        assert isinstance(self.op, FlexMask)
        rows = self._size("b")
        known = [f"rows = {rows}"] if " " in rows else []
        sizes = f"{'rows' if known else rows}, {self._size('h')}, queries, keys"
        return [
            *_inner("visible", PAIR),
            *_moved(self.op),
            *(f"    {line}" for line in inside),
            "",
            *known,
            f"return create_block_mask(visible, {sizes}, device=device)",
        ]

    def _size(self, place: str) -> str:
        """How many there are of `b` or `h`, by a tensor that is looked up there; None where all are alike."""
        axes = {
            part.base.id: part.items.index(Name(place))
            for part in lookups(self.op.rule)
            if isinstance(part.base, Name) and Name(place) in part.items
        }
        certain = [word for word in axes if not self.given[word].optional]
        text = "None"
        for word in certain[:1] or reversed(axes):
            size = f"{self.words[word]}.shape[{axes[word]}]" if axes[word] else f"len({self.words[word]})"
            absent = f"{text} if {self.words[word]} is None else "
            text = size if certain else f"{absent}{size}"
        return text


class _Elements(Terms, frozen=True):
    """Terms at one pair: tensors are looked up element by element."""

    start: bool = False

    def lookup(self, expr: Index) -> str:
        assert isinstance(expr.base, Name)
        sizes = self.types[expr.base.id].shape
        items = (self._element(item, size) for item, size in zip(expr.items, sizes, strict=True))
        return f"{self.words[expr.base.id]}[{', '.join(items)}]"

    def _element(self, item: Expr, size: Num) -> str:
        """A place; of one that counts these queries alone, from the first of them on."""
        own = item == Name("q") and self.start and n.same(size, self.queries)
        if own or size.value == 1:
            return "q - start" if own else "0"
        return write(item) if item in _PLACES else self.number(item)


class _ScoreElements(ScoreTerms, frozen=True):
    """A score rule at one pair: tensors are looked up element by element."""

    def lookup(self, part: Index) -> str:
        assert isinstance(part.base, Name)
        sizes = self.types[part.base.id].shape
        items = (self.position(item, size) for item, size in zip(part.items, sizes, strict=True))
        return f"{self.words[part.base.id]}[{', '.join(items)}]"
