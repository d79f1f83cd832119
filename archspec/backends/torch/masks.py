"""Mask rules as functions of emitted source."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.backends.torch.dialect import Mask
from archspec.backends.torch.layout import commented, docstring, wrapped
from archspec.backends.torch.passes.attention import conjuncts, is_causal, may_be_absent
from archspec.backends.torch.python import python
from archspec.dims import num as n
from archspec.dims.expr import Binary, Call, Expr, Index, Name, Unary, names, write
from archspec.dims.num import Num
from archspec.errors import Diagnostic, Span, UnsupportedError
from archspec.ir.graph import Value
from archspec.ir.types import TensorType

PLACES = ("b", "h", "q", "k")


@dataclass(frozen=True, slots=True)
class MaskFunction:
    """A function's text and the arguments that a call hands it, by name."""

    lines: tuple[str, ...]
    arguments: tuple[str, ...]


def mask_function(name: str, op: Mask, operands: tuple[Value | None, ...], span: Span | None) -> MaskFunction:
    """The function that makes the mask; absent operands' terms are left out when it runs.

    Raises `UnsupportedError` U003 for a rule that this backend cannot write.
    """
    given = {key: v for key, v in zip(op.operands, operands, strict=True) if v is not None}
    writer = _Writer({key: v.type for key, v in given.items()}, op.queries, span)
    terms = conjuncts(op.rule)
    plain = [t for t in terms if not _tensors(t)]
    looked = [t for t in terms if _tensors(t)]
    body = _start(op, plain, looked, given, writer)
    arguments = _arguments(op, plain, looked, body)
    optional = may_be_absent(op.rule, list(operands))
    params = [_annotated(a, given) for a in arguments]
    result = "Tensor | None" if optional else "Tensor"
    head = wrapped(f"def {name}(", params, f") -> {result}:", 0)
    doc = [f"True where a query may look: {write(op.rule)}."]
    doc += ["", "None where the attention's own causal flag says the same."] if op.implied else []
    return MaskFunction((*head, *docstring(doc, 4), *(f"    {line}" if line else "" for line in body)), arguments)


def _annotated(name: str, given: dict[str, Value]) -> str:
    kinds = {"device": "torch.device"}
    if name in given:
        return f"{name}: Tensor | None" if given[name].optional else f"{name}: Tensor"
    return f"{name}: {kinds.get(name, 'int')}"


def _start(op: Mask, plain: list[Expr], looked: list[Expr], given: dict[str, Value], writer: _Writer) -> list[str]:
    used = {w for t in (*plain, *looked) for w in writer.bare(t)}
    if len(looked) == 1 and not plain and not used:
        return _only(looked[0], given, writer)
    lines = _shortcut(op, plain, looked, given)
    if "q" in used:
        lines.append(commented("q = torch.arange(start, start + queries, device=device)[:, None]", "[Q, 1]"))
    if "k" in used:
        lines.append(commented("k = torch.arange(keys, device=device)", "[K]"))
    joined = " & ".join(writer.term(t, nested=len(plain) > 1) for t in plain)
    if plain and not looked:
        return [*lines, f"return {joined}"]
    lines.append(f"mask = {joined}" if plain else "mask = torch.ones((), dtype=torch.bool, device=device)")
    for term in looked:
        lines += _narrowed(term, given, writer)
    if lines[-1].startswith("mask = "):
        return [*lines[:-1], f"return {lines[-1].removeprefix('mask = ')}"]
    return [*lines, "return mask"]


def _only(term: Expr, given: dict[str, Value], writer: _Writer) -> list[str]:
    optional = [t for t in _tensors(term) if given[t].optional]
    text = writer.term(term)
    if not optional:
        return [f"return {text}"]
    return [f"return None if {' or '.join(f'{t} is None' for t in optional)} else {text}"]


def _shortcut(op: Mask, plain: list[Expr], looked: list[Expr], given: dict[str, Value]) -> list[str]:
    """None, where all operands are absent and nothing else is left to say."""
    if any(not given[t].optional for term in looked for t in _tensors(term)) or (plain and not is_causal(op.rule)):
        return []
    tests = [f"{t} is None" for t in given]
    if plain and not (op.implied and op.start.value == 0):
        seen = "start == 0 or queries == 1" if op.implied else "queries == 1"
        tests.append(f"({seen})" if tests and op.implied else seen)
    return [f"if {' and '.join(tests)}:", "    return None"] if tests else ["return None"]


def _narrowed(term: Expr, given: dict[str, Value], writer: _Writer) -> list[str]:
    optional = [t for t in _tensors(term) if given[t].optional]
    line = f"mask = mask & {writer.term(term, nested=True)}"
    if not optional:
        return [line]
    return [f"if {' and '.join(f'{t} is not None' for t in optional)}:", f"    {line}"]


