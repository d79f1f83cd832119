"""Attention of chosen queries takes in what is around it: linear modules before, a `Where` behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from archspec.backends.torch.dialect import MASK, Attend, AttendRows, Handed
from archspec.backends.torch.passes.order import readers, replaced
from archspec.backends.torch.walk import map_regions
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Call, Node, Region, Value
from archspec.ir.ops.contract import Linear
from archspec.ir.ops.elementwise import Where
from archspec.ir.ops.shape import Permute, Reshape

CHOSEN = 5  # which operand of an attention


def project_rows(root: Region) -> Region:
    """Afterwards an attention of chosen queries gives the others, too, and may run the modules before it."""
    return map_regions(root, lambda region: _each(_each(region, _with_others), _with_modules))


def _each(region: Region, change: Callable[[Region, Apply, Attend], Region]) -> Region:
    for node in region.nodes:
        if isinstance(node, Apply) and isinstance(node.op, Attend) and node.op.chosen:
            region = change(region, node, node.op)
    return region


def _with_others(region: Region, node: Apply, _: Attend) -> Region:
    """`where(chosen, attended, others)` as the attention itself."""
    (y,), where = node.outputs, node.inputs[CHOSEN]
    behind = _only_reader(region, y)
    if behind is None or not isinstance(behind.op, Where):
        return region
    condition, a, others = behind.inputs
    fits = a == y and others is not None and others.type == y.type
    if not fits or not _selects(region, condition, where):
        return region
    joined = Apply(node.op, (*node.inputs, others), behind.outputs, node.span)
    return replace(region, nodes=replaced(region, [node, behind], [joined]))


def _selects(region: Region, condition: Value | None, where: Value | None) -> bool:
    """Whether a condition is `where` [B, Q] as [B, 1, Q, 1]."""
    if condition is None or where is None or condition.type.rank != 4:
        return False
    makers = (node for node in region.nodes if condition in node.outputs)
    moved = any(isinstance(m, Apply) and isinstance(m.op, Reshape) and m.inputs == (where,) for m in makers)
    (batch, queries), one = where.type.shape, n.num(1)
    return moved and all(map(n.same, condition.type.shape, (batch, one, queries, one)))


def _with_modules(region: Region, node: Apply, op: Attend) -> Region:
    """The linear modules that make q, k and v of one x for this attention alone, with it."""
    found = [each for value in node.inputs[:3] if (each := _Heads.of(region, value)) is not None]
    mask = node.inputs[MASK]
    for_all = mask is None or all(size.value == 1 for size in mask.type.shape[1:3])
    if len(found) < 3 or not for_all or not _alike(found):
        return region
    modules = [each.module.outputs[0] for each in found]
    operands = (*found[0].module.inputs, *modules, mask, *node.inputs[CHOSEN:])
    joined = Apply(AttendRows(found[0].count, op.scale, op.dropout), operands, node.outputs, node.span)
    steps = [step for each in found for step in (each.split, each.moved)]
    inside = [x for x in region.nodes if x is node or any(x is step for step in steps)]
    nodes = replaced(region, inside, [joined])
    return replace(region, nodes=tuple(_handed(x) if x.outputs[0] in modules else x for x in nodes))


def _alike(found: Sequence[_Heads]) -> bool:
    """Whether three modules read the same value and give as many heads."""
    names = {each.module.region.name for each in found}
    one = len({each.module.inputs for each in found}) == 1
    return one and len(names) == 3 and all(n.same(found[0].count, each.count) for each in found)


def _handed(node: Node) -> Node:
    assert isinstance(node, Call), "what projects is a module"
    return Handed(node.region, node.inputs, node.outputs, node.shared, node.span)


def _only_reader(region: Region, value: Value) -> Apply | None:
    """The operation that alone reads a value."""
    found = readers(region, value)
    alone = len(found) == 1 and value not in region.outputs and found[0].inputs.count(value) == 1
    return found[0] if alone and isinstance(found[0], Apply) else None


@dataclass(frozen=True, slots=True)
class _Heads:
    """A linear module's result [B, S, H * E], cut [B, S, H, E] and moved [B, H, S, E], each read once."""

    module: Call
    split: Apply
    moved: Apply

    @property
    def count(self) -> Num:
        """How many heads."""
        return self.split.outputs[0].type.shape[2]

    @classmethod
    def of(cls, region: Region, value: Value | None) -> _Heads | None:
        makers = {v.name: node for node in region.nodes for v in node.outputs}
        chain: list[Node] = []
        while value is not None and len(chain) < 3 and value.name in makers:
            node = makers[value.name]
            if _only_reader(region, value) is None or len(node.inputs) != 1:
                return None
            chain.append(node)
            value = node.inputs[0]
        match chain:
            case [
                Apply(op=Permute(axes=(0, 2, 1, 3))) as moved,
                Apply(op=Reshape()) as split,
                Call() as module,
            ]:
                return cls(module, split, moved) if _is_linear(region, module, split) else None
            case _:
                return None


def _is_linear(region: Region, module: Call, split: Apply) -> bool:
    """Whether a module is a linear one that is called here alone, and whose last axis is cut."""
    calls = [x for x in region.nodes if isinstance(x, Call) and x.region.name == module.region.name]
    ops = [x.op for x in module.region.nodes if isinstance(x, Apply)]
    (y,), (cut,) = module.outputs, split.outputs
    kept = cut.type.rank == 4 and all(map(n.same, y.type.shape[:2], cut.type.shape[:2]))
    return len(calls) == 1 and [type(op) for op in ops] == [Linear] and y.type.rank == 3 and kept
