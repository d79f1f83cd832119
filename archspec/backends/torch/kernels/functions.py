"""The functions by which a structure enters the kernels (`template/structure.py` says what each is)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

from msgspec import Struct

from archspec.backends.torch.code import PRODUCT, Code
from archspec.backends.torch.kernels.derive import ONE
from archspec.backends.torch.kernels.description import Description, Looked
from archspec.backends.torch.kernels.fold import broken
from archspec.backends.torch.kernels.learned import learned, places_function
from archspec.backends.torch.kernels.picks import parts, picking
from archspec.backends.torch.kernels.printer import NATURAL, Printer
from archspec.backends.torch.kernels.runs import GROUPS, Group, Runs, count, group, ith
from archspec.dims.expr import Binary, Expr, Index, Literal, Name, Unary, names, rebuilt, write
from archspec.dims.parse import parse
from archspec.ir.tiles.plan import Segment
from archspec.ir.tiles.sums import either

HEAD = "b, h, q, k, start, operands"
# An operation, what is carried on, and what it begins with.
KEPT = ("and", "keep", "k >= 0")
ADDED = ("+", "added", "0.0")


def functions(given: Description) -> Iterator[list[str]]:
    """Each function's lines."""
    for lines in _functions(given):
        yield [part for line in lines for part in broken(line)]


def _functions(given: Description) -> Iterator[list[str]]:
    writer = _Writer(given)
    yield from writer.of_pairs()
    yield from writer.of_learned()
    yield from places_function(given)
    for what, walk in (("key", given.plan.queries), ("query", given.plan.keys)):
        runs = Runs.of(given.plan, walk)
        yield writer.tiles(what, runs)
        many = {"key": "keys", "query": "queries"}[what]
        for each in GROUPS:
            yield from _of_group(f"{each}_{many}", runs, each)
        if what == "key":
            yield _reaches(runs)


def _of_group(name: str, runs: Runs, which: Group) -> Iterator[list[str]]:
    chosen = runs.of_group(which)
    unpack = _unpacked(runs.ends, "runs")
    yield ["@triton.jit", f"def count_{name}(runs):", *unpack, f"    return {count(chosen)}"]
    yield ["@triton.jit", f"def {name}(i, runs):", *unpack, f"    return {ith(chosen)}"]


def _reaches(runs: Runs) -> list[str]:
    """`reaches`."""
    bounds = [
        f"(n < {x.end})" if x.begin == "0" else f"(n >= {x.begin}) & (n < {x.end})"
        for x in runs.of_group("all")
    ]
    text = " | ".join(f"({x})" if " & " in x and len(bounds) > 1 else x for x in bounds)
    lines = ["@triton.jit", "def reaches(n, runs):", '    """Whether the n-th tile of keys is in any run."""']
    return [*lines, *_unpacked(runs.ends, "runs"), f"    return {text or 'n < 0'}"]


def _unpacked(words: Sequence[str], what: str) -> list[str]:
    comma = "," if len(words) == 1 else ""
    listed = f"{', '.join(words)}{comma}"
    return [f"    ({listed}) = {what}" if len(listed) > 90 else f"    {listed} = {what}"] if words else []


