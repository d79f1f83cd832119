"""Mask rules as functions of emitted source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from archspec.backends.torch.dialect import Mask
from archspec.backends.torch.layout import docstring, wrapped
from archspec.backends.torch.mask_rules import conjuncts, documented, may_be_absent, rule_words, sees_all
from archspec.backends.torch.mask_terms import Terms, bare, looked_up
from archspec.backends.torch.pair_functions import GRID, PairFunction, annotated, arguments, laid_out, spelt
from archspec.dims.expr import Expr, write
from archspec.errors import Span
from archspec.ir.graph import Value
from archspec.ir.reach import reach_of


def mask_function(name: str, op: Mask, operands: Sequence[Value | None], span: Span | None) -> PairFunction:
    """The function that makes the mask; absent operands' terms are left out when it runs.

    Raises `UnsupportedError` U003 for a rule that this backend cannot write.
    """
    given = {word: v for word, v in zip(op.operands, operands, strict=True) if v is not None}
    words = spelt((*op.operands, *(word for word, _ in op.names)))
    terms = Terms({word: v.type for word, v in given.items()}, words, op.queries, span, op.blocks)
    body = MaskWriter(op, given, words, terms).body()
    params = arguments(words, body)
    optional = may_be_absent(op, operands)
    meant = {other: word for word, other in words.items()}
    shown = [annotated(word, meant.get(word), given, op) for word in params]
    part = " | Windows" if op.blocks else " | Documents" if op.documents else ""
    kind = f"Tensor{part}{' | None' if optional and not op.blocks else ''}"
    head = wrapped(f"def {name}(", shown, f") -> {kind}:", 0)
    absent = "; None where SDPA can do without" if op.implied else ""
    doc = docstring([f"True where a query may look: {write(op.rule)}{absent}."], 4)
    return PairFunction((*head, *doc, *(part for line in body for part in laid_out(line))), params)


def mask_name(op: Mask) -> str:
    """`causal_padding_mask`, after the terms of the rule."""
    return "_".join([*(rule_words(op.rule) or ["visible"]), "mask"])


class MaskWriter(Struct, frozen=True):
    """The statements of one function. `given`: the operands that there are, by name."""

    op: Mask
    given: Mapping[str, Value]
    words: Mapping[str, str]
    terms: Terms

    def body(self) -> list[str]:
        """The statements."""
        terms = conjuncts(self.op.rule)
        if self.op.blocks:
            return self._in_blocks(terms)
        certain = [term for term in terms if not self.optional(term)]
        read = {word for term in terms for word in bare(term)}
        places = [line for word, line in GRID.items() if word in read]
        if not certain and len(terms) == 1:
            return self._only(terms[0], places)
        lines = [*self.shortcut(terms), *self._documents(), *places]
        joined = " & ".join(self.terms.boolean(term, nested=len(certain) > 1) for term in certain)
        if len(certain) == len(terms):
            return [*lines, f"return {joined}"]
        lines.append(f"mask = {joined or 'torch.ones((), dtype=torch.bool, device=device)'}")
        narrowed = (line for term in terms if term not in certain for line in self._narrowed(term))
        return [*lines, *narrowed, "return mask"]

    def _in_blocks(self, terms: Sequence[Expr]) -> list[str]:
        """The same terms at the positions of blocks: q [N, C, 1] and k [(B,) N, 1, W]."""
        certain = [self.terms.boolean(term, nested=True) for term in terms if not self.optional(term)]
        narrowed = (line for term in terms if self.optional(term) for line in self._narrowed(term))
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
        absent = " or ".join(f"{word} is None" for word in self.optional(term))
        if not places and not self.op.documents:
            return [f"return None if {absent} else {self.terms.boolean(term)}"]
        head = [f"if {absent}:", "    return None", *self._documents()]
        return [*head, *places, f"return {self.terms.boolean(term)}"]

    def _documents(self) -> list[str]:
        """Leaves with the parts of the sequence that documents make, where that saves work."""
        found = documented(self.op.rule, self.given, self.op.keys) if self.op.documents else None
        if found is None:
            return []
        start = str(self.op.start.value) if self.op.start.value == 0 else "start"
        given = [self.words[found.ids], start, "queries", *(["causal=True"] if found.causal else [])]
        given += [f"padding={self.words[found.padding]}"] if found.padding else []
        near = [self.terms.boolean(term, nested=len(found.near) > 1) for term in found.near]
        given += [f"near=lambda q, k: {' & '.join(near)}"] if near else []
        return [f"parts = documents_over({', '.join(given)})", "if parts is not None:", "    return parts"]

    def shortcut(self, terms: Sequence[Expr]) -> list[str]:
        """None where only `k <= q` is left, and that says nothing or what the causal flag says."""
        if any(looked_up(t) and not self.optional(t) for t in terms) or not may_be_absent(self.op, ()):
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
        there = " and ".join(f"{word} is not None" for word in self.optional(term))
        return [f"if {there}:", f"    mask = mask & {self.terms.boolean(term, nested=True)}"]

    def optional(self, term: Expr) -> list[str]:
        """What the function calls the operands of a term that may be absent."""
        return [self.words[word] for word in looked_up(term) if self.given[word].optional]
