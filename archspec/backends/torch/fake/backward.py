"""The backward pass on shapes, in the order of torch's engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

from archspec.backends.torch.fake.functions.copies import cast
from archspec.backends.torch.fake.functions.pointwise import add
from archspec.backends.torch.fake.functions.reduce import sum_
from archspec.backends.torch.fake.functions.views import reshape
from archspec.backends.torch.fake.gradients.rules import gradients
from archspec.backends.torch.fake.gradients.views import joined
from archspec.backends.torch.fake.layout import Ints
from archspec.backends.torch.fake.make import made
from archspec.backends.torch.fake.node import Node, Operand, reached
from archspec.backends.torch.fake.repeats import Back, Opened, UnlikeError, again, lying
from archspec.backends.torch.fake.run import Run, current
from archspec.backends.torch.fake.run import gradients as recorded
from archspec.backends.torch.fake.stretch import Stretch
from archspec.backends.torch.fake.tensor import Tensor, ghost, tensors


def backward(results: Sequence[Tensor]) -> None:
    """Runs the backward pass of results on `current()`, from a gradient of each.

    An operation runs when all gradients of its results are there, later ones first; then what it kept is
    freed. Gradients of parameters are counted until they arrive, where they are added to what is there.
    """
    seeds = [(x, made("ones_like", (), x.shape, x.dtype)) for x in results if x.node is not None]
    with recorded(False):
        held = {id(x.storage) for pair in seeds for x in pair}  # whoever starts the pass holds on to these
        Engine(current(), held).run(list(seeds))


class Engine:
    """What waits to run, and the gradients that have come so far. Source: torch/csrc/autograd/engine.cpp."""

    def __init__(self, run: Run, held: set[int] | None = None) -> None:
        """`held`: storages that stay."""
        self._run, self._held = run, held or set()
        self._keepers: Counter[int] = Counter()
        self._opened = list[Opened]()
        self._missing: Counter[int] = Counter()
        self._leaves: Counter[int] = Counter()
        self._ready = list[tuple[int, Node]]()
        self._grads = dict[int, dict[int, Tensor]]()
        self.inner = dict[int, Tensor]()

    def run(self, seeds: list[tuple[Tensor, Tensor]]) -> None:
        """Everything that the seeds reach: tensors with their gradients."""
        nodes = list(reached([x for x, _ in seeds]))
        for node in nodes:
            self._expect(node, 1)
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
            self._close(-self._ready[0][0])
            self._step(heappop(self._ready)[1])
        self._close(0)
        self._run.place = place

    def _expect(self, node: Node, count: int) -> None:
        """A node is among those that run, or (with -1) no longer."""
        for x in node.operands:
            if x.node is not None:
                self._missing[x.node.order] += count
            elif x.leaf is not None:
                self._leaves[id(x.leaf)] += count
        for kept in node.saved:
            self._keepers[id(kept.storage)] += count

    def _offer(self, node: Node) -> None:
        if not self._missing[node.order]:
            heappush(self._ready, (-node.order, node))

    def _arrive(self, node: Node, slot: int, grad: Tensor) -> None:
        there = self._grads.setdefault(node.order, {})
        there[slot] = grad if slot not in there else add(there.pop(slot), grad)

    def _step(self, node: Node) -> None:
        self._run.place = node.place
        if node.inside is not None and node.order in self._grads:
            self._stretch(node, node.inside)
            return
        found = self._gradients(node, self._grads.pop(node.order, {}))
        self._release(node)
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

    def _release(self, node: Node) -> None:
        for kept in node.saved:
            self._keepers[id(kept.storage)] -= 1
        node.saved.clear()

    def _stretch(self, node: Node, inside: Stretch) -> None:
        """A node that stands for many: as it ran before, or else in its parts."""
        key = self._state(node, inside)
        known: Back | None = inside.back.get(key)
        if known is None:
            self._opened.append(Opened(self._run, node, key, self._around(node)))
            self._unfold(node, inside)
            return
        start = self._run.live
        self._leave(node, again(self._run, known, self._around(node), node.place))
        if self._run.live != start + known.live:
            raise UnlikeError(node.place)

    def _around(self, node: Node) -> list[Tensor | None]:
        """The gradient of its result, and those that wait where it ends."""
        return [self._grads[node.order][0], *map(self._waiting, node.operands)]

    def _waiting(self, x: Operand) -> Tensor | None:
        if x.node is None:
            return self.inner.get(id(x.leaf))
        return self._grads.get(x.node.order, {}).get(x.slot)

    def _state(self, node: Node, inside: Stretch) -> tuple[Any, ...]:
        """All that its backward pass depends on."""
        held = Counter(id(x.storage) for some in self._grads.values() for x in some.values())
        held.update(id(x.storage) for x in self.inner.values())
        last = [x.leaf is not None and self._leaves[id(x.leaf)] == 1 for x in node.operands]
        gone = [
            kept.storage.run is not None
            and self._keepers[id(kept.storage)] == 1
            and id(kept.storage) not in self._held
            for kept in node.saved[: len(inside.kept)]
        ]
        return lying(self._around(node), held, self._held), tuple(last), tuple(gone)

    def _unfold(self, node: Node, inside: Stretch) -> None:
        nodes = inside.unfolded(node, self._run)
        self._expect(node, -1)
        node.saved.clear()
        for one in nodes:
            self._expect(one, 1)
        result = inside.result
        assert result.order is not None
        order = node.order - inside.nodes + result.order
        self._grads[order] = {result.slot: self._grads.pop(node.order)[0]}
        for one in nodes:
            if one.order == order:
                self._offer(one)

    def _leave(self, node: Node, left: Sequence[Tensor | None]) -> None:
        del self._grads[node.order]
        self._release(node)
        for x, grad in zip(node.operands, left, strict=True):
            if x.node is not None:
                if grad is not None:
                    self._grads.setdefault(x.node.order, {})[x.slot] = grad
                self._missing[x.node.order] -= 1
                self._offer(x.node)
            elif x.leaf is not None:
                self._leaves[id(x.leaf)] -= 1
                if grad is None:
                    self.inner.pop(id(x.leaf), None)
                else:
                    self.inner[id(x.leaf)] = grad

    def _close(self, order: int) -> None:
        """Stretches are over where the next node is outside of them."""
        while self._opened and order <= self._opened[-1].floor:
            opened = self._opened.pop()
            opened.close(self._run, [self._waiting(x) for x in opened.operands])

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
            found = self._again(node, grads)
        elif node.name in ("split", "unbind"):
            found: list[Tensor | None] = [joined(node, _filled(node, grads), operands[0])]
        else:
            found = list(gradients(node, grads, operands))
        for i, x in enumerate(
            operands
        ):  # one after the other: what is cast is gone before the next is summed
            found[i] = _fitted(found[i], x)
        return found

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
