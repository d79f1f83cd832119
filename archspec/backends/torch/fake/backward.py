"""The backward pass on shapes, in the order of torch's engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heappop, heappush

from archspec.backends.torch.fake.functions.copies import cast
from archspec.backends.torch.fake.functions.pointwise import add
from archspec.backends.torch.fake.functions.reduce import sum_
from archspec.backends.torch.fake.functions.views import reshape
from archspec.backends.torch.fake.gradients.rules import gradients
from archspec.backends.torch.fake.gradients.views import joined
from archspec.backends.torch.fake.layout import Ints
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.node import Node, reached
from archspec.backends.torch.fake.run import Run, current
from archspec.backends.torch.fake.run import gradients as recorded
from archspec.backends.torch.fake.tensor import Tensor, ghost, tensors


def backward(results: Sequence[Tensor]) -> None:
    """Runs the backward pass of results on `current()`, from a gradient of each.

    An operation runs when all gradients of its results are there, later ones first; then what it kept is
    freed. Gradients of parameters are counted until they arrive, where they are added to what is there.
    """
    seeds = [(x, made("ones_like", (), x.shape, x.dtype)) for x in results if x.node is not None]
    with recorded(False):
        Engine(current()).run(list(seeds))  # whoever starts the pass holds on to its seeds


class Engine:
    """What waits to run, and the gradients that have come so far. Source: torch/csrc/autograd/engine.cpp."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._missing: Counter[int] = Counter()
        self._leaves: Counter[int] = Counter()
        self._ready = list[tuple[int, Node]]()
        self._grads = dict[int, dict[int, Tensor]]()
        self.inner = dict[int, Tensor]()

    def run(self, seeds: list[tuple[Tensor, Tensor]]) -> None:
        """Everything that the seeds reach: tensors with their gradients."""
        nodes = list(reached([x for x, _ in seeds]))
        self._missing.update(x.node.order for node in nodes for x in node.operands if x.node is not None)
        self._leaves.update(id(x.leaf) for node in nodes for x in node.operands if x.leaf is not None)
        place = self._run.place
        while seeds:
            x, grad = seeds.pop(0)
            assert x.node is not None
            self._arrive(x.node, x.slot, grad)
            del x, grad
        for node in {node.order: node for node in nodes if node.order in self._grads}.values():
            self._offer(node)
        del nodes
        while self._ready:
            self._step(heappop(self._ready)[1])
        self._run.place = place

    def _offer(self, node: Node) -> None:
        if not self._missing[node.order]:
            heappush(self._ready, (-node.order, node))

    def _arrive(self, node: Node, slot: int, grad: Tensor) -> None:
        there = self._grads.setdefault(node.order, {})
        there[slot] = grad if slot not in there else add(there.pop(slot), grad)

    def _step(self, node: Node) -> None:
        self._run.place = node.place
        found = self._gradients(node, self._grads.pop(node.order, {}))
        node.saved.clear()
        for operand in node.operands:
            grad = found.pop(0)
            if operand.node is not None:
                if grad is not None:
                    self._arrive(operand.node, operand.slot, grad)
                self._missing[operand.node.order] -= 1
                self._offer(operand.node)
            elif operand.leaf is not None:
                self._settle(operand.leaf, grad)
            del grad

    def _settle(self, leaf: Tensor, grad: Tensor | None) -> None:
        """What comes to a leaf, which waits for all of it; then it is apart, but in a checkpoint's inside."""
        key = id(leaf)
        self._leaves[key] -= 1
        there = self.inner.pop(key, None)
        if grad is not None:
            self.inner[key] = grad if there is None else add(there, grad)
            del grad
        if not self._leaves[key] and leaf.storage.role == "parameter":
            self.inner.pop(key, None)

    def _gradients(self, node: Node, grads: dict[int, Tensor]) -> list[Tensor | None]:
        if not grads:
            return [None] * len(node.operands)
        operands = [ghost(x) for x in node.operands]
        if node.again is not None:
            found: Sequence[Tensor | None] = self._again(node, grads)
        elif node.name in ("split", "unbind"):
            found = [joined(node, _filled(node, grads), operands[0])]
        else:
            found = gradients(node, grads[0], operands)
        return [_fitted(grad, x) for grad, x in zip(found, operands, strict=True)]

    def _again(self, node: Node, grads: dict[int, Tensor]) -> list[Tensor | None]:
        """A checkpoint runs once more, then back; its results themselves are not made again."""
        assert node.again is not None
        with recorded(True):
            results, leaves = node.again()
        outs = [x for x in tensors(results) if x.node is not None]
        inner = Engine(self._run)
        del results
        inner.run([(outs.pop(0), grads.pop(slot)) for slot in range(len(outs)) if slot in grads])
        return [inner.inner.pop(id(x), None) for x in leaves]


def _filled(node: Node, grads: dict[int, Tensor]) -> list[Tensor]:
    """The gradients of pieces, zeros for those that nobody read."""
    dtype = next(iter(grads.values())).dtype
    shapes: list[Ints] = node.detail[1]
    return [grads[i] if i in grads else made("zeros", (), shape, dtype) for i, shape in enumerate(shapes)]


def _fitted(grad: Tensor | None, x: Tensor) -> Tensor | None:
    """A gradient in its operand's shape and dtype. Source: `validate_outputs`."""
    if grad is None or not x.requires_grad:
        return None
    if grad.shape != x.shape:
        lead = grad.dim() - x.dim()
        axes = [i for i in range(grad.dim()) if i < lead or x.shape[i - lead] != grad.shape[i]]
        grad = reshape(sum_(grad, axes, True), x.shape)
    return cast(grad, x.dtype)
