"""`triton` on shapes: kernels compute nothing, and what their host code allocates is counted.

Source of the surface: https://triton-lang.org/main/python-api/triton.html, as far as generated files use it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

# Tiles, and so the size of what they leave for torch to sum, are chosen as for this device: an H100 SXM.
CAPABILITY = (9, 0)


class Properties(NamedTuple):
    """Of the device."""

    multi_processor_count: int = 132


class Launched:
    """A kernel, which a grid starts."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self.body = body

    def __getitem__(self, grid: object) -> Callable[..., None]:
        return _nothing


def _nothing(*_: object, **__: object) -> None:
    pass


def jit(body: Callable[..., Any] | None = None, **_: object) -> Any:
    """A decorator, with and without options."""
    return Launched if body is None else Launched(body)


def cdiv(a: int, b: int) -> int:
    return -(-a // b)


def next_power_of_2(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()


def constexpr(value: object) -> object:
    return value


def capability(device: object = None) -> tuple[int, int]:
    return CAPABILITY


def properties(device: object = None) -> Properties:
    return Properties()


def triton_on_shapes() -> ModuleType:
    """What a generated file reads of triton. It asks for no device, as where kernels are interpreted."""
    triton, language = ModuleType("triton"), ModuleType("triton.language")
    language.__dict__.update(constexpr=constexpr)
    triton.__dict__.update(
        jit=jit, cdiv=cdiv, next_power_of_2=next_power_of_2, language=language, set_allocator=_nothing,
        knobs=SimpleNamespace(runtime=SimpleNamespace(interpret=True)),
    )  # fmt: skip
    return triton


def cuda_on_shapes() -> SimpleNamespace:
    """`torch.cuda`, as far as kernels are chosen by it."""
    return SimpleNamespace(
        get_device_capability=capability, get_device_properties=properties, device_of=nullcontext
    )
