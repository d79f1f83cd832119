"""A section of `weights` with its expressions computed: plain data for the weight rules, and its places.

Names of tensors are patterns, not expressions: a text of letters, digits and `_ . * ? -` is taken as it is,
any other text is an expression (`'"wi_1" if gated else "wi"'`). All other values are read as params are: a
bare word that is no param stands for itself. A rule or a list item written `{to: …, when: …}`, and any rule
with `when`, is left out where the condition is false.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from msgspec import Struct

from archspec.dims.evaluate import EvalError
from archspec.dims.num import Num, Value
from archspec.dims.parse import ExprSyntaxError
from archspec.errors import Collector, Diagnostic, Span, SpecError, did_you_mean
from archspec.lowering.faults import text_span
from archspec.lowering.settings import Settings
from archspec.spec.node import Mapping, Node, Scalar, Sequence
from archspec.spec.spec import Spec

_PATTERN = re.compile(r"[A-Za-z0-9_.*?-]+")
# Rules whose values name tensors, and the keys inside them that do not.
_NAMES = frozenset(
    {"rename", "segments", "stack", "unstack", "fuse", "split", "transpose", "ignore", "alias", "accept"}
)
_COUNTS = frozenset({"axis", "sizes"})
# Names of fields and params, taken as they are.
_FIELDS = tuple(("import", key) for key in ("ignore", "accept", "instead", "free"))


class WeightsSection(Struct, frozen=True):
    """`plain` is what the rules are made from; `spans` maps dotted paths in it, `rename.h.*`, to places."""

    plain: dict[str, object]
    spans: dict[str, Span]


def read_section(spec: Spec, name: str) -> WeightsSection:
    """The section `name` of the spec's `weights`, for the spec's params.

    Raises SpecError with every finding: W050 no such section, N001 to N010 where a value cannot be computed,
    S003 for a condition that is not true or false.
    """
    sections = spec.section("weights")
    node = sections.get(name)
    if not isinstance(node, Mapping):
        raise SpecError(_absent(spec, sections, name))
    found = Collector()
    reader = _Reader(Settings(spec, found), found)
    plain = reader.table(node, ())
    found.raise_if_any()
    return WeightsSection(plain, reader.spans)


def _absent(spec: Spec, sections: Mapping, name: str) -> Diagnostic:
    key = spec.node.key("weights")
    listed = f"sections here: {', '.join(sections.keys())}" if sections.entries else None
    hint = did_you_mean(name, sections.keys()) or listed or "it says how a checkpoint names the parameters"
    return Diagnostic("W050", f"'{spec.name}' has no 'weights.{name}'", key.span if key else None, hint)


class _Absent(Exception):
    """A value that could not be computed, or whose condition is false."""


@dataclass(slots=True)
class _Reader:
    settings: Settings
    found: Collector
    spans: dict[str, Span] = field(default_factory=dict[str, Span])

    def table(self, node: Mapping, path: tuple[str, ...]) -> dict[str, object]:
        out: dict[str, object] = {}
        for key, value in node.entries:
            place = (*path, str(key.value))
            self.spans[".".join(place)] = key.span
            try:
                out[str(key.value)] = self.value(value, place)
            except _Absent:
                continue
        return out

    def value(self, node: Node, path: tuple[str, ...]) -> object:
        """Raises `_Absent`."""
        if isinstance(node, Mapping):
            return self.rule(node, path)
        if isinstance(node, Sequence):
            return self.items(node, path)
        if path[:2] in _FIELDS:
            return node.value
        if path[0] in _NAMES and path[-1] not in _COUNTS and isinstance(node.value, str):
            return node.value if _PATTERN.fullmatch(node.value) else self.computed(node)
        return self.computed(node)

    def rule(self, node: Mapping, path: tuple[str, ...]) -> object:
        """A mapping; `{to: a, when: b}` is `a` if `b` holds."""
        when, rest = node.get("when"), node.without("when")
        to = rest.get("to") if rest.keys() == ("to",) else None
        if when is None or (to is None and len(path) == 1):
            return self.table(node, path)
        if not self.holds(when):
            raise _Absent
        return self.table(rest, path) if to is None else self.value(to, path)

    def items(self, node: Sequence, path: tuple[str, ...]) -> list[object]:
        out: list[object] = []
        for number, item in enumerate(node.items):
            self.spans[".".join((*path, str(number)))] = item.span
            try:
                out.append(self.value(item, (*path, str(number)) if isinstance(item, Mapping) else path))
            except _Absent:
                continue
        return out

    def holds(self, node: Node) -> bool:
        value = self.computed(node)
        if isinstance(value, bool):
            return value
        hint = "compare it, as in 'n != 0'"
        self.found.add("S003", f"'when' is not true or false, but {value!r}", node.span, hint)
        raise _Absent

    def computed(self, node: Node) -> object:
        try:
            return _plain(self.settings.read(node))
        except (EvalError, ExprSyntaxError) as fault:
            code = fault.code if isinstance(fault, EvalError) else "N010"
            span = text_span(node, fault.at, fault.end)
            self.found.add(code, fault.message, span, _hint(node) or fault.hint)
            raise _Absent from None
        except KeyError:  # of a param that failed, which is reported already
            raise _Absent from None


def _plain(value: Value) -> object:
    if isinstance(value, Num):
        return value.value
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _hint(node: Node) -> str | None:
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or '"' in node.value:
        return None
    return f"""for the text itself, write '"{node.value}"'"""
