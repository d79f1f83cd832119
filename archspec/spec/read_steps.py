"""Bodies to trees of steps: the form of each step, before anyone knows which words exist."""

from __future__ import annotations

import keyword
import re

from archspec.errors import Collector, Span, did_you_mean
from archspec.spec.limits import stop_if_many
from archspec.spec.names import MAX_LENGTH, refusal, short
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind
from archspec.spec.read_loops import RECUR, read_each, read_recur
from archspec.spec.tree import (
    SCOPES,
    Body,
    Branch,
    CallAgain,
    Common,
    Experts,
    Group,
    Parallel,
    Push,
    Repeat,
    Residual,
    Step,
    Unread,
    Word,
)
from archspec.spec.yaml_flow import join

_STEPS = "start each step with '- '"
_PLURAL = (["repeat", "body"], ["experts", "body"], ["each", "body"], ["recur", "body"])
_KEYS = {
    "residual": ("residual", "when"),
    "parallel": ("parallel", "when"),
    "push": ("push", "when"),
    "branch": ("branch", "in", "when"),
    "body": ("body", "in", "when"),
    "each": ("each", "body", "in", "when"),
    "recur": RECUR,
    "repeat": ("repeat", "body", "block", "in", "vary", "shared", "when"),
    "experts": ("experts", "body", "block", "in", "weights", "vary", "when"),
}


