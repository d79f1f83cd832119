"""Composes the recipes of a map: names first, then the rules that join, cut and rearrange tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from archspec.errors import Collector, Diagnostic, Span, WeightsError, did_you_mean
from archspec.weights.arrays import TensorSpec
from archspec.weights.bench import Bench, Collision
from archspec.weights.pattern import MalformedPattern, Pattern, Substitution, generalised, join, parse_pair
from archspec.weights.rearrange import Maker, Misfit, rearrangements
from archspec.weights.recipe import Recipe
from archspec.weights.rules import WeightRules, span_at
from archspec.weights.structure import Structure, structures

Pairs = dict[str, tuple[Pattern, Pattern]]


class Findings:
    """What is wrong with the rules: one finding for each rule and code, at the rule's place in the spec."""

    def __init__(self, spans: Mapping[str, Span]) -> None:
        self._spans = spans
        self._first: dict[tuple[str, str, str], Diagnostic] = {}
        self._more: Counter[tuple[str, str, str]] = Counter()

    def add(self, code: str, kind: str, key: str, message: str, hint: str | None = None) -> None:
        """Adds a finding on the rule `key` of the section `kind`. Repeats, as in every layer, are counted."""
        if (code, kind, key) in self._first:
            self._more[code, kind, key] += 1
            return
        path = ".".join(part for part in ("weights", kind, key) if part)
        span = span_at(self._spans, *(part for part in (kind, key) if part))
        self._first[code, kind, key] = Diagnostic(code, f"{path}: {message}", span, hint)

    def stop_if_any(self) -> None:
        """Raises WeightsError with all findings so far."""
        found = Collector()
        for place, first in self._first.items():
            more = f", and {self._more[place]} more like it" if self._more[place] else ""
            found.add(first.code, first.message + more, first.span, first.hint)
        found.raise_if_any(WeightsError)


class Rearrangement(Struct, frozen=True):
    """One rule that rearranges the tensors `pattern` names."""

    kind: str
    key: str
    pattern: Pattern
    make: Maker


