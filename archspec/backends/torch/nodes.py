"""How each kind of node is written into a forward method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archspec.backends.base import Rule, Unsupported
from archspec.backends.torch.attend import attend, attend_rows, masked_bias, of_pairs, sink_bias
from archspec.backends.torch.attend_flex import attend_by_flex
from archspec.backends.torch.attend_kernel import attend_by_kernel, attend_where
from archspec.backends.torch.code import Code
from archspec.backends.torch.dialect import (
    Attend,
    AttendByFlex,
    AttendByKernel,
    AttendRows,
    AttendWhere,
    Handed,
    InPieces,
    Layers,
    Mask,
    MaskedBias,
    Score,
    SinkBias,
)
from archspec.backends.torch.experts import experts
from archspec.backends.torch.forward import Body
from archspec.backends.torch.layers import cycled
from archspec.backends.torch.ops import RULES
from archspec.backends.torch.pattern import one_of
from archspec.backends.torch.pieces import pieces
from archspec.backends.torch.recur import recur
from archspec.backends.torch.release import drop, rebind
from archspec.backends.torch.scope import stem
from archspec.backends.torch.state import append, exclusive, held_back, hold, keep, recall
from archspec.backends.torch.words import RESERVED
from archspec.dims import num as n
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.along import Along
from archspec.ir.graph import Apply, Call, Node, Repeat, Value
from archspec.ir.ops.elementwise import Dropout
from archspec.ir.ops.state import Append, Hold, Keep, Recall
from archspec.ir.types import TensorType

if TYPE_CHECKING:
    from archspec.backends.torch.module import Module


@dataclass(slots=True)
class Spot:
    """One operation's view of the method it is written into: the `Emission` that rules are given."""

    body: Body
    inputs: tuple[TensorType | None, ...]
    outputs: tuple[TensorType, ...]

    def number(self, number: n.Num) -> Code:
        return self.body.number(number)

    def device(self) -> str:
        return self.body.device()

    def model_dtype(self) -> str:
        return self.body.model_dtype()

    def require(self, line: str) -> None:
        self.body.module.parts.require(line)


def write_nodes(body: Body, nodes: Sequence[Node]) -> None:
    """Statements for nodes in order; those that feed a `Hold` alone are written inside its branch."""
    skipped = held_back(nodes)
    for position, node in enumerate(nodes):
        if position not in skipped:
            write_node(body, node, nodes)


def write_node(body: Body, node: Node, nodes: Sequence[Node]) -> None:
    match node:
        case Handed():
            handed(body, node)
        case Call(along=Along() as along):
            recur(body, node, along)
        case Call():
            call(body, node, nodes)
        case Repeat(rows=None):
            repeat(body, node, nodes)
        case Repeat():
            experts(body, node)
        case Apply(op=Hold() as op):
            inner = [nodes[position] for position in sorted(exclusive(nodes, node))]
            hold(body, node, op, lambda: _write_all(body, inner, nodes))
        case Apply(op=Append() as op):
            append(body, node, op)
        case Apply(op=Recall() as op):
            initial = [nodes[position] for position in sorted(exclusive(nodes, node))]
            recall(body, node, op, lambda: _write_all(body, initial, nodes))
        case Apply(op=Keep() as op):
            keep(body, node, op)
        case Apply(op=InPieces() as op):
            pieces(body, node, op, write_nodes)
        case Apply(op=Mask() | Score() as op):
            of_pairs(body, node, op)
        case Apply(op=MaskedBias()):
            masked_bias(body, node)
        case Apply(op=SinkBias() as op):
            sink_bias(body, node, op)
        case Apply(op=Attend() as op):
            attend(body, node, op)
        case Apply(op=AttendByFlex() as op):
            attend_by_flex(body, node, op)
        case Apply(op=AttendByKernel() as op):
            attend_by_kernel(body, node, op)
        case Apply(op=AttendWhere() as op):
            attend_where(body, node, op)
        case Apply(op=AttendRows() as op):
            attend_rows(body, node, op)
        case Apply(op=Dropout() as op):
            dropout(body, node, op)
        case Apply():
            apply(body, node)


def _write_all(body: Body, inner: Sequence[Node], nodes: Sequence[Node]) -> None:
    for node in inner:
        write_node(body, node, nodes)


def apply(body: Body, node: Apply) -> None:
    """An operation with a rule. Raises `UnsupportedError` U004 for one without."""
    verdict = RULES.verdict(type(node.op))
    if not isinstance(verdict, Rule):
        known = verdict.reason if isinstance(verdict, Unsupported) else f"'{node.op.name}' has no rule"
        raise UnsupportedError(Diagnostic("U004", known, node.span))
    spot = Spot(body, tuple(v and v.type for v in node.inputs), tuple(v.type for v in node.outputs))
    code = body.settle(
        node.inputs, lambda: verdict.write(node.op, [body.operand(v) for v in node.inputs], spot)
    )
    body.give(node.outputs, code, node.inputs)


