"""How scores become attention: the operation with its rules, and what decoding keeps of keys and values."""

from __future__ import annotations

from msgspec import Struct

from archspec.components.base import Place, Problem
from archspec.components.slots import PairRule
from archspec.dims.expr import Binary, Expr, Name, substitute, write
from archspec.dims.num import Num
from archspec.ir.builder import Handle
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.state import Append, Hold

CAUSAL = Binary("<=", Name("k"), Name("q"))
WINDOW = Binary("<", Binary("-", Name("q"), Name("k")), Name("window"))


class Scores(Struct, frozen=True):
    """How scores are made and which of them count."""

    mask: PairRule | None
    bias: Handle | PairRule | None
    sinks: Handle | None
    scale: Num | None
    softcap: Num | None
    dropout: Num


def attend(at: Place, q: Handle, k: Handle, v: Handle, scores: Scores) -> Handle:
    """q [B, H, Q, E], k [B, G, K, E], v [B, G, K, W] -> [B, H, Q, W]."""
    score = scores.bias if isinstance(scores.bias, PairRule) else None
    bias = None if isinstance(scores.bias, PairRule) else scores.bias
    if score and scores.mask:
        score = _apart(score, dict(scores.mask.numbers))
    rules = [rule for rule in (scores.mask, score) if rule is not None]
    numbers = {name: number for rule in rules for name, number in rule.numbers}
    tensors = {name: tensor for rule in rules for name, tensor in rule.tensors}
    op = Attention(
        scores.scale or q.type.shape[-1] ** -0.5, scores.mask and scores.mask.expr, at.seen(q.type.shape[2]),
        tuple(tensors), tuple(numbers.items()), scores.softcap, scores.dropout, score and score.expr,
    )  # fmt: skip
    return at.builder.apply(op, q, k, v, bias, scores.sinks, *tensors.values(), name="attended")


def _apart(rule: PairRule, others: dict[str, Num]) -> PairRule:
    """The rule, where numbers that are called like different `others` have another name."""
    own = dict(rule.numbers)
    new = {word: f"score_{word}" if others.get(word, own[word]) != own[word] else word for word in own}
    written = substitute(rule.expr, {word: Name(other) for word, other in new.items()})
    return PairRule(written, tuple((new[word], number) for word, number in own.items()), rule.tensors)


def remember(at: Place, query: Num, mask: PairRule | None, k: Handle, v: Handle) -> tuple[Handle, Handle]:
    """Keys and values as decoding keeps them: grown by each step where they stream, else held."""
    length = k.type.shape[2]
    if not at.streams(query):
        return k, v
    if not at.streams(length):
        name = at.builder.state("hold", (k.type, v.type))
        held = at.builder.results(Hold(name), k, v, names=("k", "v"))
        return held[0], held[1]
    if mask is None or not implies_causal(mask.expr):
        hint = "give it 'mask: causal', or take 'stream' out of the spec"
        raise Problem("L020", f"'{at.stream}' streams, but this attention looks ahead", "mask", hint)
    name = at.builder.state("append", (k.type, v.type), 2)
    grown = at.builder.results(Append(name, 2, at.past), k, v, names=("k", "v"))
    return grown[0], grown[1]


def implies_causal(expr: Expr) -> bool:
    """Whether the mask, as a conjunction, contains `k <= q`."""
    if isinstance(expr, Binary) and expr.op == "and":
        return implies_causal(expr.left) or implies_causal(expr.right)
    return write(expr) in ("k <= q", "q >= k")


def with_window(mask: PairRule | None, window: Num | None) -> PairRule | None:
    """The mask, and that a key lies fewer than `window` places before the query."""
    if window is None:
        return mask
    expr = Binary("and", mask.expr, WINDOW) if mask else WINDOW
    return PairRule(
        expr,
        ((*mask.numbers, ("window", window)) if mask else (("window", window),)),
        mask.tensors if mask else (),
    )
