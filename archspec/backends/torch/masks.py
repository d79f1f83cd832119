"""Mask rules as functions of emitted source."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from archspec.backends.torch.dialect import Mask
from archspec.backends.torch.layout import commented, docstring, statement, wrapped
from archspec.backends.torch.mask_rules import CAUSAL, conjuncts, may_be_absent, sees_all
from archspec.backends.torch.mask_terms import LOCALS, Terms, bare, looked_up
from archspec.dims.expr import Binary, Expr, Index, Name, write
from archspec.errors import Span
from archspec.ir.graph import Value
from archspec.ir.reach import reach_of

QUERIES = commented("q = torch.arange(start, start + queries, device=device)[:, None]", "[Q, 1]")
KEYS = commented("k = torch.arange(keys, device=device)", "[K]")


_TERMS = {"q - k <": "window", "abs(q - k) <": "near"}


class MaskFunction(Struct, frozen=True):
    """A function's text and the arguments that a call hands it, by the words of the mask."""

    lines: tuple[str, ...]
    arguments: tuple[str, ...]


def mask_function(name: str, op: Mask, operands: Sequence[Value | None], span: Span | None) -> MaskFunction:
    """The function that makes the mask; absent operands' terms are left out when it runs.

    Raises `UnsupportedError` U003 for a rule that this backend cannot write.
    """
    given = {word: v for word, v in zip(op.operands, operands, strict=True) if v is not None}
    words = spelt((*op.operands, *(word for word, _ in op.names)))
    terms = Terms({word: v.type for word, v in given.items()}, words, op.queries, span, op.blocks)
    body = _Writer(op, given, words, terms).body()
    arguments = _arguments(words, body)
    optional = may_be_absent(op, operands)
    meant = {other: word for word, other in words.items()}
    params = [_annotated(word, meant.get(word), given, op) for word in arguments]
    kind = "Tensor | Windows" if op.blocks else "Tensor | None" if optional else "Tensor"
    head = wrapped(f"def {name}(", params, f") -> {kind}:", 0)
    absent = "; None where SDPA can do without" if op.implied else ""
    doc = docstring([f"True where a query may look: {write(op.rule)}{absent}."], 4)
    return MaskFunction((*head, *doc, *(part for line in body for part in _laid_out(line))), arguments)


def _laid_out(line: str) -> list[str]:
    """A line of a function's body, on as many lines as it needs."""
    found = re.fullmatch(r"( *)(return |mask = )?(.*)", line)
    assert found is not None, "any line fits"
    return statement(found[2] or "", found[3], 4 + len(found[1])) if found[2] else [f"    {line}"]


def spelt(words: Sequence[str]) -> dict[str, str]:
    """What the function calls its operands and numbers: themselves, but for its own variables' names."""
    out: dict[str, str] = {}
    for word in words:
        other = (word + "_" * i for i in range(1, 99))
        out[word] = next(x for x in other if x not in words) if word in LOCALS else word
    return out


def mask_name(op: Mask) -> str:
    """`causal_padding_mask`, after the terms of the rule."""
    words = [word for term in conjuncts(op.rule) if (word := _term_name(term))]
    return "_".join([*(dict.fromkeys(words) or ["visible"]), "mask"])


def _term_name(term: Expr) -> str:
    """`near_or_marked` for `abs(q - k) <= n or marked[b, k]`; nothing where a part has no name."""
    if isinstance(term, Binary) and term.op == "or":
        sides = _term_name(term.left), _term_name(term.right)
        return "_or_".join(sides) if all(sides) else ""
    text = write(term)
    if text in CAUSAL:
        return "causal"
    if isinstance(term, Index) and isinstance(term.base, Name):
        return "padding" if term.base.id.endswith("mask") else term.base.id
    return next((word for start, word in _TERMS.items() if text.startswith(start)), "")


def _annotated(word: str, meant: str | None, given: Mapping[str, Value], op: Mask) -> str:
    """A parameter; `meant`: the operand or number of the rule that it is."""
    operand = given.get(meant or "")
    if operand is not None:
        return f"{word}: Tensor | None" if operand.optional else f"{word}: Tensor"
    if meant is None and word == "device":
        return "device: torch.device"
    number = dict(op.names).get(meant or "")
    kind = "float" if number is not None and isinstance(number.value, float) else "int"
    return f"{word}: {kind}"


