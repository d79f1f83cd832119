"""What widens values for a scan, and what narrows its result, runs with it piece by piece along the axis.

A recurrence over a state [B, D, N] reads and gives [B, S, D, N], made of [B, S, D] and [B, S, N] and summed
to [B, S, D] right away. Afterwards the wide values exist for one piece of S only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from archspec.backends.torch.dialect import InPieces, ScanOver
from archspec.backends.torch.passes.along import Axes, operand_axes
from archspec.backends.torch.passes.order import readers, replaced, start, taken
from archspec.backends.torch.walk import map_regions
from archspec.dims.num import Num
from archspec.ir.graph import Apply, Node, Region, Value
from archspec.ir.ops.elementwise import Arith
from archspec.ir.ops.recurrence import Scan
from archspec.ir.ops.shape import Expand, Reshape
from archspec.ir.ops.source import Cast


def run_in_pieces(root: Region) -> Region:
    """Afterwards each `Scan` with operands narrower than its result is part of an `InPieces`."""
    return map_regions(root, _rewritten)


def _rewritten(region: Region) -> Region:
    for node in region.nodes:
        if isinstance(node, Apply) and isinstance(node.op, Scan):
            region = _Around(region, node).rewritten()
    return region


@dataclass(slots=True)
class _Around:
    """A scan, the operations around it that join it (`inside`), and the axis that runs along of each value.

    `whole`: values that are the same all along. `clash`: a value that is read along two axes.
    """

    region: Region
    scan: Apply
    inside: list[Apply] = field(default_factory=list[Apply])
    axes: dict[str, int] = field(default_factory=dict[str, int])
    whole: dict[str, Value] = field(default_factory=dict[str, Value])
    cut: dict[str, Value] = field(default_factory=dict[str, Value])
    clash: bool = False

    def rewritten(self) -> Region:
        op, wide = self.scan.op, self.scan.outputs[0]
        assert isinstance(op, Scan)
        axis = op.axis % wide.type.rank
        self.put(wide, axis)
        self.join(self.scan, _axes(self.scan, axis) or ())
        result = self.join_readers(wide, axis)
        for node in reversed(self.region.nodes):
            self.join_maker(node)
        made = {v.name for node in self.inside for v in node.outputs}
        known = [*self.region.inputs, *(v for node in self.region.nodes for v in node.outputs)]
        cut = [v for v in known if v.name in self.cut and v.name not in made]
        whole = [v for name, v in self.whole.items() if name not in made]
        narrower = any(v.type.rank < wide.type.rank for v in cut) and self.is_work()
        along = {self.axes[v.name] for v in (*cut, result)}
        if self.clash or not narrower or len(along) > 1 or {v.name for v in cut} & {v.name for v in whole}:
            return self.region
        return self.placed(cut, whole, result, along.pop())

    def put(self, value: Value, axis: int) -> None:
        self.clash |= self.axes.setdefault(value.name, axis) != axis

    def join(self, node: Apply, axes: Axes) -> None:
        """Takes a node in, with what it reads."""
        self.inside.append(node)
        first = node.inputs[2] if node is self.scan and len(node.inputs) > 2 else None
        for value, axis in zip(node.inputs, axes, strict=False):
            if value is not None and axis is not None:
                self.put(value, axis)
                self.cut[value.name] = value
            elif value is not None and value is not first:
                self.whole[value.name] = value

    def join_readers(self, wide: Value, axis: int) -> Value:
        """Takes in what leads from the scan to a narrower value, if each is read by the next alone."""
        trail: list[tuple[Apply, Axes, int]] = []
        value = wide
        while value.type.rank >= wide.type.rank:
            found = self.reader(value, axis)
            if found is None:
                return wide
            trail.append(found)
            value, axis = found[0].outputs[0], found[2]
        for node, axes, at in trail:
            self.join(node, axes)
            self.put(node.outputs[0], at)
        return value

    def reader(self, value: Value, axis: int) -> tuple[Apply, Axes, int] | None:
        """The one reader of a value, the axes of its operands, and that of its result."""
        found = readers(self.region, value)
        if len(found) != 1 or value in self.region.outputs or not _may_join(found[0]):
            return None
        node = found[0]
        assert isinstance(node, Apply)
        for at in range(node.outputs[0].type.rank):
            axes = _axes(node, at)
            if axes and all(a == axis for v, a in zip(node.inputs, axes, strict=True) if v == value):
                return node, axes, at
        return None

    def join_maker(self, node: Node) -> None:
        """Takes in what makes a value as wide as the scan's for those inside alone."""
        if not isinstance(node, Apply) or any(node is other for other in self.inside) or not _may_join(node):
            return
        value, rank = node.outputs[0], self.scan.outputs[0].type.rank
        inside = all(any(r is i for i in self.inside) for r in readers(self.region, value))
        if value.name not in self.cut or value.type.rank < rank or not inside or value in self.region.outputs:
            return
        axes = _axes(node, self.axes[value.name])
        if axes:
            self.join(node, axes)

    def placed(self, cut: Sequence[Value], whole: Sequence[Value], result: Value, dim: int) -> Region:
        """The region with the nodes inside as one."""
        order = [node for node in self.region.nodes if any(node is i for i in self.inside)]
        first, before = start(self.scan, taken(self.region))
        assert isinstance(self.scan.op, Scan)
        op = ScanOver(self.scan.op.axis) if self.is_spare(self.scan.inputs[1]) else self.scan.op
        scan = replace(self.scan, op=op, inputs=(*self.scan.inputs[:2], first))
        inner = tuple(scan if node is self.scan else node for node in order)
        last = self.scan.outputs[1]
        piece = Region("piece", "piece", (*cut, first), (result, last), inner, (), (), self.region.bindings)
        op = InPieces(piece, len(cut), dim)
        node = Apply(op, (*cut, first, *whole), (result, last), self.scan.span)
        return replace(self.region, nodes=replaced(self.region, order, (*before, node)))

    def is_work(self) -> bool:
        """Whether something besides the scan makes or reads as much as all states."""
        return any(not isinstance(node.op, Scan | Reshape | Expand) for node in self.inside)

    def is_spare(self, value: Value | None) -> bool:
        """Whether a value as large as all states is made inside, in memory of its own, and read once."""
        maker = next((node for node in self.inside if value in node.outputs), None)
        if value is None or maker is None or value in self.region.outputs:
            return False
        if len(readers(self.region, value)) > 1 or value.type.shape != self.scan.outputs[0].type.shape:
            return False
        return isinstance(maker.op, Arith) or (isinstance(maker.op, Cast) and self.is_spare(maker.inputs[0]))


def _axes(node: Apply, axis: int) -> Axes | None:
    types = [v.type for v in node.inputs if v is not None]
    return operand_axes(node.op, types, node.outputs[0].type, axis)


def _may_join(node: Node) -> bool:
    """Whether a node has one result, all operands, and no number that changes with the length of a piece."""
    if not isinstance(node, Apply) or len(node.outputs) != 1:
        return False
    present = all(v is not None and not v.optional for v in node.inputs)
    sized = isinstance(node.op, Reshape | Expand)
    numbers = (value for _, value in node.op.attributes() if isinstance(value, Num))
    return present and bool(node.inputs) and (sized or all(number.static for number in numbers))
