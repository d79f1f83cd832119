"""What a forward method holds no longer than it must.

Python keeps the arguments of a call until it returns, and a variable until its name is taken again. So
`lm_head(ln_f(x))` holds x beside the logits, where `x = ln_f(x)`, and then `lm_head(x)`, does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from archspec.backends.torch.forward import Body, Operands
from archspec.backends.torch.scope import stem
from archspec.ir.graph import Apply, Call, Node, Repeat, Value
from archspec.ir.ops.shape import Expand, Permute, Reshape, Slice

_VIEWS = (Expand, Permute, Reshape, Slice)  # which hold what they are views of
LONG = 3


def rebind(body: Body, inputs: Operands) -> None:
    """Before a module is called: an operand that is the last to read a variable takes its name.

    Not where it reads others too, or reads it twice, as a residual does: the sum is another thing than what
    is in it. Arguments of the method itself are their caller's to hold.
    """
    for value in inputs:
        name = _freed(body, value) if value is not None and value.name in body.pending else None
        if value is not None and name is not None:
            body.materialise(value, name)


def _freed(body: Body, value: Value) -> str | None:
    """The one variable that nothing reads after this value is computed, if its name suits the value."""
    waiting, variables = body.pending[value.name], body.variables
    last = [name for name in waiting.reads if variables.left[name] == waiting.reads.count(name)]
    if len(last) != 1 or value.type.dtype != "float" or _is_view(body, value):
        return None
    name = variables.named[last[0]]
    alike = variables.holds[name].type == value.type or stem(body.hint(value)) == stem(name)
    return name if alike and _is_own(body, name, value) else None


def _is_view(body: Body, value: Value) -> bool:
    made = (node for node in body.region.nodes if isinstance(node, Apply) and value in node.outputs)
    return any(isinstance(node.op, _VIEWS) for node in made)


def _is_own(body: Body, name: str, reader: Value | None = None) -> bool:
    """Whether a variable is the method's to let go: no argument, and in no expression that waits.

    `reader`: what is written now. Others may name a variable for its shape alone.
    """
    variables = body.variables
    if name in variables.blocked or variables.holds[name] in body.region.inputs:
        return False
    waiting = (other.code.text for value, other in body.pending.items() if not reader or value != reader.name)
    return not any(re.search(rf"\b{name}\b", text) for text in waiting)


def drop(body: Body, node: Call | Repeat, nodes: Sequence[Node]) -> None:
    """`del x_4, skips_7`, before a module runs: once what was kept while several others ran is read.

    So a U-Net lets go what came down when it has come up again.
    """
    modules = [body.module.child(node)] if isinstance(node, Call) else body.module.layers(node)
    if body.indent > 8 or all(module.leaf for module in modules):
        return
    spent = dict(_spent(body))
    if any(_kept_for(value, nodes) >= LONG for value in spent.values()):
        body.line(f"del {', '.join(spent)}")
        for name in spent:
            del body.variables.holds[name]


def _spent(body: Body) -> Iterator[tuple[str, Value]]:
    """Variables that modules have made and nothing reads any more."""
    made = {v.name for node in body.region.nodes if not isinstance(node, Apply) for v in node.outputs}
    for name, value in body.variables.holds.items():
        if value.name in made and not body.variables.is_read(value) and _is_own(body, name):
            yield name, value


def _kept_for(value: Value, nodes: Sequence[Node]) -> int:
    """How many modules run between the one that makes a value and the one that reads it last."""
    ends = [at for at, node in enumerate(nodes) if value in node.inputs or value in node.outputs]
    return sum(not isinstance(node, Apply) for node in nodes[ends[0] + 1 : ends[-1]]) if ends else 0
