"""`picks`: whether data may pick any pair of a tile, asked of what is looked up at queries and at keys apart.

A tile may be left out only where no pair is picked. So what is necessary is enough, and it takes numbers of a
tile's queries and of its keys, not of its pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from archspec.backends.torch.code import BIT_AND, BIT_OR
from archspec.backends.torch.kernels.printer import Printer
from archspec.dims.expr import Binary, Expr, Index, names

_BITS = {"and": (" & ", BIT_AND), "or": (" | ", BIT_OR)}


def parts(expr: Expr, op: str) -> tuple[Expr, ...]:
    """What an operation puts together."""
    if isinstance(expr, Binary) and expr.op == op:
        return (*parts(expr.left, op), *parts(expr.right, op))
    return (expr,)


def picking(
    test: Expr, truth: Callable[[Expr], Expr], printer: Printer, optional: Collection[str]
) -> Iterator[str]:
    """The lines behind the head of `picks`; a term without its tensor picks all."""
    terms = [(x, _some(x, truth, printer)) for x in parts(test, "and")]
    certain = [text for x, text in terms if text and not set(optional) & set(names(x))]
    yield f"    picked = {certain[0] if certain else 'start >= 0'}"
    yield from (f"    picked = picked & {text}" for text in certain[1:])
    for term, text in terms:
        if text and text not in certain:
            there = " and ".join(f"{x} is not None" for x in sorted(set(optional) & set(names(term))))
            yield f"    if {there}:"
            yield f"        picked = picked & {text}"
    yield "    return picked"


def _some(test: Expr, truth: Callable[[Expr], Expr], printer: Printer) -> str:
    """Whether it may hold for any pair; nothing where that is not told by queries or keys."""
    match test:
        case Binary(op="and"):
            found = [_some(x, truth, printer) for x in parts(test, "and")]
            return _joined(" & ", [x for x in found if x])
        case Binary(op="or"):
            found = [_some(x, truth, printer) for x in parts(test, "or")]
            return _joined(" | ", found) if all(found) else ""
        case Binary(op="==", left=Index() as a, right=Index() as b) if _read(a) | _read(b) == {"q", "k"}:
            if len(_read(a)) == len(_read(b)) == 1:
                return f"overlap({printer.text(a)}, {printer.text(b)})"
            return f"some({printer.text(test)})"
        case _:
            return f"some({printer.text(truth(test))})" if _read(test) else ""


def _joined(sign: str, texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"({sign.join(texts)})" if texts else ""


def _read(expr: Expr) -> set[str]:
    return set(names(expr)) & {"q", "k"}
