"""What one operation keeps for the backward pass, and where its gradients go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.layout import Ints
from archspec.backends.torch.fake.run import Run
from archspec.backends.torch.fake.storage import Storage

if TYPE_CHECKING:  # a tensor knows its node, and so does a stretch
    from archspec.backends.torch.fake.stretch import Stretch
    from archspec.backends.torch.fake.tensor import Tensor


class Kept(NamedTuple):
    """A tensor that is kept: why, and the shape and dtype it is read under."""

    reason: str
    storage: Storage
    shape: Ints
    dtype: DType


class Operand(NamedTuple):
    """How an operand lies, without its numbers; its gradient goes to result `slot` of `node`, or a `leaf`."""

    shape: Ints
    strides: Ints
    dtype: DType
    node: Node | None
    slot: int
    leaf: Tensor | None

    @property
    def wanted(self) -> bool:
        """Whether it gets a gradient."""
        return self.node is not None or self.leaf is not None


def operand(x: Tensor) -> Operand:
    leaf = x if x.requires_grad and x.node is None else None
    return Operand(x.shape, x.strides, x.dtype, x.node, x.slot, leaf)


class Node:
    """An operation with gradients. `flops`: of products in its backward pass; `order`: the later, the higher.

    `detail`: what its gradient needs beside the operands, such as an order of axes. `again`: what runs it
    once more where it kept its operands alone. `inside`: what it stands for, where that is a whole stretch.
    """

    __slots__ = ("again", "detail", "flops", "inside", "name", "operands", "order", "place", "saved")

    def __init__(
        self, name: str, place: str, order: int, operands: list[Operand], saved: list[Kept], flops: int = 0,
        detail: Any = None, inside: Stretch | None = None,
    ) -> None:  # fmt: skip
        self.name, self.place, self.order, self.operands, self.saved = name, place, order, operands, saved
        self.flops, self.detail, self.inside = flops, detail, inside
        self.again: Callable[[], Any] | None = None


def noted(
    run: Run, name: str, operands: Sequence[Tensor], saved: Sequence[tuple[str, Tensor]], flops: int = 0,
    detail: Any = None,
) -> Node:  # fmt: skip
    """The node of an operation that runs now."""
    run.nodes += 1
    run.packed += len(saved)
    kept = [Kept(reason, x.storage, x.shape, x.dtype) for reason, x in saved]
    return Node(name, run.place, run.nodes, [operand(x) for x in operands], kept, flops, detail)


def reached(results: Sequence[Tensor]) -> Iterator[Node]:
    """Every operation that the results' gradients pass, once."""
    waiting, seen = [x.node for x in results if x.node is not None], set[int]()
    while waiting:
        node = waiting.pop()
        if node.order not in seen:
            seen.add(node.order)
            yield node
            waiting += [x.node for x in node.operands if x.node is not None]
