"""Attentions that FlexAttention computes, their masks and score rules as values of their own."""

from __future__ import annotations

from archspec.backends.torch.choice import Pick
from archspec.backends.torch.dialect import AttendByFlex, FlexMask, FlexScore
from archspec.backends.torch.mask_rules import may_be_absent
from archspec.backends.torch.passes.attention import fresh, mask_of, placed, read_of, score_of
from archspec.backends.torch.walk import map_attentions
from archspec.dims.expr import Expr
from archspec.ir.graph import Apply, Node, Region, Value
from archspec.ir.ops.attention import Attention


def attend_by_flex(root: Region, pick: Pick) -> Region:
    """Afterwards each `Attention` for which `flex` is picked is an `AttendByFlex`, behind its rules."""
    return map_attentions(
        root, lambda node, op, taken: _expand(node, op, taken) if pick(op, node.inputs) == "flex" else [node]
    )


def _expand(node: Apply, op: Attention, taken: set[str]) -> list[Node]:
    q, k, v, bias, sinks, *operands = (*node.inputs, *(None,) * (5 - len(node.inputs)))
    assert q is not None, "attention without queries"
    assert k is not None, "attention without keys"
    nodes: list[Node] = []
    mask = score = None
    if op.mask is not None:
        kind = _flex_mask(op, op.mask, q, k)
        read = read_of(op, operands, kind.operands)
        absent = may_be_absent(kind, read)
        mask = placed(kind, read, fresh("mask", taken), node, nodes, optional=absent)
    if op.score is not None:
        change = _flex_score(op, op.score, q, k)
        read = read_of(op, operands, change.operands)
        score = placed(change, read, fresh("score_mod", taken), node, nodes)
    attend = AttendByFlex(op.scale, op.softcap, op.dropout)
    return [*nodes, Apply(attend, (q, k, v, mask, score, bias, sinks), node.outputs, node.span)]


def _flex_mask(op: Attention, rule: Expr, q: Value, k: Value) -> FlexMask:
    """The mask, which is made for a number of queries even where it does not look at them."""
    x = mask_of(op, rule, q, k)
    return FlexMask(x.rule, x.start, q.type.shape[2], x.keys, x.operands, x.names, implied=False)


def _flex_score(op: Attention, rule: Expr, q: Value, k: Value) -> FlexScore:
    x = score_of(op, rule, q, k)
    return FlexScore(x.rule, x.start, x.batch, x.heads, x.queries, x.keys, x.operands, x.names)