class Composer:
    """Runs the rules over a model's tensors. `finish` gives the recipes or raises WeightsError."""

    def __init__(self, rules: WeightRules, findings: Findings) -> None:
        self._findings = findings
        self._bench = Bench()
        self._used: set[tuple[str, str]] = set()
        self._renamed_by: dict[str, str | None] = {}
        self._rename = parse_pairs("rename", rules.rename, findings)
        self._segments = Substitution.of(parse_pairs("segments", rules.segments, findings))
        self._rearrangements = list(self._parsed_rearrangements(rules))
        self._structures = list(self._parsed_structures(rules))
        findings.stop_if_any()

    def _parsed_rearrangements(self, rules: WeightRules) -> Iterable[Rearrangement]:
        for kind, key, make in rearrangements(rules):
            try:
                yield Rearrangement(kind, key, Pattern.parse(key), make)
            except MalformedPattern as error:
                self._findings.add("W001", kind, key, str(error))

    def _parsed_structures(self, rules: WeightRules) -> Iterable[tuple[str, str, Structure]]:
        for kind, key, parse in structures(rules):
            try:
                yield kind, key, parse()
            except MalformedPattern as error:
                self._findings.add("W001", kind, key, str(error))

    def finish(self, tensors: Mapping[str, TensorSpec]) -> tuple[list[Recipe], Mapping[str, TensorSpec]]:
        """The recipes, and the hub's tensors by name. Raises WeightsError with every finding."""
        for name, spec in tensors.items():
            self._enter(name, spec)
        self._findings.stop_if_any()
        names = list(tensors), list(self._bench.specs)
        self._rearrange(self._bench.specs)
        for kind, key, rule in self._structures:
            self._restructure(kind, key, rule)
        self._report_unused(*names)
        self._findings.stop_if_any()
        return self._bench.recipes(), self._bench.specs

    def _enter(self, name: str, spec: TensorSpec) -> None:
        key, renamed = self._hub_name(name)
        try:
            self._bench.enter(name, renamed, spec)
        except Collision as error:
            rule = key if key is not None else self._renamed_by[renamed]
            self._findings.add("W003", "" if rule is None else "rename", rule or "", str(error))
        else:
            self._renamed_by[renamed] = key

    def _hub_name(self, name: str) -> tuple[str | None, str]:
        """The rename rule that took part, and the name as the hub spells it."""
        taken, head, tail = None, "", name
        for key, (left, right) in self._rename.items():
            if found := left.at_start(name):
                self._used.add(("rename", key))
                taken, head, tail = key, right.fill(found.indices), found.tail
                break
        rewritten, used = self._segments.apply(tail)
        self._used |= {("segments", key) for key in used}
        return taken, join(head, rewritten)

    def _rearrange(self, names: Iterable[str]) -> None:
        for name in list(names):
            for rule in self._rearrangements:
                if rule.pattern.inside(name):
                    self._rearrange_one(rule, name)

    def _rearrange_one(self, rule: Rearrangement, name: str) -> None:
        try:
            op = rule.make(self._bench.specs[name].shape)
            if op:
                self._used.add((rule.kind, rule.key))
                self._bench.rearrange(rule.kind, name, op)
        except Misfit as error:
            self._used.add((rule.kind, rule.key))
            self._findings.add("W004", rule.kind, rule.key, f"does not fit '{name}': {error}")
        except Collision as error:
            self._findings.add("W005", rule.kind, rule.key, str(error))

    def _restructure(self, kind: str, key: str, rule: Structure) -> None:
        try:
            for claim in rule.claims(self._bench.specs):
                self._used.add((kind, key))
                self._bench.exchange(claim.op, claim.inputs, claim.outputs)
                self._rearrange(claim.outputs)
        except Misfit as error:
            self._used.add((kind, key))
            self._findings.add("W004", kind, key, str(error))
        except Collision as error:
            self._findings.add("W003", kind, key, str(error))

    def _report_unused(self, ours: list[str], hub: list[str]) -> None:
        rewrites = [("rename", self._rename), ("segments", self._segments.rules)]
        for kind, rules in rewrites:
            for key, (left, _) in rules.items():
                self._report_if_unused(kind, key, left, left.optional, ours)
        for rule in self._rearrangements:
            names = [*hub, *self._bench.specs]
            self._report_if_unused(rule.kind, rule.key, rule.pattern, rule.pattern.optional, names)
        for kind, key, structure in self._structures:
            self._report_if_unused(kind, key, structure.reads, key.endswith("?"), hub)

    def _report_if_unused(
        self, kind: str, key: str, reads: Pattern, optional: bool, names: list[str]
    ) -> None:
        if (kind, key) not in self._used and not optional:
            self._findings.add("W002", kind, key, "changes no tensor", _nearest(reads.text, names))


def parse_pairs(kind: str, rules: Mapping[str, str], findings: Findings) -> Pairs:
    """The rewrites of one section; what is malformed becomes a finding."""
    pairs: Pairs = {}
    for key, value in rules.items():
        try:
            pairs[key] = parse_pair(key, value, left_may_be_empty=kind == "rename")
        except MalformedPattern as error:
            findings.add("W001", kind, key, str(error))
    return pairs


def _nearest(pattern: str, names: Iterable[str]) -> str | None:
    """A hint from the runs of segments, as long as `pattern`, that occur in `names`."""
    length = pattern.count(".") + 1
    runs: dict[str, None] = {}
    for name in {generalised(name): None for name in names}:
        parts = name.split(".")
        runs |= {".".join(parts[at : at + length]): None for at in range(len(parts) - length + 1)}
    if pattern in runs:
        return "an earlier rule takes the tensors it names, or they have nothing to change"
    return did_you_mean(pattern, runs)
