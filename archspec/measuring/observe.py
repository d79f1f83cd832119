"""Runs a real module and notes what it did: every operation, what it allocated, and what it computed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from archspec.backends.torch.observed import Forward, Kept, Module, Ran, Step
from archspec.measuring.measure import forward_flops, measure, measure_saved, measure_step, tensors

Run = Callable[..., Any]
_ATEN = torch.ops.aten
_FUSED = _ATEN._scaled_dot_product_flash_attention
_FUSED_BACKWARD = _ATEN._scaled_dot_product_flash_attention_backward


def _convolution_gradients(grad: Any, x: Any, weight: Any, *rest: Any, out_val: Any = None, **_: Any) -> int:
    """Each gradient costs what the forward pass did; torch's own formula counts groups too often."""
    transposed, wanted = rest[4], rest[7]
    places = (x if transposed else grad).shape
    return 2 * places.numel() * weight.numel() // weight.shape[0] * sum(wanted[:2])


_convolution_gradients._get_raw = True  # type: ignore[attr-defined]  # a formula of tensors, not of shapes

# What FlopCounterMode does not know, or counts wrongly.
RULES: dict[Any, Any] = {
    _ATEN._scaled_dot_product_flash_attention_for_cpu: flop_registry[_FUSED],
    _ATEN._scaled_dot_product_flash_attention_for_cpu_backward: flop_registry[_FUSED_BACKWARD],
    _ATEN.convolution_backward: _convolution_gradients,
}


def has(module: nn.Module) -> Module:
    """Parameters and buffers of the checkpoint, each storage once."""
    learned, state = set(module.parameters()), module.state_dict(keep_vars=True).values()
    others = {x.data_ptr() or id(x): x for x in state if x not in learned}.values()
    elements = [sum(x.numel() for x in group) for group in (learned, others)]
    return Module(elements[0], elements[1], sum(x.nbytes for x in (*learned, *others)))


def forward(module: nn.Module, inputs: Mapping[str, Tensor]) -> Forward:
    """One run without gradients. On the meta device nothing is allocated, so no peak is given."""
    if _on_meta(module):
        with forward_flops(module) as counter:
            module(**inputs)
        return Forward(counter.get_total_flops(), _noted(module, inputs, torch.no_grad())[0], None, "")
    measured = measure(module, inputs)
    ran, _ = _noted(module, inputs, torch.no_grad())
    return Forward(measured.flops, ran, measured.peak, measured.peak_at)


def step(
    module: nn.Module, inputs: Mapping[str, Tensor], *, loss: str | None = None, autocast: str | None = None
) -> Step:
    """One run with gradients, up to the `loss` where there is one, and back."""
    run = run_of(module, loss, autocast)
    kept, saved = None, Counter[Kept]()
    if not _on_meta(module):
        measured = measure_saved(module, inputs, run)
        kept = measured.activations
        for (role, shape, dtype), size in measured.saved.items():
            saved[role, math.prod(shape), dtype] += size
    forth, results = _noted(module, inputs, torch.enable_grad(), run)
    back = Noted()
    with back:
        backward(results)
    module.zero_grad(set_to_none=True)
    peak = None if kept is None else measure_step(module, inputs, run).peak
    return Step(forth, tuple(back.ran), kept, dict(saved), peak)


def run_of(module: nn.Module, loss: str | None, autocast: str | None) -> Run:
    """A forward pass, or its loss, the products under autocast if that is said."""
    own: Any = module
    call = own if loss is None else getattr(own, f"loss_{loss}", None) or own.loss
    kind = next(module.parameters()).device.type

    def run(**inputs: Tensor) -> Any:
        with torch.autocast(kind, getattr(torch, autocast)) if autocast else nullcontext():
            return call(**inputs)

    return run


def backward(results: Any) -> None:
    """Gradients of all that has one; what is no loss gets gradients of 1."""
    wanted = [x for x in tensors(results) if x.requires_grad]
    torch.autograd.backward(wanted, [torch.ones_like(x) for x in wanted])


def _noted(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    gradients: AbstractContextManager[Any],
    run: Run | None = None,
) -> tuple[tuple[Ran, ...], Any]:
    noted = Noted()
    with gradients, noted:
        results = (run or module)(**inputs)
    return tuple(noted.ran), results


def _on_meta(module: nn.Module) -> bool:
    return next(module.parameters()).is_meta


class Noted(TorchDispatchMode):
    """Every operation that computes products or allocates."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[Ran] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        results = func(*args, **(kwargs or {}))
        rule = RULES.get(func._overloadpacket) or flop_registry.get(func._overloadpacket)
        flops = rule(*args, **(kwargs or {}), out_val=results) if rule else 0
        old = _storages(_flat(args, kwargs or {}))
        new = {x: size for x, size in _storages(tensors(results)).items() if x not in old}
        if flops or new:
            self.ran.append(Ran(str(func).removeprefix("aten."), int(flops), sum(new.values())))
        return results


def _flat(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterable[Tensor]:
    return [x for value in (*args, *kwargs.values()) for x in tensors(value)]


def _storages(given: Iterable[Tensor]) -> dict[int, int]:
    found = [x.untyped_storage() for x in given]
    return {x._cdata: x.nbytes() for x in found}  # pyright: ignore[reportPrivateUsage]  # as in `measure`


def place(*, meta: bool = False) -> torch.device:
    """Where a module is made: the CPU, or the meta device, whose tensors have no numbers."""
    return torch.device("meta" if meta else "cpu")