def _tensors(term: Expr) -> tuple[str, ...]:
    """The tensors a term looks up."""
    found: list[str] = []

    def visit(x: Expr) -> None:
        if isinstance(x, Index) and isinstance(x.base, Name) and x.base.id not in found:
            found.append(x.base.id)
        for child in (getattr(x, key, None) for key in ("left", "right", "operand")):
            if child is not None:
                visit(child)
        for arg in getattr(x, "args", ()):
            visit(arg)

    visit(term)
    return tuple(found)


def _arguments(op: Mask, plain: list[Expr], looked: list[Expr], body: list[str]) -> tuple[str, ...]:
    text = "\n".join(body)
    fixed = [a for a in ("start", "queries", "keys") if f"{a}" in text]
    device = ["device"] if "device=" in text else []
    return (*fixed, *op.operands, *(name for name, _ in op.names), *device)


class _Writer:
    def __init__(self, types: dict[str, TensorType], queries: Num, span: Span | None) -> None:
        self.types, self.queries, self.span = types, queries, span

    def bare(self, term: Expr) -> set[str]:
        """Index names a term computes with, apart from looking tensors up."""
        if isinstance(term, Index):
            return set()
        if isinstance(term, Name):
            return {term.id} & set(PLACES)
        inner = [getattr(term, key, None) for key in ("left", "right", "operand")]
        return {w for x in (*inner, *getattr(term, "args", ())) if x is not None for w in self.bare(x)}

    def term(self, term: Expr, *, nested: bool = False) -> str:
        """A boolean term; in parentheses where it is an operand of `&`."""
        if isinstance(term, Binary) and term.op in ("and", "or"):
            symbol = {"and": "&", "or": "|"}[term.op]
            text = f"{self.term(term.left, nested=True)} {symbol} {self.term(term.right, nested=True)}"
            return f"({text})" if nested else text
        if isinstance(term, Unary) and term.op == "not":
            return f"~{self.term(term.operand, nested=True)}"
        if isinstance(term, Index):
            boolean = self.types[str(getattr(term.base, "id", ""))].dtype == "bool"
            return self.lookup(term) + ("" if boolean else ".bool()")
        text = self.number(term)
        return f"({text})" if nested and isinstance(term, Binary) else text

    def number(self, expr: Expr) -> str:
        if {"b", "h"} & self.bare(expr):
            raise self.refused(expr)
        slots: dict[str, str] = {}
        marked = self.marked(expr, slots)
        return python(marked, lambda word: slots.get(word, word), lambda _: None).text

    def marked(self, expr: Expr, slots: dict[str, str]) -> Expr:
        """The expression with lookups as names, whose texts go into `slots`."""
        if isinstance(expr, Index):
            word = f"lookup{len(slots)}"
            slots[word] = self.lookup(expr)
            return Name(word)
        if isinstance(expr, Binary):
            return Binary(expr.op, self.marked(expr.left, slots), self.marked(expr.right, slots))
        if isinstance(expr, Unary):
            return Unary(expr.op, self.marked(expr.operand, slots))
        if isinstance(expr, Call):
            return Call(expr.function, tuple(self.marked(a, slots) for a in expr.args))
        return expr

    def lookup(self, expr: Index) -> str:
        """`t[b, k]` as `t[:, None, None, :]`: the tensor's axes where the scores have them."""
        places = [next(names(item), "") for item in expr.items]
        if any(p not in PLACES for p in places) or sorted(places, key=PLACES.index) != places or len(set(places)) != len(places):
            raise self.refused(expr)
        base = str(getattr(expr.base, "id", ""))
        sizes = dict(zip(places, self.types[base].shape, strict=True))
        span = PLACES[PLACES.index(places[0]) :]
        index = [self.part(p, sizes[p]) if p in places else "None" for p in span]
        while index and index[-1] == ":" and len(index) > 1 and index[0] == ":" and "None" not in index[1:]:
            index.pop()
        return base if set(index) == {":"} else f"{base}[{', '.join(index)}]"

    def part(self, place: str, size: Num) -> str:
        """The axis, or where it goes over the whole sequence, the queries' part of it."""
        return "start : start + queries" if place == "q" and not n.same(size, self.queries) else ":"

    def refused(self, expr: Expr) -> UnsupportedError:
        hint = "look tensors up at b, h, q, k in this order; put per-head numbers in a tensor"
        return UnsupportedError(Diagnostic("U003", f"the torch backend cannot write the mask term '{write(expr)}'", self.span, hint))
