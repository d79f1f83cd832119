"""Attention of some queries alone: those that the mask chooses, of which there are few (global tokens)."""

from __future__ import annotations

import onnx_ir as ir

from archspec.backends.onnx.heads import of_rows, rows_of, width
from archspec.backends.onnx.pairs import Pairs
from archspec.backends.onnx.picks import Picks, begins, picks
from archspec.backends.onnx.place import Place
from archspec.backends.onnx.seen import Rules, seen
from archspec.backends.onnx.tensor import Tensor
from archspec.backends.onnx.whole_attention import whole_attention
from archspec.dims import num as n
from archspec.dims.expr import Expr, Index, Name, names, write
from archspec.ir.ops.attention import Attention


def chosen_attention(
    op: Attention, q: Tensor, k: Tensor, v: Tensor, rules: Rules, place: Place
) -> Tensor | None:
    """[B, H, Q, W] where the mask says `t[b, q]` and else nothing of queries; None for other masks.

    A query that is not chosen sees nothing, so that its result is nobody's: it gets that of another one.
    """
    found = next((term for term in rules.terms if _chooses(term, rules, q, place)), None)
    rest = Rules(tuple(term for term in rules.terms if term != found), rules.score, rules.tensors)
    if found is None or rest.score is not None or any("q" in names(term) for term in rest.terms):
        return None
    assert isinstance(found, Index), "it looks a tensor up"
    assert isinstance(found.base, Name), "a tensor has a name"
    tensor = rules.tensors[found.base.id]
    where = place.cast(tensor.value, tensor.type.dtype, "bool")
    chosen = picks(where, place, least=1)
    return _attend(op, (q, k, v), rest, where, chosen, place)


def _chooses(term: Expr, rules: Rules, q: Tensor, place: Place) -> bool:
    if not isinstance(term, Index) or not isinstance(term.base, Name) or not write(term).endswith("[b, q]"):
        return False
    sizes = rules.tensors[term.base.id].type.shape
    return all(map(place.same, sizes, (q.type.shape[0], q.type.shape[2])))


def _attend(
    op: Attention,
    qkv: tuple[Tensor, Tensor, Tensor],
    rules: Rules,
    where: ir.Value,
    chosen: Picks,
    place: Place,
) -> Tensor:
    q, k, v = qkv
    batch, heads, queries, _ = q.type.shape
    some = n.symbol(place.tape.unique("chosen"))
    place.sizes.bind(str(some), chosen.count)
    few = of_rows(_rows(q, chosen, place), q.type.with_shape(batch, heads, some, q.type.shape[3]), place)
    sizes = {"b": batch, "h": heads, "q": some, "k": k.type.shape[2]}
    pairs = Pairs(place, rules.tensors, dict(op.names), sizes, n.num(0))
    y = whole_attention(op, few, k, v, seen(rules, None, pairs), place)
    type_ = q.type.with_shape(batch, heads, queries, v.type.shape[3])
    return of_rows(_back(y, where, chosen, place), type_, place)


def _rows(q: Tensor, chosen: Picks, place: Place) -> ir.Value:
    """The queries that are chosen, [B, P, H * E]."""
    queries = place.sizes.tensor(q.type.shape[2])
    places = place.one("Add", chosen.places, begins(q.type.shape[0], queries, 2, place))
    return place.one("Gather", _flat(q, place), places, axis=0)


def _back(y: Tensor, where: ir.Value, chosen: Picks, place: Place) -> ir.Value:
    """[B, P, H * W] where they were, [B, Q, H * W]: the n-th that is chosen has the n-th row."""
    whole = place.cast(where, "bool", "int64")
    number = place.one("Sub", place.one("CumSum", whole, place.scalar(1, "int64")), place.tape.integers(1))
    number = place.one("Max", number, place.tape.integers(0))
    places = place.one("Add", number, begins(y.type.shape[0], chosen.count, 2, place))
    return place.one("Gather", _flat(y, place), places, axis=0)


def _flat(x: Tensor, place: Place) -> ir.Value:
    """[B, H, S, E] as [B * S, H * E]."""
    return place.one("Reshape", rows_of(x, place), place.tape.integers(-1, width(x.type)))
