"""`each` and `recur` to steps of the tree: names that a body sees, and what they stand for in each turn."""

from __future__ import annotations

from collections.abc import Callable

from archspec.errors import Collector
from archspec.spec.names import refusal
from archspec.spec.node import Mapping, Node, Scalar
from archspec.spec.tree import Body, Common, Each, Recur, Step, Unread

RECUR = ("recur", "over", "axis", "body", "in", "when")
_HINT = "write '{recur: {h: start}, body: [steps]}', where a step called 'h' makes the next one"


def read_recur(
    found: Collector, common: Common, value: Mapping, body: Callable[[Node], Body]
) -> Recur | None:
    """The step, None where it has not its form.

    Adds S017 form of recur, S004 bad name.
    """
    carried, over, steps = value.get("recur"), value.get("over"), value.get("body")
    if not isinstance(carried, Mapping) or not carried.entries or steps is None:
        at = carried.span if carried else value.span
        found.add("S017", "'recur' takes names with what they start as, and a 'body'", at, _HINT)
        return None
    if over is not None and not isinstance(over, Mapping):
        hint = "write 'over: {k: keys}'"
        found.add("S017", "'over' takes names with what they are an element of", over.span, hint)
        return None
    cut = _named(found, over) if over else ()
    args = value.without("recur", "over", "axis", "body", "when")
    return Recur(common, _named(found, carried), cut, value.get("axis"), body(steps), args)


def read_each(
    found: Collector, common: Common, over: Node, value: Mapping, body: Callable[[Node], Body]
) -> Step:
    """The step; adds S016 form of each, S004 bad name."""
    steps = value.get("body")
    if not isinstance(over, Mapping) or not over.entries or steps is None:
        hint = "write '{each: {m: list}, body: [steps]}'"
        found.add("S016", "'each' takes names and lists, and a 'body'", over.span, hint)
        return Unread(common)
    _named(found, over)
    return Each(common, over, body(steps), value.without("each", "body", "when"))


def _named(found: Collector, table: Mapping) -> tuple[tuple[Scalar, Node], ...]:
    """The entries whose names can be names of values; others are reported."""
    for key, _ in table.entries:
        reason = refusal(str(key.value))
        if reason:
            found.add("S004", reason[0], key.span, reason[1])
    return tuple(entry for entry in table.entries if refusal(str(entry[0].value)) is None)
