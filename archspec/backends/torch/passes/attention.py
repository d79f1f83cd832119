"""Chooses how each attention is computed, and makes its mask a value of its own."""

from __future__ import annotations

from dataclasses import replace

from archspec.backends.torch.dialect import Attend, Mask, MaskedBias
from archspec.backends.torch.walk import map_regions
from archspec.dims.expr import Binary, Call, Expr, Index, Name, Unary, write
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.graph import Apply, Node, Region, Value
from archspec.ir.ops.attention import Attention

IMPLEMENTATIONS = ("eager", "sdpa")
INDICES = ("b", "h", "q", "k")
LOCALS = (*INDICES, "mask", "start", "queries", "keys", "device", "torch", "abs")


def choose_attention(root: Region, implementation: str) -> Region:
    """Afterwards no `Attention` is left: each is a `Mask`, a `MaskedBias` where it has both, and an `Attend`.

    Raises `UnsupportedError` U001 for an unknown implementation, U002 for what one cannot compute.
    """
    if implementation not in IMPLEMENTATIONS:
        known = ", ".join(IMPLEMENTATIONS)
        raise UnsupportedError(Diagnostic("U001", f"no attention implementation '{implementation}'", None, f"one of: {known}"))
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
    q, k, v, bias, *operands = (*node.inputs, *(None,) * (4 - len(node.inputs)))
    assert q is not None and k is not None
    _check(node, op, implementation)
    nodes: list[Node] = []
    causal = implementation == "sdpa" and bias is None and op.mask is not None and is_causal(op.mask) and _may_lack(operands)
    mask = None
    if op.mask is not None:
        kind = apart(Mask(op.mask, op.start, q.type.shape[2], k.type.shape[2], op.operands, op.names, causal))
        (type_,) = kind.infer(*(None if x is None else x.type for x in operands))
        mask = Value(fresh("mask", taken), type_, optional=may_be_absent(op.mask, operands))
        nodes.append(Apply(kind, tuple(operands), (mask,), node.span))
    if bias is not None:
        joined = MaskedBias()
        (type_,) = joined.infer(bias.type, mask.type if mask else None)
        both = Value(fresh("bias", taken), type_)
        nodes.append(Apply(joined, (bias, mask), (both,), node.span))
        mask = both
    attend = Attend(implementation, op.scale, op.softcap, op.dropout, op.start, causal, bias is not None)
    return [*nodes, Apply(attend, (q, k, v, mask), node.outputs, node.span)]


def apart(mask: Mask) -> Mask:
    """The mask, its operands and numbers called like no variable of the function that makes it."""
    words = (*mask.operands, *(word for word, _ in mask.names))
    other = {w: next(x for x in (w + "_" * i for i in range(1, 99)) if x not in words) for w in words if w in LOCALS}

    def go(x: Expr) -> Expr:
        match x:
            case Index(base=Name(id=word)):
                return replace(x, base=Name(other.get(word, word)))
            case Name(id=word) if word not in INDICES:
                return Name(other.get(word, word))
            case Binary():
                return replace(x, left=go(x.left), right=go(x.right))
            case Unary():
                return replace(x, operand=go(x.operand))
            case Call():
                return replace(x, args=tuple(map(go, x.args)))
            case _:
                return x

    operands = tuple(other.get(word, word) for word in mask.operands)
    names = tuple((other.get(word, word), number) for word, number in mask.names)
    return replace(mask, rule=go(mask.rule), operands=operands, names=names)


def fresh(hint: str, taken: set[str]) -> str:
    """The hint, or the hint with a number, as a name nobody has."""
    name = next(n for n in (hint, *(f"{hint}_{i}" for i in range(2, 10_000))) if n not in taken)
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


def is_causal(rule: Expr) -> bool:
    """`k <= q`, and otherwise only terms that look a tensor up."""
    return any(write(c) in ("k <= q", "q >= k") for c in conjuncts(rule)) and not _fixed(rule)


def _fixed(rule: Expr) -> list[Expr]:
    """Terms besides `k <= q` that need no tensor."""
    return [c for c in conjuncts(rule) if "[" not in write(c) and write(c) not in ("k <= q", "q >= k")]


def may_be_absent(rule: Expr, operands: list[Value | None]) -> bool:
    """Whether nothing may be left of the mask: its operands are absent, and a single token sees all before it."""
    absent = _may_lack(operands)
    plain = [c for c in conjuncts(rule) if "[" not in write(c)]
    return absent and (not plain or is_causal(rule))


def _may_lack(operands: list[Value | None]) -> bool:
    """Whether all operands may be absent."""
    return all(x is None or x.optional for x in operands)
