"""What a query may look at, and what is added to its scores, as tensors over pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import onnx_ir as ir

from archspec.backends.onnx.pairs import Found, Pairs
from archspec.backends.onnx.place import Args, Place
from archspec.backends.onnx.tensor import Tensor
from archspec.dims.expr import Binary, Expr, Index, Name, children, names, write
from archspec.ir.ops.attention import Attention

FIRST_LOOKED_UP = 5
CAUSAL = ("k <= q", "q >= k")
PAIR = {"q", "k"}


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of an attention in one graph: terms of its mask and its score, without what is absent."""

    terms: tuple[Expr, ...]
    score: Expr | None
    tensors: Mapping[str, Tensor]

    @property
    def mask(self) -> Expr | None:
        """The terms as one rule."""
        return reduce(_and, self.terms) if self.terms else None

    @property
    def causal(self) -> bool:
        """Whether the mask says `k <= q` and nothing else."""
        return [write(term) in CAUSAL for term in self.terms] == [True]


@dataclass(frozen=True, slots=True)
class Seen:
    """`mask`: true where a query may look; `added`: to the scores. `wide`: whether they span q and k."""

    mask: ir.Value | None = None
    added: Found | None = None
    wide: bool = True

    def numbers(self, place: Place) -> Found | None:
        """What to add to the scores: the lowest number where a query may not look."""
        if self.mask is None or self.added is None:
            return self.added
        lowest = place.scalar(lowest_of(place, self.added.dtype), self.added.dtype)
        return Found(place.one("Where", self.mask, self.added.value, lowest), self.added.dtype)


def rules_of(op: Attention, args: Args) -> Rules:
    """A term of the mask that looks up an absent operand is true; a score that does adds nothing."""
    given = dict(zip(op.operands, args[FIRST_LOOKED_UP:], strict=True))
    tensors = {word: tensor for word, tensor in given.items() if tensor is not None}
    absent = {*given} - {*tensors}
    terms = tuple(conjuncts(op.mask)) if op.mask is not None else ()
    score = op.score if op.score is not None and not absent & {*looked_up(op.score)} else None
    return Rules(tuple(term for term in terms if not absent & {*looked_up(term)}), score, tensors)


def seen(rules: Rules, bias: Tensor | None, pairs: Pairs, *, flagged: bool = False) -> Seen:
    """The rules at all pairs, and the bias. `flagged`: `k <= q` is said in another way."""
    mask = None if flagged or rules.mask is None else pairs.boolean(rules.mask)
    score = pairs.of(rules.score) if rules.score is not None else None
    parts = [x for x in (Found(bias.value, bias.type.dtype) if bias else None, score) if x is not None]
    read = {*names(rules.mask)} if mask is not None and rules.mask is not None else set[str]()
    read |= {*names(rules.score)} if rules.score is not None else set[str]()
    return Seen(mask, _sum(parts, pairs.place), read >= PAIR or (bias is not None and _spans(bias, pairs)))


def _spans(bias: Tensor, pairs: Pairs) -> bool:
    """Whether it has a number of its own for each query and each key."""
    ends = zip(bias.type.shape[-2:], "qk", strict=False)
    return bias.type.rank > 1 and all(pairs.place.same(size, pairs.sizes[x]) for size, x in ends)


def value_of(found: Seen, place: Place) -> ir.Value:
    """Booleans, or where something is added to the scores, numbers."""
    added = found.numbers(place)
    value = added.value if added is not None else found.mask
    assert value is not None, "a mask says something"
    return value


def seen_in(rules: Rules, value: ir.Value) -> Seen:
    """What `value_of` made of these rules."""
    return Seen(value) if rules.score is None else Seen(None, Found(value, "float32"))


def _sum(parts: list[Found], place: Place) -> Found | None:
    """The sum, in fp32 where one of the parts is."""
    dtype = next((x.dtype for x in parts if x.dtype == "float"), "float32")
    if any(x.dtype != "float" for x in parts):
        dtype = "float32"
    values = [place.cast(x.value, x.dtype, dtype) for x in parts]
    return Found(reduce(lambda a, b: place.one("Add", a, b), values), dtype) if values else None


def lowest_of(place: Place, dtype: str) -> float:
    """The lowest finite number of a dtype of the IR: a row of nothing else has no NaN."""
    return float(place.dtype(dtype).min)


def conjuncts(rule: Expr) -> Iterator[Expr]:
    """The terms that must all hold."""
    if isinstance(rule, Binary) and rule.op == "and":
        yield from conjuncts(rule.left)
        yield from conjuncts(rule.right)
    else:
        yield rule


def looked_up(rule: Expr) -> Iterator[str]:
    """The tensors that a rule looks up."""
    if isinstance(rule, Index) and isinstance(rule.base, Name):
        yield rule.base.id
    for part in children(rule):
        yield from looked_up(part)


def _and(a: Expr, b: Expr) -> Expr:
    return Binary("and", a, b)