def dropout(body: Body, node: Apply, op: Dropout) -> None:
    attribute = body.module.dropout(op.p)
    code = body.settle(node.inputs, lambda: Code(f"self.{attribute}({body.text(node.inputs[0])})"))
    body.give(node.outputs, code, node.inputs)


def call(body: Body, node: Call, nodes: Sequence[Node]) -> None:
    """`self.name(x, mask)`; a region that only holds a parameter is that parameter."""
    module, attribute = body.module.child(node), body.module.place(node)
    if not node.region.nodes and not node.region.inputs and len(node.region.params) == 1:
        body.give(node.outputs, Code(f"{attribute}.{node.region.params[0].name}"), ())
        return
    rebind(body, node.inputs)
    cache = body.module.cache.of(node)
    part = [cache if cache == "cache" else f"{cache} if cache is not None else None"] if cache else []
    code = body.settle(
        node.inputs, lambda: Code(f"{attribute}({', '.join(_given(body, module, node.inputs) + part)})")
    )
    drop(body, node, nodes)
    body.give(node.outputs, code, node.inputs)


def handed(body: Body, node: Handed) -> None:
    """`self.name`, for the operation that runs it."""
    body.module.child(node)
    body.variables.read(body.reads(node.inputs))
    body.give(node.outputs, Code(body.module.place(node)), ())


def _given(body: Body, module: Module, inputs: Sequence[Value]) -> list[str]:
    """What a child's forward is handed: its tensors, and sizes that it cannot see."""
    fresh = module.takes_cache and not module.cache.slots  # this call of the module keeps nothing
    sizes = ["0" if fresh and s == "past" else body.handed(s) for s in module.sizes]
    return [body.text(value) for value in inputs] + sizes


def repeat(body: Body, node: Repeat, nodes: Sequence[Node]) -> None:
    """A loop over the layers; the carried values keep their names."""
    for position, value in enumerate(node.inputs):
        if value.name in body.pending and (position < len(node.outputs) or not body.owns(value)):
            body.materialise(value)
    body.variables.read(body.reads(node.inputs))
    count = len(node.outputs)
    rest = _fed(body, node)
    names = [_carry(body, i, node) for i in range(count)]
    module = body.module.layers(node)[0]
    sizes = [body.handed(size) for size in module.sizes]
    cache = body.module.cache.of(node)
    part = [f"{cache}[i] if cache is not None else None"] if cache else []
    given = [*names, *rest, *sizes, *part]
    indexed = any("[i]" in text or " if i " in text for text in given)
    head, called = _loop(body, node, indexed=indexed)
    drop(body, node, nodes)
    body.line(head)
    body.indent += 4
    body.write(", ".join(names), f"{called}({', '.join(given)})")
    body.indent -= 4


def _fed(body: Body, node: Repeat) -> list[str]:
    """What layers are handed besides the carried values; where that differs between them, by the index."""
    texts = [body.text(value) for value in node.inputs]
    feeds = node.feeds if isinstance(node, Layers) else (tuple(range(len(texts))),) * len(node.variants)
    out: list[str] = []
    for position in range(len(node.outputs), len(node.variants[0].inputs)):
        each = [texts[feeds[variant][position]] for variant in node.schedule]
        if len(set(each)) == 1:
            out.append(each[0])
            continue
        chosen = one_of(each, f"len({body.module.place(node)}) - 1")
        if chosen is not None:
            out.append(chosen)
            continue
        word = stem(node.variants[0].inputs[position].name)
        name = body.variables.choose(f"{word}_list" if word.endswith("s") else f"{word}s")
        body.variables.blocked.add(name)
        body.write(name, cycled(each))
        out.append(f"{name}[i]")
    return out


def _carry(body: Body, position: int, node: Repeat) -> str:
    """The variable that goes around the loop: the old one's, unless the old value is read again."""
    old, new = node.inputs[position], node.outputs[position]
    name = body.variables.named[old.name]
    if (
        body.variables.is_read(old)
        or old in node.inputs[len(node.outputs) :]
        or name in body.variables.blocked
    ):
        body.variables.blocked.add(name)
        fresh = body.variables.choose("x")
        body.write(fresh, name)
        name = fresh
    body.variables.bind(name, new)
    return name


def _loop(body: Body, node: Repeat, *, indexed: bool) -> tuple[str, str]:
    """The line that opens the loop, and what is called in it."""
    layers = body.module.place(node)
    if node.shared:
        return f"for {'i' if indexed else '_'} in range({body.number(node.count).text}):", f"{layers}[0]"
    layer = _layer_name(body, node)
    return (f"for i, {layer} in enumerate({layers}):" if indexed else f"for {layer} in {layers}:"), layer


def _layer_name(body: Body, node: Repeat) -> str:
    """What a layer is called: as its block is, unless that is the loop's own name or taken."""
    name, variables = node.variants[0].component, body.variables
    known = name in RESERVED or name in variables.holds or name in variables.blocked
    return name if name != node.name and name.isidentifier() and not known else "layer"
