"""What may be a key: a string, or an integer kept as its digits; once per mapping, with a value."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from archspec.errors import Collector, Span
from archspec.spec.node import Node, Scalar
from archspec.spec.yaml_scalar import shorten

MAX_FINDINGS = 50


def entries(
    pairs: list[tuple[Node, Node]], bare: set[int], found: Collector
) -> Iterator[tuple[Scalar, Node]]:
    """The pairs with proper keys; `bare` numbers those that came without a colon. Ends at `MAX_FINDINGS`.

    Adds to `found`: `Y009` duplicate, `Y010` not a string, `Y013` merge key, `Y018` no value.
    """
    seen: dict[str, Span] = {}
    for number, (node, value) in enumerate(pairs):
        if len(found.diagnostics) >= MAX_FINDINGS:
            return
        key = _key(node, found)
        if key is None:
            continue
        name = str(key.value)
        if number in bare:
            hint = "write 'key: value', with a space after the colon; quote a text that contains commas"
            found.add("Y018", f"'{shorten(name)}' has no value", key.span, hint)
        if name in seen:
            message = f"the key '{shorten(name)}' is already set on line {seen[name].line}"
            found.add("Y009", message, key.span, "keep one of the two")
        seen.setdefault(name, key.span)
        yield key, value


def _key(node: Node, found: Collector) -> Scalar | None:
    if not isinstance(node, Scalar):
        found.add("Y010", "a collection is used as a key", node.span, "quote the key if it is a name")
        return None
    if node.value == "<<" and not node.quoted:
        found.add("Y013", "a merge key is used", node.span, "use 'extends', 'defaults' or a block")
        return None
    if isinstance(node.value, str):
        return node
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return replace(node, value=str(node.value))
    hint = f'write "{shorten(node.text)}" with quotes' if node.text else "write a name before the colon"
    found.add("Y010", f"the key '{shorten(node.text)}' is not a string", node.span, hint)
    return None