class Reader:
    """Reads bodies; findings go to `found`, and a step that cannot be read leaves its name behind."""

    def __init__(self, found: Collector) -> None:
        self.found = found

    def body(self, node: Node) -> Body:
        if not isinstance(node, Sequence):
            self.found.add("S010", f"a body is a list of steps, not {kind(node)}", node.span, _STEPS)
            return ()
        if not node.items:
            self.found.add("S010", "a body without steps does nothing", node.span, _STEPS)
        return tuple(self.step(item) for item in node.items)

    def step(self, node: Node) -> Step:
        stop_if_many(self.found)
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return Word(Common((), node.span), node, _empty(node.span))
        if not isinstance(node, Mapping) or len(node.entries) != 1:
            keys = f"{len(node.entries)} keys" if isinstance(node, Mapping) and node.entries else None
            shown = keys or ("an empty mapping" if isinstance(node, Mapping) else kind(node))
            message = f"a step is one word or one 'name: value', not {shown}"
            self.found.add("S011", message, node.span, _step_hint(node))
            return Unread(Common(_first_name(node), node.span))
        key, value = node.entries[0]
        return self.keyed(key, value, join(key.span, value.span))

    def keyed(self, key: Scalar, value: Node, span: Span) -> Step:
        word = str(key.value)
        if word in ("residual", "parallel", "push"):
            return self.scoped(Common((), span), word, value)
        if word in ("repeat", "each", "recur", "branch", "call", "op", "body", "when"):
            self.found.add("S012", f"'{word}' needs a name", key.span, f"write '- name: {{{word}: …}}'")
            return Unread(Common((), span))
        if isinstance(value, Sequence):
            return Group(self.common(key, span, None), self.body(value), _empty(span))
        if isinstance(value, Mapping):
            return self.mapped(key, value, span)
        return self.scalar(key, value, span)

    def scalar(self, key: Scalar, value: Scalar, span: Span) -> Step:
        if value.value is None and not value.quoted:
            return Word(Common((), span), key, _empty(span))
        common = self.common(key, span, None)
        if isinstance(value.value, str):
            return Word(common, value, _empty(span), text=True)
        message, hint = (
            f"step '{short(str(key.value))}' is {kind(value)}, not an op",
            "write an op, a mapping or an expression",
        )
        self.found.add("S013", message, value.span, hint)
        return Unread(common)

    def mapped(self, key: Scalar, value: Mapping, span: Span) -> Step:
        scopes = [word for word in ("op", *SCOPES, "body") if value.key(word) is not None]
        when = self.when(value)
        if not scopes:
            return Word(Common((), span, when), key, value.without("when"))
        common = self.common(key, span, when)
        if len(scopes) > 1 and scopes not in _PLURAL:
            first, second = sorted(
                (key for key, _ in value.entries if key.value in scopes[:2]), key=_position
            )
            message = f"a step is one thing, not both '{first.value}' and '{second.value}'"
            self.found.add("S014", message, second.span, "make two steps of it")
            return Unread(common)
        told = value.key("body") is not None and value.key("block") is None  # a block has further arguments
        if scopes[0] in _KEYS and (told or scopes[0] not in ("repeat", "experts")):
            self.fits(value, scopes[0], _KEYS[scopes[0]])
        return self.worded(common, scopes[0], value)

    def worded(self, common: Common, scope: str, value: Mapping) -> Step:
        """A step whose mapping says what it is by one of its keys."""
        inner = value.get(scope)
        assert inner is not None
        if scope in ("op", "call"):
            word, args = self.word(inner, scope), value.without(scope, "when")
            step = Word if scope == "op" else CallAgain
            return step(common, word, args) if word else Unread(common)
        if scope == "repeat":
            return self.repeat(common, inner, value, ("shared",)) or Unread(common)
        if scope == "experts":
            return self.experts(common, inner, value) or Unread(common)
        if scope == "each":
            return read_each(self.found, common, inner, value, self.body)
        if scope == "recur":
            return read_recur(self.found, common, value, self.body) or Unread(common)
        if scope in ("branch", "body"):
            return (Branch if scope == "branch" else Group)(
                common, self.body(inner), value.without(scope, "when")
            )
        return self.scoped(common, scope, inner)

    def scoped(self, common: Common, scope: str, value: Node) -> Step:
        read = {"residual": self.residual, "parallel": self.parallel, "push": self.push}[scope]
        return read(self.conditional(common, value), value) or Unread(common)

    def conditional(self, common: Common, value: Node) -> Common:
        """The step's condition, which may stand inside its scope."""
        inner = value.key("when") if isinstance(value, Mapping) else None
        if inner is None or not isinstance(value, Mapping):
            return common
        if common.when is not None:
            self.found.add("S014", "the step has two conditions", inner.span, "join them: 'when: a and b'")
        return Common(common.names, common.span, self.when(value) or common.when)

    def residual(self, common: Common, value: Node) -> Step | None:
        if isinstance(value, Sequence):
            return Residual(common, self.body(value), None, None)
        if not isinstance(value, Mapping):
            return self.no_scope("residual", value)
        self.fits(value, "residual", ("body", "shortcut", "scale", "when"))
        body, shortcut = value.get("body"), value.get("shortcut")
        if body is None:
            hint = "write 'residual: [steps]' or 'residual: {body: [steps]}'"
            return self.missing("body", "residual", value, hint)
        beside = self.steps(shortcut) if shortcut else None
        return Residual(common, self.body(body), beside, value.get("scale"))

    def parallel(self, common: Common, value: Node) -> Step | None:
        join: Scalar | None = None
        if isinstance(value, Mapping):
            self.fits(value, "parallel", ("branches", "join", "when"))
            found, branches = value.get("join"), value.get("branches")
            join = self.word(found, "join") if found else None
            if branches is None:
                hint = "write 'parallel: [bodies]' or 'parallel: {branches: [bodies]}'"
                return self.missing("branches", "parallel", value, hint)
            value = branches
        if not isinstance(value, Sequence) or not value.items:
            return self.no_scope("parallel", value)
        return Parallel(common, tuple(self.steps(item) for item in value.items), join)

    def push(self, common: Common, value: Node) -> Step | None:
        inner, stored = value, None
        if isinstance(value, Mapping):
            self.fits(value, "push", ("to", "value", "when"))
            name, stored = value.get("to"), value.get("value")
            if name is None:
                return self.missing("to", "push", value, "name the stack: 'push: {to: skips}'")
            inner = name
        stack = self.word(inner, "push")
        reason = refusal(str(stack.value)) if stack else None
        if reason:
            self.found.add("S004", reason[0], inner.span, reason[1])
        return Push(common, stack, stored) if stack else None

    def steps(self, node: Node) -> Body:
        """A body, or one step standing alone. An empty one passes its value on."""
        if isinstance(node, Sequence):
            return self.body(node) if node.items else ()
        return (self.step(node),)

    def repeat(
        self, common: Common, count: Node, value: Mapping, more: tuple[str, ...], word: str = "repeat"
    ) -> Repeat | None:
        """The layers of a `repeat` or of `experts`; `more` are the keys that are no arguments of a block."""
        body, block, vary = value.get("body"), value.get("block"), value.get("vary")
        at = value.key("body") if block else value.key(word)
        if (body is None) == (block is None) and at:
            hint = "name a block, or write the steps"
            self.found.add("S015", f"'{word}' takes either 'body' or 'block'", at.span, hint)
            return None
        if vary is not None and not isinstance(vary, Mapping):
            hint = "write '{attn.window: {cycle: [512, null]}}'"
            message = f"'vary' is a mapping of paths to values, not {kind(vary)}"
            self.found.add("S003", message, vary.span, hint)
            vary = None
        called = self.word(block, "block") if block else None
        steps = self.body(body) if body else None
        if block and called is None:
            return None
        args = value.without(word, "body", "block", "vary", "when", *more)
        shared = value.get("shared") if "shared" in more else None
        return Repeat(common, count, steps, called, args, vary, shared)

    def experts(self, common: Common, count: Node, value: Mapping) -> Step | None:
        layers, weights = self.repeat(common, count, value, ("weights",), "experts"), value.get("weights")
        if weights is None:
            hint = "write 'weights: gates', a tensor [..., experts] with 0 for experts that do not run"
            return self.missing("weights", "experts", value, hint)
        return Experts(common, layers, weights) if layers else None

    def when(self, value: Mapping) -> Scalar | None:
        node = value.get("when")
        if node is None or isinstance(node, Scalar):
            return node
        hint = "write one expression, as in 'n > 0 and flag'"
        self.found.add("S003", f"'when' is a condition, not {kind(node)}", node.span, hint)
        return None

    def word(self, node: Node, what: str) -> Scalar | None:
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
            return node
        message = f"'{what}': expected a name, found {kind(node)}"
        self.found.add("S003", message, node.span, f"write '{what}: name'")
        return None

    def missing(self, key: str, what: str, value: Mapping, hint: str) -> None:
        """Reports a key that is not there, unless one was misspelt: then that was reported."""
        if not any(did_you_mean(str(word.value), (key,)) for word, _ in value.entries):
            span = value.span
            head = Span(span.source, span.line, span.column, span.line, span.column + 1)
            self.found.add("S002", f"'{what}' needs '{key}'", head, hint)

    def no_scope(self, what: str, value: Node) -> None:
        inside = "steps" if what == "residual" else "bodies"
        shown = "an empty list" if isinstance(value, Sequence) else kind(value)
        message = f"'{what}' takes a list of {inside} or a mapping, not {shown}"
        self.found.add("S010", message, value.span, f"write '{what}: [{inside}]'")

    def fits(self, value: Mapping, what: str, keys: tuple[str, ...]) -> None:
        for key, _ in value.entries:
            if key.value not in keys:
                hint = did_you_mean(str(key.value), keys) or f"known here: {', '.join(keys)}"
                self.found.add("S001", f"unknown key '{short(str(key.value))}' in '{what}'", key.span, hint)

    def common(self, key: Scalar, span: Span, when: Scalar | None) -> Common:
        """The step's names, `a` or `a, b`, checked: they become identifiers of emitted source."""
        names: list[str] = []
        for name in (part.strip() for part in str(key.value).split(",")):
            reason = refusal(name)
            if reason:
                self.found.add("S004", f"{reason[0]}", key.span, reason[1])
            names.append(_repaired(name) if reason else name)
        return Common(tuple(names), span, when)


def _repaired(name: str) -> str:
    """A name that can stand in for a bad one, so that the rest of its step is read."""
    return f"{name}_" if keyword.iskeyword(name) else "x" + re.sub(r"\W", "_", name)[: MAX_LENGTH - 1]


def _position(key: Scalar) -> tuple[int, int]:
    return key.span.line, key.span.column


def _empty(span: Span) -> Mapping:
    return Mapping((), span)


def _first_name(node: Node) -> tuple[str, ...]:
    names = node.keys()[:1] if isinstance(node, Mapping) else ()
    return tuple(name for name in names if refusal(name) is None)


def _step_hint(node: Node) -> str:
    if isinstance(node, Mapping) and len(node.entries) > 1:
        return "start every step with its own '- ', or nest its arguments: '- name: {op: …}'"
    return "write '- op', '- name: op' or '- name: {op: …}'"
