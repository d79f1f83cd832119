"""What a run of a real module allocates, keeps and computes: the measure of what is predicted of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from weakref import finalize

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

_KERNELS = "archspec::attention_"


@dataclass
class Measured:
    """Bytes and FLOPs of one run: `peak` of what is no parameter, buffer or input, at operation `peak_at`.

    `saved`: bytes of storages that the backward pass needs, by (role, shape, dtype); roles are `activation`,
    `parameter`, `buffer`, `input`. `flops`: by FlopCounterMode, which loses attention fused on a CPU.
    """

    peak: int = 0
    peak_at: str = ""
    end: int = 0
    flops: int = 0
    saved: Counter[tuple[str, tuple[int, ...], str]] = field(default_factory=Counter[Any])

    @property
    def activations(self) -> int:
        return sum(size for (role, _, _), size in self.saved.items() if role == "activation")


class LiveBytes(TorchDispatchMode):
    """Bytes of storages that appear in a run, while they are alive."""

    def __init__(self, known: set[int]) -> None:
        super().__init__()
        self.known, self.live, self.peak, self.peak_at = known, 0, 0, ""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        generated = func.namespace == "archspec" and func.name().startswith(_KERNELS)
        results = (self.inside if generated else _plainly)(func, args, kwargs or {})
        for x in tensors(results):
            self._see(key_of(x), x.untyped_storage(), str(func))
        return results

    def inside(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation of generated kernels, with what its host code allocates."""
        key = getattr(torch.DispatchKey, next(tensors(args)).device.type.upper())
        keys = torch._C.DispatchKeySet(key)  # pyright: ignore[reportPrivateUsage]  # nothing public makes one
        with self:
            return func.redispatch(keys, *args, **kwargs)

    def _see(self, key: int, storage: torch.UntypedStorage, name: str) -> None:
        if key in self.known:
            return
        self.known.add(key)
        self.live += storage.nbytes()
        finalize(storage, self._gone, key, storage.nbytes())
        if self.live > self.peak:
            self.peak, self.peak_at = self.live, name

    def _gone(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.live -= size


def _plainly(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return func(*args, **kwargs)


def tensors(results: Any) -> Iterator[Tensor]:
    """Those in a result, however it is nested."""
    if isinstance(results, Tensor):
        yield results
    elif isinstance(results, (tuple, list)):
        for result in cast("tuple[Any, ...]", results):
            yield from tensors(result)


@contextmanager
def forward_flops(module: nn.Module, counter: FlopCounterMode | None = None) -> Generator[FlopCounterMode]:
    """Counts a run without gradients, by a `counter` of one's own or by torch's.

    No parameter asks for gradients meanwhile. A view of one that does, made without them, has no history,
    and torch's counter fails where a module is given such a view.
    """
    learned = [x for x in module.parameters() if x.requires_grad]
    module.requires_grad_(False)
    try:
        with torch.no_grad(), counter or FlopCounterMode(display=False) as counting:
            yield counting
    finally:
        for x in learned:
            x.requires_grad_(True)


def measure(
    module: nn.Module, inputs: Mapping[str, Tensor], run: Callable[..., Any] | None = None
) -> Measured:
    """One run without gradients, for peak and FLOPs."""
    measured = Measured()
    roles = _roles(module, inputs)
    with torch.no_grad():
        with LiveBytes(set(roles)) as live:
            results = (run or module)(**inputs)
        measured.peak, measured.peak_at, measured.end = live.peak, live.peak_at, live.live
        del results
        with forward_flops(module) as counter:
            (run or module)(**inputs)
        measured.flops = counter.get_total_flops()
    return measured


def measure_saved(
    module: nn.Module, inputs: Mapping[str, Tensor], run: Callable[..., Any] | None = None
) -> Measured:
    """One run with gradients, for what the backward pass needs, each storage once."""
    measured, roles = Measured(), _roles(module, inputs)
    kept = dict[int, tuple[tuple[str, tuple[int, ...], str], int]]()

    def pack(x: Tensor) -> Tensor:
        storage, key = x.untyped_storage(), key_of(x)
        if key not in kept:
            role = roles.get(key, "activation")
            kept[key] = (role, tuple(x.shape), str(x.dtype).removeprefix("torch.")), storage.nbytes()
            finalize(storage, kept.pop, key, None)  # what leads to no result is not needed
        return x.detach()  # a result that its own operation keeps would keep itself alive

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        results = (run or module)(**inputs)
    for what, size in kept.values():
        measured.saved[what] += size
    del results
    return measured


def measure_step(
    module: nn.Module, inputs: Mapping[str, Tensor], run: Callable[..., Any] | None = None
) -> Measured:
    """One run and its backward pass, from a gradient of ones of each result, for peak and FLOPs.

    Parameters have gradients already, which are known and added to, as from a second step on. While live
    bytes are counted torch adds no two gradients of an activation in place: the peak may be one such less.
    """
    measured = Measured()
    for x in module.parameters():
        x.grad = torch.zeros_like(x)
    known = {key_of(x.grad) for x in module.parameters() if x.grad is not None}
    with LiveBytes(known | set(_roles(module, inputs))) as live:
        _step(run or module, inputs)
    with FlopCounterMode(display=False) as counter:
        _step(run or module, inputs)
    module.zero_grad()
    measured.peak, measured.peak_at, measured.end = live.peak, live.peak_at, live.live
    measured.flops = counter.get_total_flops()
    return measured


def _step(run: Callable[..., Any], inputs: Mapping[str, Tensor]) -> None:
    results = [x for x in tensors(run(**inputs)) if x.requires_grad]
    torch.autograd.backward(results, [torch.ones_like(x) for x in results])


def key_of(x: Tensor) -> int:
    """What a storage is, whoever refers to it."""
    return x.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]  # nothing public says it


def _roles(module: nn.Module, inputs: Mapping[str, Tensor]) -> dict[int, str]:
    named = [("parameter", x) for x in module.parameters()] + [("buffer", x) for x in module.buffers()]
    given = [*named, *(("input", x) for x in inputs.values())]
    return {key_of(x): role for role, x in given}
