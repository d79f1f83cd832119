"""A module that runs at each position of an axis, in a forward method: a loop over the positions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from archspec.backends.torch.code import Code
from archspec.backends.torch.layout import wrapped
from archspec.backends.torch.scope import stem
from archspec.ir.along import Along
from archspec.ir.graph import Call, Value

if TYPE_CHECKING:
    from archspec.backends.torch.forward import Body

_SHORT = 40  # letters of what is cut, where it is written into the head of the loop


def recur(body: Body, node: Call, along: Along) -> None:
    """`for x_t in gates.unbind(1):`, where carried values go around, and results are stacked behind it."""
    module, place = body.module.child(node), body.module.place(node)
    sequences, same = _given(body, node, along)
    same += [body.handed(size) for size in module.sizes]
    before = set(body.variables.blocked)
    waiting = (other.code.text for other in body.pending.values())
    body.variables.blocked |= {word for text in (*same, *waiting) for word in re.findall(r"\w+", text)}
    carried = _carried(body, node, along)
    taken = node.region.inputs[along.carried : along.own]
    elements = [_taken(body, f"{stem(value.name)}_t") for value in taken]
    made = node.outputs[along.carried :]
    lists = {value: _taken(body, _several(value)) for value in made if body.variables.is_read(value)}
    each = [_taken(body, f"{stem(value.name)}_t") if value in lists else "_" for value in made]
    body.lines += [f"{' ' * body.indent}{name}: list[Tensor] = []" for name in lists.values()]
    body.lines += _head(elements, sequences, body.indent)
    body.indent += 4
    body.write(", ".join([*carried, *each]), f"{place}({', '.join([*carried, *elements, *same])})")
    for value, name in zip(made, each, strict=True):
        if value in lists:
            body.line(f"{lists[value]}.append({name})")
    body.indent -= 4
    body.variables.blocked = before | set(lists.values())
    for value, name in lists.items():
        body.give((value,), Code(f"torch.stack({name}, dim={along.axis})"), ())


def _given(body: Body, node: Call, along: Along) -> tuple[list[str], list[str]]:
    """What is cut, and what is the same in each run, as expressions; the latter are computed before."""
    for position, value in enumerate(node.inputs):
        is_cut = along.carried <= position < along.own
        if value.name not in body.pending or (position >= along.carried and body.owns(value)):
            continue
        if not is_cut or len(body.text(value)) > _SHORT:
            body.materialise(value)
    cut, rest = node.inputs[along.carried : along.own], node.inputs[along.own :]
    sequences = [f"{code.atom}.unbind({along.axis})" for code in map(body.operand, cut) if code]
    same = [body.text(value) for value in rest]
    body.variables.read(body.reads(node.inputs))
    for value in cut:
        if not body.owns(value):
            body.pending.pop(value.name, None)
    return sequences, same


def _carried(body: Body, node: Call, along: Along) -> list[str]:
    """The variables that go around the loop: those of the first values, unless these are read again."""
    names: list[str] = []
    for old, new in zip(node.inputs[: along.carried], node.outputs, strict=False):
        name = body.variables.named[old.name]
        if name in body.variables.blocked or body.variables.is_read(old):
            body.variables.blocked.add(name)
            fresh = body.variables.choose(new.name)
            body.write(fresh, name)
            name = fresh
        body.variables.bind(name, new)
        body.variables.blocked.add(name)
        names.append(name)
    return names


def _taken(body: Body, hint: str) -> str:
    """A variable of the loop's own, which no longer tells the sizes of what it held."""
    name = body.variables.choose(hint)
    body.variables.blocked.add(name)
    body.variables.holds.pop(name, None)
    return name


def _several(value: Value) -> str:
    word = stem(value.name)
    return f"{word}_list" if word.endswith("s") else f"{word}s"


def _head(elements: list[str], sequences: list[str], indent: int) -> list[str]:
    if len(sequences) == 1:
        return [f"{' ' * indent}for {elements[0]} in {sequences[0]}:"]
    return wrapped(f"for {', '.join(elements)} in zip(", [*sequences, "strict=True"], "):", indent)