def _arguments(words: Mapping[str, str], body: Sequence[str]) -> tuple[str, ...]:
    """The function's parameters, as it calls them."""
    read = set(re.findall(r"\w+", "\n".join(body)))
    places = [word for word in ("start", "queries", "keys") if word in read]
    return (*places, *words.values(), *(["device"] if "device" in read else []))


class _Writer(Struct, frozen=True):
    """The statements of one function. `given`: the operands that there are, by name."""

    op: Mask
    given: Mapping[str, Value]
    words: Mapping[str, str]
    terms: Terms

    def body(self) -> list[str]:
        terms = conjuncts(self.op.rule)
        if self.op.blocks:
            return self._in_blocks(terms)
        certain = [term for term in terms if not self._optional(term)]
        read = {word for term in terms for word in bare(term)}
        places = [line for word, line in (("q", QUERIES), ("k", KEYS)) if word in read]
        if not certain and len(terms) == 1:
            return self._only(terms[0], places)
        lines = [*self._shortcut(terms), *places]
        joined = " & ".join(self.terms.boolean(term, nested=len(certain) > 1) for term in certain)
        if len(certain) == len(terms):
            return [*lines, f"return {joined}"]
        lines.append(f"mask = {joined or 'torch.ones((), dtype=torch.bool, device=device)'}")
        narrowed = (line for term in terms if term not in certain for line in self._narrowed(term))
        return [*lines, *narrowed, "return mask"]

    def _in_blocks(self, terms: Sequence[Expr]) -> list[str]:
        """The same terms at the positions of blocks: q [N, C, 1] and k [(B,) N, 1, W]."""
        certain = [self.terms.boolean(term, nested=True) for term in terms if not self._optional(term)]
        narrowed = (line for term in terms if self._optional(term) for line in self._narrowed(term))
        return [
            f"windows = windows_over({', '.join(self._reach())})",
            "q, k, there = windows.places(device)",
            f"mask = {' & '.join(['there', *certain])}",
            *narrowed,
            "return seen(windows, mask)",
        ]

    def _reach(self) -> list[str]:
        """The arguments of `windows_over`."""
        reach = reach_of(self.op.rule, dict(self.op.names))
        assert reach.before is not None, "blocks without a first key"
        assert reach.after is not None, "blocks without a last key"
        start = str(self.op.start.value) if self.op.start.value == 0 else "start"
        ends = [self.terms.number(bound.expr) for bound in (reach.before, reach.after)]
        picked = " | ".join(map(self.terms.flat, reach.picked))
        return [start, "queries", "keys", *ends, *([f"chosen({picked})"] if picked else [])]

    def _only(self, term: Expr, places: Sequence[str]) -> list[str]:
        absent = " or ".join(f"{word} is None" for word in self._optional(term))
        if not places:
            return [f"return None if {absent} else {self.terms.boolean(term)}"]
        return [f"if {absent}:", "    return None", *places, f"return {self.terms.boolean(term)}"]

    def _shortcut(self, terms: Sequence[Expr]) -> list[str]:
        """None where only `k <= q` is left, and that says nothing or what the causal flag says."""
        if any(looked_up(t) and not self._optional(t) for t in terms) or not may_be_absent(self.op, ()):
            return []
        tests = [f"{self.words[word]} is None" for word in self.given]
        flagged = self.op.implied and self.op.start.value == 0
        if not flagged and any(not looked_up(term) for term in terms):
            seen = [
                *(["start == 0"] if self.op.implied else []),
                *(["queries == 1"] if sees_all(self.op) else []),
            ]
            last = " or ".join(seen)
            tests.append(f"({last})" if tests and len(seen) > 1 else last)
        return [f"if {' and '.join(tests)}:", "    return None"]

    def _narrowed(self, term: Expr) -> list[str]:
        there = " and ".join(f"{word} is not None" for word in self._optional(term))
        return [f"if {there}:", f"    mask = mask & {self.terms.boolean(term, nested=True)}"]

    def _optional(self, term: Expr) -> list[str]:
        return [self.words[word] for word in looked_up(term) if self.given[word].optional]
