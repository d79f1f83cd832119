"""An attention of the graph as a description, with what a call of its kernels is handed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from msgspec import Struct

from archspec.backends.torch.kernels.description import Description, Kind, Looked
from archspec.backends.torch.kernels.taken import free
from archspec.dims import num as n
from archspec.dims.expr import Binary, Expr, Index, Name, names, rebuilt, substitute
from archspec.dims.num import Num
from archspec.ir.graph import Value
from archspec.ir.ops.attention import Attention
from archspec.ir.tiles.plan import plan
from archspec.ir.types import is_float

PLACES = ("b", "h", "q", "k")


class Described(Struct, frozen=True):
    """A description; the tensors and numbers that a call hands its kernels, in their order."""

    description: Description
    tensors: tuple[Value | None, ...]
    numbers: tuple[Num, ...]


def describe(op: Attention, inputs: Sequence[Value | None]) -> Described:
    """The description of an attention with these operands: q, k, v, bias, sinks, then what it looks up."""
    q, _, _, bias, sinks, *looked = (*inputs, *(None,) * (5 - len(inputs)))
    assert q is not None, "attention without queries"
    given = {word: v for word, v in zip(op.operands, looked, strict=True) if v is not None}
    score = op.score
    if bias is not None:
        word = free("bias", (*given, *dict(op.names)))
        given[word] = bias
        element = Index(Name(word), tuple(map(Name, PLACES[-bias.type.rank :])))
        score = element if score is None else Binary("+", element, score)
    return _described(op, score, given, q, sunk=sinks is not None)


def _described(
    op: Attention, score: Expr | None, given: Mapping[str, Value], q: Value, *, sunk: bool
) -> Described:
    words = {word: free(word, (*given, *dict(op.names))) for word in (*given, *dict(op.names))}
    sizes = {words[word]: value.type.shape for word, value in given.items()}
    spelt: dict[str, Expr] = {word: Name(other) for word, other in words.items()}

    def written(rule: Expr | None) -> Expr | None:
        return None if rule is None else _local(substitute(rule, spelt), op, sizes, q.type.shape[2])

    rule, score = written(op.mask), written(score)
    read = {word for x in (rule, score) if x is not None for word in names(x)}
    tensors = {words[word]: value for word, value in given.items() if words[word] in read}
    numbers = {words[word]: number for word, number in op.names if words[word] in read}
    description = Description(
        plan(rule, numbers, tensors),
        score,
        tuple(_looked(word, value) for word, value in tensors.items()),
        tuple((word, _kind(number)) for word, number in numbers.items()),
        op.softcap is not None,
        sunk,
        bool(op.dropout.value or n.reads(op.dropout)),
    )
    return Described(description, tuple(tensors.values()), tuple(numbers.values()))


def _local(rule: Expr, op: Attention, sizes: Mapping[str, tuple[Num, ...]], queries: Num) -> Expr:
    """The rule; an axis as long as the queries is looked up from the first query on."""
    if isinstance(rule, Index) and isinstance(rule.base, Name) and op.start.value != 0:
        items = [
            substitute(item, {"q": Binary("-", Name("q"), Name("start"))}) if n.same(size, queries) else item
            for item, size in zip(rule.items, sizes[rule.base.id], strict=True)
        ]
        return replace(rule, items=tuple(items))
    return rebuilt(rule, lambda part: _local(part, op, sizes, queries))


def _looked(word: str, value: Value) -> Looked:
    dtype = value.type.dtype
    kind: Kind = "float" if is_float(dtype) else "bool" if dtype == "bool" else "int"
    return Looked(word, value.type.rank, kind, value.optional)


def _kind(number: Num) -> Kind:
    return "float" if isinstance(number.value, float) else "int"
