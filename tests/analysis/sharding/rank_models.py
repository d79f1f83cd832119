"""Devices as threads: emitted parts of a model, with sums where the analysis lists them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from archspec.analysis.sharding import Shardable, Sharded
from archspec.analysis.sharding.tensor import Tensor as Traced
from archspec.analysis.sharding.trace import Place
from archspec.backends.torch.emit import emit
from archspec.backends.torch.runtime.load import module_from_source
from archspec.ir.graph import Call, Graph, Repeat


def made(graph: Graph) -> nn.Module:
    emitted = module_from_source(emit(graph), graph.name)
    return getattr(emitted, emitted.__all__[0])().eval()


def randomised(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.2)
    return module


def indices(sharded: Sharded, axis: int, size: int, rank: int) -> list[int]:
    """The elements of an axis that a device holds: a stretch of it, or of each of its parts."""
    cut, dims = sharded.cut, sharded.trace.dims
    if not cut.is_cut(axis):
        return list(range(size))
    out: list[int] = []
    start = 0
    for part in dims.sums.get(dims.find(axis), ()):
        width = int(dims.sizes[part])
        out += [start + i for i in indices(sharded, part, width, rank)]
        start += width
    if out:
        return out
    parts = cut.parts[dims.find(axis)]
    width = -(-size // parts)
    first = rank * parts // sharded.tp * width
    return list(range(first, first + width))


def places(sharded: Sharded) -> dict[str, Place]:
    """Every module of the emitted source with what it was traced as."""
    return dict(_places(sharded.trace.root, ""))


def _places(place: Place, path: str) -> list[tuple[str, Place]]:
    found = [(path, place)]
    for number, below in place.below.items():
        node = place.region.nodes[number]
        if isinstance(node, Call):
            found += _places(below[0], f"{path}.{node.region.name}".lstrip("."))
        elif isinstance(node, Repeat):
            for layer, variant in enumerate(node.schedule):
                found += _places(below[variant], f"{path}.{node.name}.{layer}".lstrip("."))
    return found


def part_of(
    sharded: Sharded, state: Mapping[str, Tensor], rank: int, *, once: bool = True
) -> dict[str, Tensor]:
    """A device's share of each tensor; the last rows of a vocabulary are filled up."""
    known, sums = places(sharded), summed(sharded)
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        path, _, last = name.rpartition(".")
        tensor = known[path].values[last]
        for i, axis in enumerate(tensor.axes):
            held = torch.tensor(indices(sharded, axis, value.shape[i], rank))
            value = value.index_select(i, held.clamp(max=value.shape[i] - 1))
        added = once and last == "bias" and rank > 0 and (known[path].path, "linear") in sums
        out[name] = torch.zeros_like(value) if added else value  # a bias is added to the sum once
    return out


def summed(sharded: Sharded, when: str = "forward") -> set[tuple[str, str]]:
    """The values, or gradients, that are summed over devices, by region and name."""
    return {
        (c.path, c.value)
        for c in sharded.collectives
        if c.kind == "all_reduce" and c.when == when and not c.path.startswith("loss ")
    }


