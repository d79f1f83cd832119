"""`triton` on shapes: kernels compute nothing, and what their host code allocates is counted.

Source of the surface: https://triton-lang.org/main/python-api/triton.html, as far as generated files use it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

# Tiles, and so the size of what they leave for torch to sum, are chosen as for this device: an H100 SXM.
CAPABILITY = (9, 0)


class Properties(NamedTuple):
    """Of the device."""

    multi_processor_count: int = 132


class Launched:
    """A kernel, which a grid starts."""

    def __getitem__(self, grid: object) -> Callable[..., None]:
        return lambda *_, **__: None


def jit(body: Callable[..., Any] | None = None, **_: object) -> Any:
    """A decorator, with and without options."""
    return Launched() if body is not None else lambda _: Launched()


def cdiv(a: int, b: int) -> int:
    return -(-a // b)


def next_power_of_2(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()


def triton_on_shapes() -> ModuleType:
    """What a generated file reads of triton. It asks for no device, as where kernels are interpreted."""
    triton, language = ModuleType("triton"), ModuleType("triton.language")
    language.__dict__.update(constexpr=lambda value: value)
    triton.__dict__.update(
        jit=jit, cdiv=cdiv, next_power_of_2=next_power_of_2, language=language,
        knobs=SimpleNamespace(runtime=SimpleNamespace(interpret=True)), set_allocator=lambda _: None,
    )  # fmt: skip
    return triton


def cuda_on_shapes() -> SimpleNamespace:
    """`torch.cuda`, as far as kernels are chosen by it."""
    return SimpleNamespace(
        get_device_capability=lambda _=None: CAPABILITY, get_device_properties=lambda _=None: Properties()
    )
