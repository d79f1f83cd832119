"""The expression tree shared by numbers, tensors and masks, and how it is written back.

One grammar serves the whole language. A node knows where in its text it stands (`at`, `end`, not
part of equality), so that an error can point at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, `true`, `false`, `null`, or a quoted word."""

    value: int | float | bool | str | None
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """What a scope gives a meaning to; dots belong to the name."""

    id: str
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x`, `+x` or `not x`."""

    op: str
    operand: Expr
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, comparison, `and`, `or`; comparisons do not chain."""

    op: str
    left: Expr
    right: Expr
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Conditional:
    """`then if test else orelse`."""

    test: Expr
    then: Expr
    orelse: Expr
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """`function(a, b, key=c)`."""

    function: str
    args: tuple[Expr, ...]
    kwargs: tuple[tuple[str, Expr], ...] = ()
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Slice:
    """`start:stop:step` between the brackets of an index."""

    start: Expr | None
    stop: Expr | None
    step: Expr | None = None
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Index:
    """`base[i, a:b, ..., None]`; `...` is the name `...`."""

    base: Expr
    items: tuple[Expr | Slice, ...]
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """`[a, b]`."""

    items: tuple[Expr, ...]
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`[item for name in list for other in another]`: a later clause reads the names of those before."""

    item: Expr
    clauses: tuple[tuple[str, Expr], ...]
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


Expr: TypeAlias = (
    Literal | Name | Unary | Binary | Conditional | Call | Slice | Index | Listing | Comprehension
)

PRECEDENCE: dict[str, int] = {
    "if": 1, "or": 2, "and": 3, "not": 4,
    "==": 5, "!=": 5, "<": 5, "<=": 5, ">": 5, ">=": 5, "in": 5,
    "+": 6, "-": 6, "*": 7, "/": 7, "//": 7, "%": 7, "@": 7, "neg": 8, "**": 9,
}  # fmt: skip
ATOM = 10


def children(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case Unary(operand=x):
            return (x,)
        case Binary(left=a, right=b):
            return (a, b)
        case Conditional(test=t, then=a, orelse=b):
            return (t, a, b)
        case Call(args=args, kwargs=kwargs):
            return (*args, *(value for _, value in kwargs))
        case Slice(start=a, stop=b, step=c):
            return tuple(x for x in (a, b, c) if x is not None)
        case Index(base=base, items=items):
            return (base, *items)
        case Listing(items=items):
            return items
        case Comprehension(item=item, clauses=clauses):
            return (*(over for _, over in clauses), item)
        case _:
            return ()


def names(expr: Expr) -> Iterator[str]:
    """Every name the expression reads, in reading order, with repetition; functions are not names."""
    for name in names_in(expr):
        yield name.id


def names_in(expr: Expr) -> Iterator[Name]:
    """Every name an expression reads, with its place in the text; not those that a comprehension binds."""
    if isinstance(expr, Name):
        yield expr
    bound = [name for name, _ in expr.clauses] if isinstance(expr, Comprehension) else []
    for position, child in enumerate(children(expr)):
        yield from (name for name in names_in(child) if name.id not in bound[:position])


def exceeds(expr: Expr, limit: int) -> bool:
    """Whether the tree has more than `limit` nodes."""
    seen, waiting = 0, [expr]
    while waiting and seen <= limit:
        seen += 1
        waiting.extend(children(waiting.pop()))
    return seen > limit


def height(expr: Expr) -> int:
    """Nodes on the longest way from the root to a leaf."""
    deepest, waiting = 0, [(expr, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting.extend((child, depth + 1) for child in children(node))
    return deepest


def rebuilt(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with each of its children changed; comprehensions, which bind names, as they are."""
    match expr:
        case Unary(operand=x):
            return replace(expr, operand=change(x))
        case Binary(left=a, right=b):
            return replace(expr, left=change(a), right=change(b))
        case Conditional(test=t, then=a, orelse=b):
            return replace(expr, test=change(t), then=change(a), orelse=change(b))
        case Call(args=args, kwargs=kwargs):
            given = tuple((name, change(value)) for name, value in kwargs)
            return replace(expr, args=tuple(map(change, args)), kwargs=given)
        case Index(base=base, items=items):
            return replace(expr, base=change(base), items=tuple(map(change, items)))
        case Listing(items=items):
            return replace(expr, items=tuple(map(change, items)))
        case Slice():
            ends = {k: getattr(expr, k) for k in ("start", "stop", "step")}
            return replace(expr, **{k: change(v) for k, v in ends.items() if v is not None})
        case _:
            return expr


def substitute(expr: Expr, names: dict[str, Expr]) -> Expr:
    """The expression with names replaced."""
    match expr:
        case Name(id=name):
            return names.get(name, expr)
        case Comprehension(item=item, clauses=clauses):
            free, read = dict(names), list[tuple[str, Expr]]()
            for name, over in clauses:
                read.append((name, substitute(over, free)))
                free.pop(name, None)
            return replace(expr, item=substitute(item, free), clauses=tuple(read))
        case _:
            return rebuilt(expr, lambda x: substitute(x, names))


def write(expr: Expr, rename: dict[str, str] | None = None) -> str:
    """The expression as text that parses back to an equal tree."""
    return _write(expr, 0, rename or {})


def _write(expr: Expr, outer: int, names: dict[str, str]) -> str:
    text, level = _written(expr, names)
    return f"({text})" if level < outer else text


def _written(expr: Expr, names: dict[str, str]) -> tuple[str, int]:
    match expr:
        case Literal(value=value):
            return _literal(value), PRECEDENCE["neg"] if _negative(value) else ATOM
        case Name(id=name):
            return names.get(name, name), ATOM
        case Unary(op=op, operand=x):
            level = PRECEDENCE["not" if op == "not" else "neg"]
            return f"{op}{' ' if op == 'not' else ''}{_write(x, level, names)}", level
        case Binary(op="**", left=a, right=b):
            return f"{_write(a, ATOM, names)}**{_write(b, PRECEDENCE['neg'], names)}", PRECEDENCE["**"]
        case Binary(op=op, left=a, right=b):
            level = PRECEDENCE[op]
            return f"{_write(a, level + (level == 5), names)} {op} {_write(b, level + 1, names)}", level
        case Conditional(test=t, then=a, orelse=b):
            return f"{_write(a, 2, names)} if {_write(t, 2, names)} else {_write(b, 1, names)}", 1
        case Call(function=function, args=args, kwargs=kwargs):
            parts = [_write(a, 0, names) for a in args] + [f"{k}={_write(v, 0, names)}" for k, v in kwargs]
            return f"{function}({', '.join(parts)})", ATOM
        case Slice(start=a, stop=b, step=c):
            text = ":".join("" if x is None else _write(x, 0, names) for x in (a, b))
            return text + (f":{_write(c, 0, names)}" if c is not None else ""), ATOM
        case Index(base=base, items=items):
            return f"{_write(base, ATOM, names)}[{', '.join(_write(i, 0, names) for i in items)}]", ATOM
        case Listing(items=items):
            return f"[{', '.join(_write(i, 0, names) for i in items)}]", ATOM
        case Comprehension(item=item, clauses=clauses):
            own = {name: name for name, _ in clauses}
            over = "".join(f" for {name} in {_write(x, 2, names)}" for name, x in clauses)
            return f"[{_write(item, 0, names | own)}{over}]", ATOM


def _negative(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and str(value).startswith("-")


def _literal(value: int | float | bool | str | None) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
