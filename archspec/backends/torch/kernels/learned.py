"""What a score looks up in tensors of floats: which pairs share an element, and what each gives to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal as Word

from msgspec import Struct

from archspec.backends.torch.code import COMPARE, PRODUCT, SUM, UNARY, Code
from archspec.backends.torch.kernels.derive import ZERO, derivative
from archspec.backends.torch.kernels.description import Description, lookups
from archspec.dims.expr import (
    Binary,
    Call,
    Conditional,
    Expr,
    Index,
    Literal,
    Name,
    Unary,
    names,
    rebuilt,
    substitute,
    write,
)
from archspec.ir.tiles.sums import plus

PLACES = ("b", "h", "q", "k")
_LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "//": PRODUCT, "%": PRODUCT}

Walk = Word["query", "key", "distance", "pair"]
WALKS: tuple[Walk, ...] = ("query", "key", "distance", "pair")


class Learned(Struct, frozen=True):
    """An element that the score reads at each pair, and the slope of the score along it.

    `walk`: which pairs of a head read one element: those of a query, of a key, of a distance, or none that
    could be told. `axes`: its places, where it is read at places alone.
    """

    read: Index
    slope: Expr
    walk: Walk
    axes: str

    @property
    def word(self) -> str:
        assert isinstance(self.read.base, Name), "scores look up tensors by name"
        return self.read.base.id


def learned(given: Description) -> tuple[Learned, ...]:
    """What may have a gradient, in the order of the tensors."""
    if given.score is None:
        return ()
    floats = [t.word for t in given.tensors if t.kind == "float"]
    read = [
        x for x in dict.fromkeys(lookups(given.score)) if isinstance(x.base, Name) and x.base.id in floats
    ]
    found = [Learned(x, derivative(given.score, x), _walk(x), _axes(x)) for x in read]
    return tuple(sorted((x for x in found if x.slope != ZERO), key=lambda x: floats.index(x.word)))


def _walk(read: Index) -> Walk:
    places = {word for item in read.items for word in names(item)}
    if "k" not in places:
        return "query"
    if "q" not in places:
        return "key"
    return "distance" if all(map(_by_distance, read.items)) else "pair"


def _by_distance(item: Expr) -> bool:
    """Whether a query and a key count only by how far they are apart."""
    return "q" not in names(_summed(substitute(item, {"k": Binary("+", Name("q"), Name("k"))})))


def _summed(expr: Expr) -> Expr:
    inner = rebuilt(expr, _summed)
    return plus(inner) if isinstance(inner, Binary | Unary) else inner


def _axes(read: Index) -> str:
    """`hqk` of `bias[h, q - start, k]`."""
    own = Binary("-", Name("q"), Name("start"))
    found = [("q" if x == own else x.id if isinstance(x, Name) else "") for x in read.items]
    ordered = [place for place in PLACES if place in found]
    return "".join(found) if found == ordered else ""


def places_function(given: Description) -> Iterator[list[str]]:
    """`LOOKUPS` and `read_at`: where the score reads, as tensors."""
    found = learned(given)
    if not found:
        return
    at = {t.word: 3 + i for i, t in enumerate(given.tensors)}
    rows = ", ".join(f'({at[x.word]}, "{x.walk}", "{x.axes}")' for x in found)
    yield [
        "# What the score looks up: which operand it is, which pairs read one element, and its axes where",
        "# it is read at places alone.",
        f"LOOKUPS = ({rows},)",
    ]
    words = [t.word for t in given.tensors] + [word for word, _ in given.numbers]
    given_as = ", ".join(words)
    head = "lookup: int, b: Tensor, h: Tensor, q: Tensor, k: Tensor, start: int, operands: Any"
    lines = [f"def read_at({head}) -> Any:"]
    lines.append('    """The elements that the score reads at these places: an index along each axis."""')
    lines.append(f"    {given_as}{',' if len(words) == 1 else ''} = operands")
    for i, x in enumerate(found):
        index = ", ".join(_code(item).text for item in x.read.items)
        lines.append(f"    if lookup == {i}:  # {write(x.read)}")
        lines.append(f"        return ({index},)")
    yield lines


def _varies(expr: Expr) -> bool:
    return isinstance(expr, Index) or any(place in names(expr) for place in PLACES)


def _code(expr: Expr) -> Code:
    """An expression of whole numbers over tensors."""
    match expr:
        case Literal(value=int() as value):
            return Code(repr(value), UNARY if value < 0 else Code("").level)
        case Name(id=word):
            return Code(word)
        case Unary(op="-", operand=x):
            return Code(f"-{_code(x).inside(UNARY)}", UNARY)
        case Binary(op=op, left=a, right=b) if op in _LEVELS:
            level = _LEVELS[op]
            return Code(f"{_code(a).inside(level)} {op} {_code(b).inside(level + 1)}", level)
        case Binary(op=op, left=a, right=b):
            return Code(f"{_code(a).inside(SUM)} {op} {_code(b).inside(SUM)}", COMPARE)
        case Conditional(test=test, then=a, orelse=b):
            return Code(f"torch.where({', '.join(_code(x).text for x in (test, a, b))})")
        case Call(function="abs", args=(x,)):
            return Code(f"abs({_code(x).text})")
        case Call(function="min" | "max" as function, args=args):
            return _extreme(function, args)
        case Index(base=Name(id=word), items=items):
            return Code(f"elements({', '.join((word, *(_code(x).text for x in items)))})")
        case _:
            raise ValueError(f"'{write(expr)}' is no place of a tensor")


def _extreme(function: str, args: tuple[Expr, ...]) -> Code:
    """`(k - q).clamp(max=far)`."""
    moving = [x for x in args if _varies(x)]
    if not moving:
        return Code(f"{function}({', '.join(_code(x).text for x in args)})")
    others = list(args)
    others.remove(moving[0])
    bound = {"min": "max", "max": "min"}[function]
    text = _code(moving[0]).atom + "".join(f".clamp({bound}={_code(x).text})" for x in others)
    return Code(text)