class Devices:
    """The devices of tp, one thread each."""

    def __init__(self, graph: Graph, tp: int) -> None:
        self.sharded = Shardable(graph).shard(tp)
        self.whole = randomised(made(graph))
        self.parts = [made(self.sharded.graph) for _ in range(tp)]
        self.barrier = threading.Barrier(tp, timeout=60)
        self.box: list[Tensor | None] = [None] * tp
        self.hooks: list[dict[str, RemovableHandle]] = [{} for _ in range(tp)]
        self.left, self.left_backward = summed(self.sharded), summed(self.sharded, "backward")
        for rank, part in enumerate(self.parts):
            part.load_state_dict(part_of(self.sharded, self.whole.state_dict(), rank))
            self._hook(part, rank)

    def all_reduce(self, rank: int, x: Tensor) -> Tensor:
        self.box[rank] = x
        self.barrier.wait()
        total = sum((x for x in self.box if x is not None), torch.zeros(()))
        self.barrier.wait()
        return x + (total - x).detach() if x.requires_grad else total

    def _gather_gradient(self, rank: int, module: nn.Module, given: object, out: Tensor) -> None:
        if out.requires_grad:
            out.register_hook(partial(self.all_reduce, rank))

    def _hook(self, part: nn.Module, rank: int) -> None:
        known, sums, entries = places(self.sharded), summed(self.sharded), summed(self.sharded, "backward")
        for path, module in part.named_modules():
            place = known.get(path)
            if place is not None and path and (place.path, place.region.outputs[0].name) in entries:
                module.register_forward_hook(partial(self._gather_gradient, rank))
                self.left_backward.discard((place.path, place.region.outputs[0].name))
            if place is None or not path or (place.path, place.region.outputs[0].name) not in sums:
                continue
            self.left.discard((place.path, place.region.outputs[0].name))
            if isinstance(module, nn.Embedding):
                setattr(module, "forward", partial(self._look_up, rank, module))  # noqa: B010  # as a method
            else:
                self.hooks[rank][path] = module.register_forward_hook(partial(self._after, rank))

    def _after(self, rank: int, module: nn.Module, given: object, out: Tensor) -> Tensor:
        return self.all_reduce(rank, out)

    def _look_up(self, rank: int, module: nn.Embedding, ids: Tensor) -> Tensor:
        """Rows that this device has, 0 for the others (Shoeybi et al. 2019, section 3)."""
        here = ids - rank * module.num_embeddings
        has = (here >= 0) & (here < module.num_embeddings)
        rows = nn.functional.embedding(here.clamp(0, module.num_embeddings - 1), module.weight)
        return self.all_reduce(rank, rows * has[..., None])

    def _each(self, work: Callable[[nn.Module], Any]) -> list[Any]:
        """What each device gives, all of them at once."""
        found: list[Any] = [None] * len(self.parts)

        def run(rank: int) -> None:
            found[rank] = work(self.parts[rank])

        threads = [threading.Thread(target=run, args=(rank,)) for rank in range(len(self.parts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    def logits(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Those of the whole model, and those of the devices, side by side."""
        found = self._each(lambda part: _logits(part(**inputs)).detach())
        whole = _logits(self.whole(**inputs)).detach()
        return whole, torch.cat(found, -1)[..., : whole.shape[-1]]

    def gradients(self, **inputs: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Each weight of each device: its part of the whole model's gradient, and its own after all sums."""

        def backward(part: nn.Module) -> None:
            (_logits(part(**inputs)) ** 2).sum().backward()

        backward(self.whole)
        self._each(backward)
        wanted = {name: p.grad for name, p in self.whole.named_parameters() if p.grad is not None}
        known, step = places(self.sharded), summed(self.sharded, "step")
        for rank in range(len(self.parts)):
            for name, share in part_of(self.sharded, wanted, rank, once=False).items():
                path, _, last = name.rpartition(".")
                together = (known[path].path, last) in step
                yield name, share, self._gradient(name, known[path].values[last], rank, together=together)

    def _gradient(self, name: str, tensor: Traced, rank: int, *, together: bool) -> Tensor:
        """That of one device, or its sum over those that hold the same elements."""
        sizes = [*zip(tensor.axes, map(int, tensor.type.shape), strict=True)]
        held = [[indices(self.sharded, a, size, r) for a, size in sizes] for r in range(len(self.parts))]
        own = [dict(part.named_parameters())[name].grad for part in self.parts]
        ranks = [r for r in range(len(own)) if held[r] == held[rank]] if together else [rank]
        return torch.stack([grad for r in ranks if (grad := own[r]) is not None]).sum(0)


def _logits(out: Any) -> Tensor:
    return out if isinstance(out, Tensor) else out.logits
