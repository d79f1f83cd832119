"""Chooses how each attention is computed, and makes its mask a value of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archspec.backends.torch.dialect import Attend, Mask, MaskedBias
from archspec.backends.torch.walk import map_regions
from archspec.dims import num as n
from archspec.dims.expr import Binary, Expr, names, write
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.graph import Apply, Node, Region, Value
from archspec.ir.op import Op
from archspec.ir.ops.attention import Attention

IMPLEMENTATIONS = ("eager", "sdpa")
CAUSAL = ("k <= q", "q >= k")


def choose_attention(root: Region, implementation: str) -> Region:
    """Afterwards no `Attention` is left: each is a `Mask`, a `MaskedBias` where it has both, and an `Attend`.

    Raises `UnsupportedError` U001 for an unknown implementation, U002 for what one cannot compute.
    """
    if implementation not in IMPLEMENTATIONS:
        message, hint = (
            f"no attention implementation '{implementation}'",
            f"one of: {', '.join(IMPLEMENTATIONS)}",
        )
        raise UnsupportedError(Diagnostic("U001", message, None, hint))
    return map_regions(root, lambda region: _rewrite(region, implementation))


def _rewrite(region: Region, implementation: str) -> Region:
    nodes: list[Node] = []
    taken = {v.name for v in region.inputs} | {v.name for node in region.nodes for v in node.outputs}
    for node in region.nodes:
        if isinstance(node, Apply) and isinstance(node.op, Attention):
            nodes += _expand(node, node.op, implementation, taken)
        else:
            nodes.append(node)
    return replace(region, nodes=tuple(nodes))


def _expand(node: Apply, op: Attention, implementation: str, taken: set[str]) -> list[Node]:
    _check(node, op, implementation)
    q, k, v, bias, *operands = (*node.inputs, *(None,) * (4 - len(node.inputs)))
    assert q is not None, "attention without queries"
    assert k is not None, "attention without keys"
    causal = implementation == "sdpa" and bias is None and is_causal(op.mask) and _may_lack(operands)
    nodes: list[Node] = []
    mask = None
    if op.mask is not None and not (causal and not operands and op.start.value == 0):
        kind = _mask(op, op.mask, q, k, implied=causal)
        absent = may_be_absent(kind, operands)
        mask = _place(kind, operands, fresh("mask", taken), node, nodes, optional=absent)
    if bias is not None:
        mask = _place(MaskedBias(), (bias, mask), fresh("bias", taken), node, nodes)
    attend = Attend(implementation, op.scale, op.softcap, op.dropout, op.start, causal, bias is not None)
    return [*nodes, Apply(attend, (q, k, v, mask), node.outputs, node.span)]


def _mask(op: Attention, rule: Expr, q: Value, k: Value, *, implied: bool) -> Mask:
    """The mask; where it does not look at queries, masks of any number of them are the same."""
    looks = "q" in names(rule)
    start, queries = (op.start, q.type.shape[2]) if looks else (n.num(0), n.num(1))
    return Mask(rule, start, queries, k.type.shape[2], op.operands, op.names, implied)


def _place(
    op: Op, inputs: Sequence[Value | None], name: str, at: Apply, nodes: list[Node], *, optional: bool = False
) -> Value:
    """An operation behind `nodes`; gives its result."""
    (type_,) = op.infer(*(None if x is None else x.type for x in inputs))
    result = Value(name, type_, optional)
    nodes.append(Apply(op, tuple(inputs), (result,), at.span))
    return result


def fresh(hint: str, taken: set[str]) -> str:
    """The hint, or the hint with a number, as a name nobody has."""
    name = next(name for name in (hint, *(f"{hint}_{i}" for i in range(2, 10_000))) if name not in taken)
    taken.add(name)
    return name


def _check(node: Apply, op: Attention, implementation: str) -> None:
    if implementation == "sdpa" and op.softcap is not None:
        message = "attention=sdpa cannot cap scores: F.scaled_dot_product_attention has no softcap"
        raise UnsupportedError(Diagnostic("U002", message, node.span, "build with attention=eager"))


def conjuncts(rule: Expr) -> tuple[Expr, ...]:
    if isinstance(rule, Binary) and rule.op == "and":
        return (*conjuncts(rule.left), *conjuncts(rule.right))
    return (rule,)


def is_causal(rule: Expr | None) -> bool:
    """`k <= q`, and otherwise only terms that look a tensor up."""
    terms = [write(term) for term in conjuncts(rule)] if rule is not None else []
    return any(term in CAUSAL for term in terms) and all(term in CAUSAL or "[" in term for term in terms)


def may_be_absent(mask: Mask, operands: Sequence[Value | None]) -> bool:
    """Whether nothing may be left of a mask: its operands are absent, and a single query sees all keys."""
    plain = [term for term in conjuncts(mask.rule) if "[" not in write(term)]
    return _may_lack(operands) and (not plain or mask.implied or sees_all(mask))


def sees_all(mask: Mask) -> bool:
    """Whether a rule says only `k <= q` without operands, and the last query stands at the last key."""
    return is_causal(mask.rule) and n.same(mask.keys, mask.start + mask.queries)


def _may_lack(operands: Sequence[Value | None]) -> bool:
    """Whether all operands may be absent."""
    return all(x is None or x.optional for x in operands)
