"""What decoding keeps, in a forward method: grown by each step, or computed at the first one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archspec.backends.torch.forward import Body, shape_text
from archspec.backends.torch.layout import fits
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.graph import Apply, Node, Value
from archspec.ir.ops.state import Append, Hold, Keep, Recall

GROWS_ALONG = 2


def append(body: Body, node: Apply, op: Append) -> None:
    """`if cache is not None: k, v = cache.append(k, v)`.

    Raises `UnsupportedError` U004 for another axis than that of the cache's class.
    """
    if op.axis % node.outputs[0].type.rank != GROWS_ALONG:
        message = f"the cache grows along axis {GROWS_ALONG}, not along axis {op.axis}"
        raise UnsupportedError(Diagnostic("U004", message, node.span))
    body.flush()
    given = [body.text(value) for value in node.inputs]
    body.variables.read(body.reads(node.inputs))
    names = [_grown(body, old, new) for old, new in zip(node.inputs, node.outputs, strict=True)]
    if names != given:
        body.write(", ".join(names), ", ".join(given))
    cache = body.module.cache.of(op.state)
    body.line("if cache is not None:")
    body.indent += 4
    body.write(", ".join(names), f"{cache}.append({', '.join(given)})", shape_text(node.outputs[0].type))
    body.indent -= 4


def recall(body: Body, node: Apply, op: Recall, write_inner: Callable[[], None]) -> None:
    """Computed at the first step and without a cache, else what the step before kept."""
    body.flush()
    cache, old, new = body.module.cache.of(op.state), node.inputs[0], node.outputs[0]
    name, first = _free(body, new), f"cache is None or {cache}.kept is None"
    before = len(body.lines)
    body.line(f"if {first}:")
    body.indent += 4
    write_inner()
    _into(body, name, old)
    body.indent -= 4
    body.line("else:")
    body.line(f"    {name} = {cache}.kept")
    _shortened(body, before, f" if {first} else {cache}.kept")
    body.variables.bind(name, new)
    body.variables.blocked.discard(name)


def _shortened(body: Body, before: int, choice: str) -> None:
    """`x = a if test else b` for four lines that say so, where it fits one."""
    _, value, *rest = body.lines[before:]
    short = value.partition("  # ")[0].strip() + choice
    if len(rest) == 2 and fits(short, body.indent):
        body.lines[before:] = [" " * body.indent + short]


def keep(body: Body, node: Apply, op: Keep) -> None:
    """`if cache is not None: cache.keep(h, tokens)`."""
    tokens, x = body.number(op.tokens).text, body.text(node.inputs[0])
    body.variables.read(body.reads(node.inputs))
    body.line("if cache is not None:")
    body.line(f"    {body.module.cache.of(op.state)}.keep({x}, {tokens})")
    used = node.inputs[0]
    if used is not None:
        body.pending.pop(used.name, None)


def _grown(body: Body, old: Value | None, new: Value) -> str:
    """The variable of the grown value: that of the new part, unless this is read again."""
    name = body.text(old)
    free = old is not None and not body.variables.is_read(old) and body.variables.holds.get(name) == old
    if not free:
        return body.new(new)
    body.variables.bind(name, new)
    return name


def hold(body: Body, node: Apply, op: Hold, write_inner: Callable[[], None]) -> None:
    """Computed at the first step, read from the cache at later ones."""
    cache = body.module.cache.of(op.state)
    names = [_free(body, value) for value in node.outputs]
    target = f"({names[0]},)" if len(names) == 1 else ", ".join(names)
    body.line(f"if cache is not None and {cache}.kept:")
    body.line(f"    {target} = {cache}.kept")
    body.line("else:")
    body.indent += 4
    write_inner()
    for name, value in zip(names, node.inputs, strict=True):
        _into(body, name, value)
    body.line("if cache is not None:")
    body.line(f"    {cache}.keep({', '.join(names)})")
    body.indent -= 4
    for name, value in zip(names, node.outputs, strict=True):
        body.variables.bind(name, value)
        body.variables.blocked.discard(name)


def _into(body: Body, name: str, value: Value | None) -> None:
    """Puts a value into a variable that is kept free for it."""
    assert value is not None, "nothing absent is kept"
    if body.text(value) != name:
        body.variables.read(body.reads((value,)))
        body.write(name, body.text(value), shape_text(value.type))
    body.pending.pop(value.name, None)


def _free(body: Body, value: Value) -> str:
    """A variable for a kept value, which nothing else takes until it is there."""
    name = body.variables.choose(value.name.removesuffix("_held"))
    body.variables.blocked.add(name)
    return name


def held_back(nodes: Sequence[Node]) -> set[int]:
    """Positions of nodes that are written inside the branch that keeps their results."""
    holds = [node for node in nodes if isinstance(node, Apply) and isinstance(node.op, Hold | Recall)]
    return {position for node in holds for position in exclusive(nodes, node)}


def exclusive(nodes: Sequence[Node], held: Apply) -> set[int]:
    """Positions of the nodes whose results only feed `held`, directly or through each other."""
    wanted = {v.name for v in held.inputs if v is not None}
    inside: list[Node] = [held]
    found: set[int] = set()
    for position, node in reversed([*enumerate(nodes)]):
        made = {output.name for output in node.outputs}
        readers = [r for r in nodes if any(v is not None and v.name in made for v in r.inputs)]
        if made & wanted and all(any(reader is i for i in inside) for reader in readers):
            found.add(position)
            inside.append(node)
            wanted |= {v.name for v in node.inputs if v is not None}
    return found
