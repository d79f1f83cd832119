"""Steps as a tree: what each one-key entry of a body means, before anyone knows which words exist."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from typing import TypeAlias

from archspec.errors import Collector, Span, did_you_mean
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
SCOPES = ("residual", "parallel", "repeat", "each", "branch", "push", "call")


@dataclass(frozen=True, slots=True)
class Common:
    """What every step has: its names (none if it was not given one), conditions, and where it stands."""

    names: tuple[str, ...]
    span: Span
    when: Scalar | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A component or block by name, with arguments. `text`: the value was a bare word or an expression."""

    common: Common
    word: Scalar
    args: Mapping
    text: bool = False


@dataclass(frozen=True, slots=True)
class Residual:
    """out = shortcut(x) + body(x)."""

    common: Common
    body: Body
    shortcut: Body | None
    scale: Node | None


@dataclass(frozen=True, slots=True)
class Parallel:
    """Every branch runs on the same value; the results are joined: `add`, `mul` or `concat` (along the last axis)."""

    common: Common
    branches: tuple[Body, ...]
    join: Scalar | None


@dataclass(frozen=True, slots=True)
class Group:
    """A named list of steps: a module."""

    common: Common
    body: Body
    args: Mapping


@dataclass(frozen=True, slots=True)
class Repeat:
    common: Common
    count: Node
    body: Body | None
    block: Scalar | None
    args: Mapping
    vary: Mapping | None
    shared: Node | None


@dataclass(frozen=True, slots=True)
class Each:
    common: Common
    over: Mapping
    body: Body
    args: Mapping


@dataclass(frozen=True, slots=True)
class Branch:
    """Steps on the side: the result gets the step's name, the value that flows on does not change."""

    common: Common
    body: Body
    args: Mapping


@dataclass(frozen=True, slots=True)
class Push:
    common: Common
    stack: Scalar
    value: Node | None


@dataclass(frozen=True, slots=True)
class CallAgain:
    common: Common
    target: Scalar
    args: Mapping


Step: TypeAlias = Word | Residual | Parallel | Group | Repeat | Each | Branch | Push | CallAgain
Body: TypeAlias = tuple[Step, ...]


