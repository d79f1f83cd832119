"""Recurrences of outer products whose states are only contracted become matrix products.

With one factor for all of a state, h_t = a_t h_(t-1) + x_t w_t^T read as y_t = h_t c_t needs no state for
each position (Dao and Gu 2024, Transformers are SSMs, arXiv:2405.21060, section 6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from archspec.backends.torch.dialect import OuterScan
from archspec.backends.torch.passes.along import same_shape
from archspec.backends.torch.passes.attention import fresh
from archspec.backends.torch.passes.order import readers, replaced, start, taken
from archspec.backends.torch.walk import map_regions
from archspec.dims import num as n
from archspec.ir.graph import Apply, Node, Region, Value
from archspec.ir.op import Op
from archspec.ir.ops.contract import Einsum
from archspec.ir.ops.elementwise import Arith
from archspec.ir.ops.recurrence import Scan
from archspec.ir.ops.reduce import Reduce
from archspec.ir.ops.shape import Expand, Permute, Reshape
from archspec.ir.ops.source import Cast
from archspec.ir.types import Shape

Fitted: TypeAlias = tuple[Value, Shape]
"""A value, and its shape with an axis for each axis of the states: 1 where it is the same all along."""

Reading: TypeAlias = tuple[tuple[Apply, ...], Fitted, int]
"""The nodes that sum states times a value, that value, and which axis of the states is summed."""


def contract_outer(root: Region) -> Region:
    """Afterwards a `Scan` is an `OuterScan` where its last two axes are those of an outer product.

    That is where a has neither axis, b is a product of factors of which none has both, and the one reader
    sums one of them away, times what lacks the other.
    """
    return map_regions(root, _rewritten)


def _rewritten(region: Region) -> Region:
    for node in region.nodes:
        if isinstance(node, Apply) and isinstance(node.op, Scan):
            region = _Recurrence(region, node, taken(region)).rewritten()
    return region


@dataclass(slots=True)
class _Recurrence:
    """A scan with what is around it. `taken`: names of values; `new`: the nodes that replace it."""

    region: Region
    scan: Apply
    taken: set[str]
    new: list[Node] = field(default_factory=list[Node])

    @property
    def axis(self) -> int:
        assert isinstance(self.scan.op, Scan)
        return self.scan.op.axis % self.scan.outputs[0].type.rank

    def rewritten(self) -> Region:
        a, b, h = self.scan.inputs[0], self.scan.inputs[1], self.scan.outputs[0]
        found, rank = _reading(self.region, h), h.type.rank
        if found is None or a is None or b is None or self.axis >= rank - 2:
            return self.region
        ends, c, summed = found
        both = summed, other = summed, 2 * rank - 3 - summed  # the last two axes
        factors = [*self.factors(_fitted(b, rank), both)]
        x = [factor for factor in factors if not _has(factor, summed)]
        w = [factor for factor in factors if _has(factor, summed)]
        mixed = [*(_fitted(a, rank)[1][axis] for axis in both), *(given[1][other] for given in (*w, c))]
        if any(size.value != 1 for size in mixed) or any(h.type.shape[axis].value == 1 for axis in both):
            return self.region
        operands = (self.narrow(_fitted(a, rank), both), self.joined(x, summed), self.joined(w, other))
        self.place((*operands, self.narrow(c, (other,))), ends[-1].outputs[0], turned=summed < other)
        return replace(self.region, nodes=replaced(self.region, (self.scan, *ends), self.new))

    def factors(self, given: Fitted, both: Collection[int]) -> Iterable[Fitted]:
        """What a value is the product of, down to what lacks one of two axes."""
        maker = self.maker(given[0]) if all(_has(given, axis) for axis in both) else None
        h = self.scan.outputs[0].type
        inner = _split(maker, h.dtype, h.rank) if maker else None
        if inner is None:
            yield given
        for factor in inner or ():
            yield from self.factors(factor, both)

    def maker(self, value: Value) -> Apply | None:
        """The operation that a value comes from, if it has no other result."""
        nodes = (node for node in self.region.nodes if node.outputs == (value,))
        return next((node for node in nodes if isinstance(node, Apply)), None)

    def joined(self, factors: Iterable[Fitted], without: int) -> Value:
        """The product of factors, without an axis that they lack."""
        first, *others = (self.narrow(factor, (without,)) for factor in factors)
        for value in others:
            first = self.made(Arith("mul"), first, value)
        return first

    def narrow(self, given: Fitted, without: Collection[int]) -> Value:
        """A value without axes of size 1, and with that of the recurrence."""
        value, shape = given
        target = tuple(size for axis, size in enumerate(shape) if axis not in without)
        value = self.reshaped(value, target)
        if _has(given, self.axis):
            return value
        size = self.scan.outputs[0].type.shape[self.axis]
        return self.made(Expand((*target[: self.axis], size, *target[self.axis + 1 :])), value)

    def reshaped(self, value: Value, target: Shape) -> Value:
        """What the value was before axes of size 1 were put into it, if that has the shape."""
        source, maker = value, self.maker(value)
        if maker is not None and isinstance(maker.op, Reshape) and value.type.rank > len(target):
            (source,) = (v for v in maker.inputs if v is not None)
        return source if same_shape(source.type.shape, target) else self.made(Reshape(target), source)

    def place(self, operands: tuple[Value, ...], y: Value, *, turned: bool) -> None:
        """The new recurrence. `turned`: the axis that is summed stands first in the states."""
        last = self.scan.outputs[1]
        first, before = start(self.scan, self.taken)
        self.new += before
        swap = Permute((*range(last.type.rank - 2), last.type.rank - 1, last.type.rank - 2))
        given = self.made(swap, first) if turned else first
        end = Value(fresh(last.name, self.taken), given.type) if turned else last
        self.new.append(Apply(OuterScan(self.axis), (*operands, given), (y, end), self.scan.span))
        if turned:
            self.new.append(Apply(swap, (end,), (last,), self.scan.span))

    def made(self, op: Op, *operands: Value) -> Value:
        """The result of a new node."""
        (type_,) = op.infer(*(operand.type for operand in operands))
        value = Value(fresh(operands[0].name, self.taken), type_)
        self.new.append(Apply(op, operands, (value,), self.scan.span))
        return value


def _reading(region: Region, h: Value) -> Reading | None:
    """The reading of states that nothing else reads."""
    node = _only_reader(region, h)
    if node is None:
        return None
    found = _by_einsum(node, h) if isinstance(node.op, Einsum) else _by_sum(region, node, h)
    fits = found and found[2] >= h.type.rank - 2 and found[0][-1].outputs[0].type.dtype == h.type.dtype
    return found if fits else None


def _by_einsum(node: Apply, h: Value) -> Reading | None:
    """`einsum('bsdn,bsn->bsd', h, c)`"""
    terms, result = _terms(node.op)
    at = node.inputs.index(h)
    own, value = terms[at], node.inputs[at - 1]
    summed = [axis for axis, letter in enumerate(own) if letter not in result]
    if len(terms) != 2 or len(summed) != 1 or result != own.replace(own[summed[0]], "") or value is None:
        return None
    c = _by_letters(value, terms[at - 1], own)
    return ((node,), c, summed[0]) if c else None


def _by_sum(region: Region, node: Apply, h: Value) -> Reading | None:
    """`sum(h * c, axis=-1)`"""
    total = _only_reader(region, node.outputs[0])
    others = [value for value in node.inputs if value is not None and value != h]
    if node.op != Arith("mul") or total is None or not others or others[0].type.rank > h.type.rank:
        return None
    op = total.op
    if not isinstance(op, Reduce) or op.fn != "sum" or op.keep or len(op.axes) != 1:
        return None
    return (node, total), _fitted(others[0], h.type.rank), op.axes[0] % h.type.rank


def _only_reader(region: Region, value: Value) -> Apply | None:
    found = readers(region, value)
    alone = len(found) == 1 and value not in region.outputs
    return found[0] if alone and isinstance(found[0], Apply) else None


def _split(maker: Apply, dtype: str, rank: int) -> list[Fitted] | None:
    """What a product in this dtype is made of, or None where it is no product."""
    values = [value for value in maker.inputs if value is not None]
    if isinstance(maker.op, Einsum):
        terms, result = _terms(maker.op)
        inner = [_by_letters(value, term, result) for value, term in zip(values, terms, strict=True)]
        return [one for one in inner if one] if all(inner) else None
    known = maker.op == Arith("mul") or (isinstance(maker.op, Cast) and maker.op.dtype == dtype)
    return [_fitted(value, rank) for value in values] if known else None


def _terms(op: Op) -> tuple[list[str], str]:
    """The letters of the operands of an einsum, and those of its result."""
    assert isinstance(op, Einsum)
    left, _, result = op.equation.replace(" ", "").partition("->")
    return left.split(","), result


def _by_letters(value: Value, term: str, whole: str) -> Fitted | None:
    """A value by its letters, if they stand in the order of all letters."""
    if [letter for letter in whole if letter in term] != list(term):
        return None
    sizes = iter(value.type.shape)
    return value, tuple(next(sizes) if letter in term else n.num(1) for letter in whole)


def _fitted(value: Value, rank: int) -> Fitted:
    return value, (*(n.num(1),) * (rank - value.type.rank), *value.type.shape)


def _has(given: Fitted, axis: int) -> bool:
    return given[1][axis].value != 1
