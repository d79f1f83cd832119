"""What can be told of a mask from its rule and its operands alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from archspec.backends.torch.dialect import Mask
from archspec.backends.torch.mask_terms import bare, lookups
from archspec.dims import num as n
from archspec.dims.expr import Binary, Expr, Index, Name, names, write
from archspec.dims.num import Num
from archspec.ir.graph import Value
from archspec.ir.ops.attention import Attention
from archspec.ir.reach import reach_of

CAUSAL = ("k <= q", "q >= k")
_TERMS = {"q - k <": "window", "abs(q - k) <": "near", "q // ": "chunk"}


def conjuncts(rule: Expr) -> tuple[Expr, ...]:
    """The terms that must all hold."""
    if isinstance(rule, Binary) and rule.op == "and":
        return (*conjuncts(rule.left), *conjuncts(rule.right))
    return (rule,)


def is_causal(rule: Expr | None) -> bool:
    """`k <= q`, and otherwise only terms that look a tensor up."""
    terms = [write(term) for term in conjuncts(rule)] if rule is not None else []
    return any(term in CAUSAL for term in terms) and all(term in CAUSAL or "[" in term for term in terms)


def sees_all(mask: Mask) -> bool:
    """Whether a rule says only `k <= q` without operands, and the last query stands at the last key."""
    return is_causal(mask.rule) and n.same(mask.keys, mask.start + mask.queries)


def may_be_absent(mask: Mask, operands: Sequence[Value | None]) -> bool:
    """Whether nothing may be left of a mask: its operands are absent, and a single query sees all keys."""
    plain = [term for term in conjuncts(mask.rule) if "[" not in write(term)]
    return may_lack(operands) and (not plain or mask.implied or sees_all(mask))


def may_lack(operands: Sequence[Value | None]) -> bool:
    """Whether all operands may be absent."""
    return all(x is None or x.optional for x in operands)


def goes_by_blocks(op: Attention, operands: Sequence[Value | None]) -> bool:
    """Whether a query reaches only keys near it, and all that its mask looks up stands at q or k."""
    assert op.mask is not None
    reach = reach_of(op.mask, dict(op.names))
    certain = {
        word for word, v in zip(op.operands, operands, strict=True) if v is not None and not v.optional
    }
    looked = {write(part).partition("[")[2] for part in lookups(op.mask)}
    at_queries = "b, q]" in looked and op.start.value != 0
    return (
        reach.near
        and {"b", "h"}.isdisjoint(bare(op.mask))
        and looked <= {"b, k]", "b, q]"}
        and not at_queries
        and all(set(names(part)) & certain for part in reach.picked)
    )


class Documented(Struct, frozen=True):
    """A rule that lets queries see their own document: ids [B, K], and what else it says.

    `padding`: a tensor [B, K] of keys that may be seen; `near`: terms of q, k and numbers.
    """

    ids: str
    causal: bool
    padding: str | None
    near: tuple[Expr, ...]


def documented(rule: Expr, given: Mapping[str, Value | None], keys: Num) -> Documented | None:
    """What a rule with a term `t[b, q] == t[b, k]` says, where the rest is of the kinds named there."""
    ids, padding, near, causal = list[str](), list[str](), list[Expr](), False
    whole = {word for word, v in given.items() if v is not None and n.same(v.type.shape[-1], keys)}
    for term in conjuncts(rule):
        match term:
            case Binary(
                op="==", left=Index(base=Name(id=one)) as a, right=Index(base=Name(id=other)) as b
            ) if one == other and one in whole and {_places(a), _places(b)} == {"bq", "bk"}:
                ids.append(one)
            case Index(base=Name(id=word)) if word in whole and _places(term) == "bk":
                padding.append(word)
            case _ if write(term) in CAUSAL:
                causal = True
            case _ if not lookups(term) and bare(term) <= {"q", "k"}:
                near.append(term)
            case _:
                return None
    if len(ids) != 1 or len(padding) > 1:
        return None
    return Documented(ids[0], causal, padding[0] if padding else None, tuple(near))


def _places(part: Index) -> str:
    return "".join(item.id if isinstance(item, Name) else "?" for item in part.items)


def rule_words(rule: Expr) -> tuple[str, ...]:
    """What a rule's terms are called: `("causal", "padding")`."""
    return tuple(dict.fromkeys(word for term in conjuncts(rule) if (word := _term_name(term))))


def _term_name(term: Expr) -> str:
    """`near_or_marked` for `abs(q - k) <= n or marked[b, k]`; nothing where a part has no name."""
    if isinstance(term, Binary) and term.op == "or":
        sides = _term_name(term.left), _term_name(term.right)
        return "_or_".join(sides) if all(sides) else ""
    text = write(term)
    if text in CAUSAL:
        return "causal"
    match term:
        case Binary(op="==", left=Index(base=Name(id=one)), right=Index(base=Name(id=other))) if one == other:
            return f"same_{one}"
        case _:
            pass
    if isinstance(term, Index) and isinstance(term.base, Name):
        return "padding" if term.base.id.endswith("mask") else term.base.id
    return next((word for start, word in _TERMS.items() if text.startswith(start)), "")
