"""Chooses how each attention is computed, and makes its mask a value of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from itertools import chain, count

from msgspec import structs

from archspec.backends.torch.choice import Pick
from archspec.backends.torch.dialect import Attend, Mask, MaskedBias, Score, SinkBias
from archspec.backends.torch.mask_rules import (
    conjuncts,
    documented,
    goes_by_blocks,
    is_causal,
    may_be_absent,
    may_lack,
)
from archspec.backends.torch.walk import map_attentions, map_regions
from archspec.dims import num as n
from archspec.dims.expr import Binary, Expr, Index, Name, names, write
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.graph import Apply, Node, Region, Value
from archspec.ir.op import Op
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.elementwise import Arith
from archspec.ir.ops.shape import Pad
from archspec.ir.ops.source import Cast


def choose_attention(root: Region, pick: Pick) -> Region:
    """Afterwards no `Attention` is left: each is a `Mask`, a `Score`, a `MaskedBias` of both, an `Attend`.

    `pick` says how each is computed. Raises `UnsupportedError` U002 for what an implementation cannot do.
    """
    root = map_attentions(root, lambda node, op, taken: _expand(node, op, pick(op, node.inputs), taken))
    masks = [*_masks(root)]
    blocks, documents = any(op.blocks for op in masks), any(op.documents for op in masks)
    if not blocks and not documents:
        return root
    return map_regions(root, lambda region: _all_in_parts(region, blocks=blocks, documents=documents))


def _masks(region: Region) -> Iterator[Mask]:
    yield from (node.op for node in region.nodes if isinstance(node, Apply) and isinstance(node.op, Mask))
    for node in region.nodes:
        for inner in node.regions:
            yield from _masks(inner)


def _all_in_parts(region: Region, *, blocks: bool, documents: bool) -> Region:
    """Every fused attention takes masks in blocks, or by documents: layers with and without are alike."""
    nodes: list[Node] = []
    for node in region.nodes:
        match node:
            case Apply(op=Attend(implementation="sdpa", biased=False, chosen=False) as op):
                nodes.append(replace(node, op=structs.replace(op, blocks=blocks, documents=documents)))
            case _:
                nodes.append(node)
    return replace(region, nodes=tuple(nodes))


def _expand(node: Apply, op: Attention, implementation: str, taken: set[str]) -> list[Node]:
    _check(node, op, implementation)
    q, k, v, bias, sinks, *operands = (*node.inputs, *(None,) * (5 - len(node.inputs)))
    assert q is not None, "attention without queries"
    assert k is not None, "attention without keys"
    assert v is not None, "attention without values"
    plain = bias is None and sinks is None and op.score is None
    chosen = None
    if implementation == "sdpa" and plain and op.mask is not None:
        op, operands, chosen = _without_rows(op, op.mask, operands, q)
    causal = implementation == "sdpa" and plain and is_causal(op.mask) and may_lack(operands)
    nodes: list[Node] = []
    mask = None
    if op.mask is not None and not (causal and not operands and op.start.value == 0):
        blocks = implementation == "sdpa" and plain and chosen is None and goes_by_blocks(op, operands)
        kind = mask_of(op, op.mask, q, k, implied=causal, blocks=blocks)
        if implementation == "sdpa" and plain and chosen is None and not blocks:
            found = documented(op.mask, dict(zip(op.operands, operands, strict=True)), kind.keys)
            long = not kind.keys.static and n.same(kind.keys, kind.start + kind.queries)
            kind = structs.replace(kind, documents=found is not None and long)
        read = read_of(op, operands, kind.operands)
        absent = may_be_absent(kind, read)
        mask = placed(kind, read, fresh("mask", taken), node, nodes, optional=absent)
    if op.score is not None:
        kind = score_of(op, op.score, q, k)
        read = read_of(op, operands, kind.operands)
        added = placed(kind, read, fresh("bias", taken), node, nodes)
        if added.type.dtype != q.type.dtype:
            added = placed(Cast(q.type.dtype), (added,), fresh("bias", taken), node, nodes)
        bias = (
            added if bias is None else placed(Arith("add"), (bias, added), fresh("bias", taken), node, nodes)
        )
    if bias is not None:
        mask = placed(MaskedBias(), (bias, mask), fresh("bias", taken), node, nodes)
    biased, given = bias is not None, [q, k, v, mask]
    if sinks is not None and implementation == "sdpa":
        kind = SinkBias(k.type.shape[2])
        mask = placed(kind, (sinks, mask), fresh("bias", taken), node, nodes)
        pad = Pad(2, n.num(0), n.num(1), n.num(0))
        k, v = (placed(pad, (x,), fresh(x.name, taken), node, nodes) for x in (k, v))
        biased, given = True, [q, k, v, mask]
    elif sinks is not None:
        given.append(sinks)
    if chosen is not None:
        given += [*[None] * (5 - len(given)), chosen]
    attend = Attend(
        implementation, op.scale, op.softcap, op.dropout, op.start, causal, biased, chosen=chosen is not None
    )
    return [*nodes, Apply(attend, tuple(given), node.outputs, node.span)]


def _without_rows(
    op: Attention, rule: Expr, operands: Sequence[Value | None], q: Value
) -> tuple[Attention, list[Value | None], Value | None]:
    """The attention without a condition of the query alone, and its tensor.

    Queries that do not meet it see nothing: their result is nobody's, and need not be computed. Where
    the rest of the rule looks at queries too, all of them are.
    """
    known = dict(zip(op.operands, operands, strict=True))
    for term in conjuncts(rule):
        value = known.get(term.base.id) if isinstance(term, Index) and isinstance(term.base, Name) else None
        whole = value is not None and not value.optional and write(term).endswith("[b, q]")
        if value is not None and whole and n.same(value.type.shape[1], q.type.shape[2]):
            rest = [other for other in conjuncts(rule) if other != term]
            if not any("q" in names(other) for other in rest):
                return _with_rule(op, reduce(_and, rest) if rest else None, known, value)
    return op, list(operands), None


def _and(a: Expr, b: Expr) -> Expr:
    return Binary("and", a, b)


def _with_rule(
    op: Attention, rule: Expr | None, known: dict[str, Value | None], chosen: Value
) -> tuple[Attention, list[Value | None], Value | None]:
    read = set(names(rule)) if rule is not None else set[str]()
    words = tuple(word for word in op.operands if word in read)
    numbers = tuple(pair for pair in op.names if pair[0] in read)
    return structs.replace(op, mask=rule, operands=words, names=numbers), [known[w] for w in words], chosen


def read_of(op: Attention, operands: Sequence[Value | None], words: Sequence[str]) -> list[Value | None]:
    """The operands that are called so."""
    known = dict(zip(op.operands, operands, strict=True))
    return [known[word] for word in words]


def mask_of(
    op: Attention, rule: Expr, q: Value, k: Value, *, implied: bool = False, blocks: bool = False
) -> Mask:
    """The mask; where it does not look at queries, masks of any number of them are the same."""
    read = set(names(rule))
    looks = blocks or "q" in read
    start, queries = (op.start, q.type.shape[2]) if looks else (n.num(0), n.num(1))
    words = tuple(word for word in op.operands if word in read)
    numbers = tuple(pair for pair in op.names if pair[0] in read)
    return Mask(rule, start, queries, k.type.shape[2], words, numbers, implied, blocks)


def score_of(op: Attention, rule: Expr, q: Value, k: Value) -> Score:
    """What is added; scores of other sizes get the same, where the rule does not look at these."""
    read, one = set(names(rule)), n.num(1)
    batch, heads, queries = (
        size if place in read else one for place, size in zip("bhq", q.type.shape, strict=False)
    )
    start = op.start if "q" in read else n.num(0)
    numbers = tuple(pair for pair in op.names if pair[0] in read)
    return Score(rule, start, batch, heads, queries, k.type.shape[2], op.scored, numbers)


def placed(
    op: Op, inputs: Sequence[Value | None], name: str, at: Apply, nodes: list[Node], *, optional: bool = False
) -> Value:
    """An operation behind `nodes`; gives its result."""
    (type_,) = op.infer(*(None if x is None else x.type for x in inputs))
    result = Value(name, type_, optional)
    nodes.append(Apply(op, tuple(inputs), (result,), at.span))
    return result


def fresh(hint: str, taken: set[str]) -> str:
    """The hint, or the hint with a number, as a name nobody has."""
    name = next(name for name in chain([hint], (f"{hint}_{i}" for i in count(2))) if name not in taken)
    taken.add(name)
    return name


def _check(node: Apply, op: Attention, implementation: str) -> None:
    if implementation == "sdpa" and op.softcap is not None:
        message = "attention=sdpa cannot cap scores: F.scaled_dot_product_attention has no softcap"
        hint = "ask for attention=eager, triton on a GPU, or auto, which picks for each layer"
        raise UnsupportedError(Diagnostic("U002", message, node.span, hint))