class _Writer(Struct, frozen=True):
    given: Description

    def of_pairs(self) -> Iterator[list[str]]:
        """`visible`, `inside`, `picks` and `score`."""
        plan, score = self.given.plan, self.given.score
        yield self._of_pair("visible", plan.rule, f"Whether a pair counts: {write(plan.rule)}.")
        masks = [x.mask for x in self._segments("whole") if x.mask is not None]
        if masks:
            yield self._of_pair("inside", masks[0], "Whether a pair of a whole tile counts.")
        tests = either(x.test for x in self._segments("picked") if x.test is not None)
        if tests is not None:
            yield self._picks(tests)
        if score is not None:
            yield self._of_pair("score", score, f"What is added to a score: {write(score)}.")

    def of_learned(self) -> Iterator[list[str]]:
        """`part`: what of the gradient of scores goes to each element that the score looks up."""
        found = learned(self.given)
        if not found:
            return
        text = "What of the gradient of scores goes to an element that the score looks up."
        head = f"def part(ds, LOOKUP: tl.constexpr, {HEAD}):"
        lines = ["@triton.jit", head, f'    """{text}"""', *self._operands([x.slope for x in found])]
        for i, x in enumerate(found):
            slope = Binary("*", Name("ds"), x.slope) if x.slope != ONE else Name("ds")
            lines.append(f"    if LOOKUP == {i}:  # {write(x.read)}")
            lines.append(f"        return {Printer(self._lookup).text(_signed(slope))}")
        yield lines

    def _segments(self, which: str) -> list[Segment]:
        plan = self.given.plan
        return [x for x in plan.queries.segments + plan.keys.segments if group(plan, x) == which]

    def _of_pair(self, name: str, expr: Expr, text: str) -> list[str]:
        lines = ["@triton.jit", f"def {name}({HEAD}):", f'    """{text}"""', *self._operands([expr])]
        expr = expr if name == "score" else self._truth(expr)
        optional = {t.word for t in self.given.tensors if t.optional}
        if not optional & set(names(expr)):
            return [*lines, f"    return {Printer(self._lookup).text(expr)}"]
        return [*lines, *self._where_given(expr, optional, *(ADDED if name == "score" else KEPT))]

    def _picks(self, tests: Expr) -> list[str]:
        text = "Whether data may pick a pair of a tile; where it picks none, the tile is left out."
        optional = {t.word for t in self.given.tensors if t.optional}
        body = picking(tests, self._truth, Printer(self._lookup), optional)
        return ["@triton.jit", f"def picks({HEAD}):", f'    """{text}"""', *self._operands([tests]), *body]

    def _where_given(self, expr: Expr, optional: set[str], op: str, word: str, none: str) -> Iterator[str]:
        """Lines for terms that count only where their tensors are given."""
        terms = parts(expr, op)
        lacking = [x for x in terms if optional & set(names(x))]
        certain = [x for x in terms if x not in lacking] or [parse(none)]
        whole = reduce(lambda a, b: Binary(op, a, b), certain)
        yield f"    {word} = {Printer(self._lookup).text(whole)}"
        for term in lacking:
            there = " and ".join(f"{x} is not None" for x in sorted(optional & set(names(term))))
            yield f"    if {there}:"
            yield f"        {word} = {Printer(self._lookup).text(Binary(op, Name(word), term))}"
        yield f"    return {word}"

    def _truth(self, rule: Expr) -> Expr:
        """The rule with numbers that stand for booleans compared to 0."""
        match rule:
            case Binary(op="and" | "or"):
                return rebuilt(rule, self._truth)
            case Unary(op="not"):
                return rebuilt(rule, self._truth)
            case Index(base=Name(id=word)) if self.given.looked(word).kind != "bool":
                return Binary("!=", rule, Literal(0))
            case _:
                return rule

    def _operands(self, exprs: Sequence[Expr]) -> list[str]:
        read = {word for expr in exprs for word in names(expr)}
        return _unpacked(self.given.operands, "operands") if read & set(self.given.operands) else []

    def _lookup(self, expr: Index) -> Code:
        """`tl.load(padding + b * padding_0 + k * padding_1)`."""
        assert isinstance(expr.base, Name), "plans look up tensors by name"
        tensor = self.given.looked(expr.base.id)
        printer = Printer(self._lookup)
        items = [self._place(printer.code(x), tensor) for x in expr.items]
        places = " + ".join(f"{x} * {step}" for x, step in zip(items, tensor.steps, strict=True))
        wide = ".to(tl.float32)" if tensor.kind == "float" else ""  # distances have more digits than bfloat16
        return Code(f"tl.load({tensor.word} + {places}){wide}")

    def _place(self, code: Code, tensor: Looked) -> str:
        """An index; where a tensor of pairs may have more elements than 32 bits count, in 64 of them."""
        wide = tensor.axes > 2 and code.text in ("b", "h", "q")
        return f"{code.text}.to(tl.int64)" if wide else code.inside(PRODUCT)

    def tiles(self, what: str, runs: Runs) -> list[str]:
        """`key_tiles` or `query_tiles`."""
        known, lines = NATURAL, list[str]()
        for word, expr in runs.lets:
            lines.append(f"    {word} = {Printer(self._lookup, known).text(expr)}")
            known |= (
                {word} if word.rstrip("0123456789") in ("begin", "end", "inner", "outer") else frozenset()
            )
        head = f"def {what}_tiles({runs.walk.own.tile}, M, N, Q, K, start, b, h, operands):"
        text = f'    """{_story(runs)}"""'
        ends = runs.ends
        back = f"    return {', '.join(ends)}{',' if len(ends) == 1 else ''}" if ends else "    return ()"
        return ["@triton.jit", head, text, *self._operands([e for _, e in runs.lets]), *lines, back]


def _signed(product: Expr) -> Expr:
    """`-(a * b)` of `a * -b`, and `-a` of `a * -1.0`."""
    match product:
        case Binary(op="*", left=a, right=Unary(op="-", operand=b)):
            return Unary("-", a if b == ONE else Binary("*", a, b))
        case _:
            return product


def _story(runs: Runs) -> str:
    """`[begin, inner) tested, [inner, outer) whole`."""
    return ", ".join(f"[{x.begin}, {x.end}) {x.group}" for x in runs.runs) + "."