class Reader:
    """Reads bodies; findings go to `found`, and a step that cannot be read is left out."""

    def __init__(self, found: Collector) -> None:
        self.found = found

    def body(self, node: Node) -> Body:
        if not isinstance(node, Sequence):
            self.found.add("S010", f"a body is a list of steps, not {kind(node)}", node.span, "start each step with '- '")
            return ()
        steps = (self.step(item) for item in node.items)
        return tuple(step for step in steps if step is not None)

    def step(self, node: Node) -> Step | None:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return Word(Common((), node.span), node, _empty(node.span))
        if not isinstance(node, Mapping) or len(node.entries) != 1:
            shown = f"{len(node.entries)} keys" if isinstance(node, Mapping) else kind(node)
            self.found.add("S011", f"a step is one word or one 'name: value', not {shown}", node.span, _step_hint(node))
            return None
        return self.keyed(*node.entries[0], node.span)

    def keyed(self, key: Scalar, value: Node, span: Span) -> Step | None:
        word = str(key.value)
        if word == "residual":
            return self.residual(Common((), span), value)
        if word == "parallel":
            return self.parallel(Common((), span), value)
        if word == "push":
            return self.push(Common((), span), value)
        if word in ("repeat", "each", "branch", "call"):
            self.found.add("S012", f"'{word}' needs a name", key.span, f"write '- name: {{{word}: …}}'")
            return None
        if isinstance(value, Sequence):
            common = self.common(key, span, None)
            return common and Group(common, self.body(value), _empty(span))
        if isinstance(value, Mapping):
            return self.mapped(key, value, span)
        return self.scalar(key, value, span)

    def scalar(self, key: Scalar, value: Scalar, span: Span) -> Step | None:
        if value.value is None and not value.quoted:
            return Word(Common((), span), key, _empty(span))
        if not isinstance(value.value, str):
            self.found.add("S013", f"step '{key.value}' is {kind(value)}, not an op", value.span, "write an op, a mapping or an expression")
            return None
        common = self.common(key, span, None)
        return common and Word(common, value, _empty(span), text=True)

    def mapped(self, key: Scalar, value: Mapping, span: Span) -> Step | None:
        scopes = [k for k in ("op", *SCOPES, "body") if value.get(k) is not None]
        if len(scopes) > 1 and scopes != ["repeat", "body"] and scopes != ["each", "body"]:
            self.found.add("S014", f"a step is one thing, not both '{scopes[0]}' and '{scopes[1]}'", value.span)
            return None
        when = self.when(value)
        if not scopes:
            return Word(Common((), span, when), key, value.without("when"))
        common = self.common(key, span, when)
        rest = value.without("when", "op", *SCOPES, "body", "vary", "block", "shared")
        return common and self.scoped(common, scopes[0], value, rest)

    def scoped(self, common: Common, scope: str, value: Mapping, rest: Mapping) -> Step | None:
        inner = value.get(scope)
        assert inner is not None
        if scope == "op":
            word = self.word(inner)
            return word and Word(common, word, value.without("op", "when"))
        if scope == "repeat":
            return self.repeat(common, inner, value, rest)
        if scope == "each":
            return self.each(common, inner, value, rest)
        if scope == "call":
            word = self.word(inner)
            return word and CallAgain(common, word, rest)
        if scope == "branch":
            return Branch(common, self.body(inner), rest)
        if scope == "body":
            return Group(common, self.body(inner), rest)
        return {"residual": self.residual, "parallel": self.parallel, "push": self.push}[scope](common, inner)

    def residual(self, common: Common, value: Node) -> Step | None:
        if isinstance(value, Sequence):
            return Residual(common, self.body(value), None, None)
        if not self.fits(value, "residual", ("body", "shortcut", "scale", "when")):
            return None
        assert isinstance(value, Mapping)
        common = Common(common.names, common.span, self.when(value) or common.when)
        body, shortcut = value.get("body"), value.get("shortcut")
        if body is None:
            self.found.add("S002", "key 'body' is missing", value.span, "write 'residual: [steps]' or 'residual: {body: [steps]}'")
            return None
        return Residual(common, self.body(body), self.steps(shortcut) if shortcut else None, value.get("scale"))

    def steps(self, node: Node) -> Body:
        """A body, or one step standing alone."""
        if isinstance(node, Sequence):
            return self.body(node)
        step = self.step(node)
        return (step,) if step else ()

    def parallel(self, common: Common, value: Node) -> Step | None:
        join: Scalar | None = None
        if isinstance(value, Mapping):
            if not self.fits(value, "parallel", ("branches", "join", "when")):
                return None
            common = Common(common.names, common.span, self.when(value) or common.when)
            found = value.get("join")
            join = self.word(found) if found else None
            value = value.get("branches") or value
        if not isinstance(value, Sequence):
            self.found.add("S010", f"'parallel' takes a list of bodies, not {kind(value)}", value.span)
            return None
        return Parallel(common, tuple(self.steps(item) for item in value.items), join)

    def push(self, common: Common, value: Node) -> Step | None:
        if isinstance(value, Mapping):
            if not self.fits(value, "push", ("to", "value", "when")):
                return None
            common = Common(common.names, common.span, self.when(value) or common.when)
            inner, stored = value.get("to"), value.get("value")
        else:
            inner, stored = value, None
        stack = self.word(inner) if inner else None
        if inner is None:
            self.found.add("S002", "key 'to' is missing", value.span, "name the stack: 'push: {to: skips}'")
        return stack and Push(common, stack, stored)

    def repeat(self, common: Common, count: Node, value: Mapping, rest: Mapping) -> Step | None:
        body, block, vary = value.get("body"), value.get("block"), value.get("vary")
        if (body is None) == (block is None):
            self.found.add("S015", "'repeat' takes either 'body' or 'block'", value.span, "name a block, or write the steps")
            return None
        if vary is not None and not isinstance(vary, Mapping):
            self.found.add("S003", f"'vary' is a mapping of paths to values, not {kind(vary)}", vary.span)
            return None
        word = self.word(block) if block else None
        steps = self.body(body) if body else None
        return Repeat(common, count, steps, word, rest, vary, value.get("shared"))

    def each(self, common: Common, over: Node, value: Mapping, rest: Mapping) -> Step | None:
        body = value.get("body")
        if not isinstance(over, Mapping) or body is None:
            self.found.add("S016", "'each' takes names and lists, and a 'body'", value.span, "write '{each: {m: list}, body: [steps]}'")
            return None
        return Each(common, over, self.body(body), rest)

    def when(self, value: Mapping) -> Scalar | None:
        node = value.get("when")
        if node is not None and not isinstance(node, Scalar):
            self.found.add("S003", f"'when' is a condition, not {kind(node)}", node.span)
            return None
        return node

    def word(self, node: Node) -> Scalar | None:
        if isinstance(node, Scalar) and isinstance(node.value, str) and _NAME.match(node.value):
            return node
        self.found.add("S004", f"expected a name, found {kind(node)}", node.span, "letters, digits and _, a letter first")
        return None

    def fits(self, value: Node, what: str, keys: tuple[str, ...]) -> bool:
        if not isinstance(value, Mapping):
            self.found.add("S010", f"'{what}' takes a list of steps or a mapping, not {kind(value)}", value.span)
            return False
        for key, _ in value.entries:
            if key.value not in keys:
                self.found.add("S001", f"unknown key '{key.value}' in '{what}'", key.span, did_you_mean(str(key.value), keys) or f"known here: {', '.join(keys)}")
        return set(value.keys()) <= set(keys)

    def common(self, key: Scalar, span: Span, when: Scalar | None) -> Common | None:
        """The step's names, `a` or `a, b`, checked: they become identifiers of emitted source."""
        names = tuple(part.strip() for part in str(key.value).split(","))
        for name in names:
            if not _NAME.match(name) or keyword.iskeyword(name) or len(name) > 64:
                hint = f"'{name}' is a word of Python; try '{name}_'" if keyword.iskeyword(name) else "letters, digits and _, a letter first"
                self.found.add("S004", f"'{name}' cannot be a step's name", key.span, hint)
                return None
        return Common(names, span, when)


def _empty(span: Span) -> Mapping:
    return Mapping((), span)


def _step_hint(node: Node) -> str:
    if isinstance(node, Mapping) and len(node.entries) > 1:
        return "start every step with its own '- ', or nest its arguments: '- name: {op: …}'"
    return "write '- op', '- name: op' or '- name: {op: …}'"
