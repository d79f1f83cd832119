"""Freezing a model on shapes, and putting adapters beside its linear layers."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.backends.torch.fake.layers import Linear
from archspec.backends.torch.fake.nn import Module, ModuleList, Parameter
from archspec.backends.torch.fake.traced import Adapters
from archspec.errors import Diagnostic, UnsupportedError


def adapt(model: Module, adapters: Adapters) -> None:
    """Raises UnsupportedError A011 for a matrix that no linear layer of the emitted source holds."""
    modules = list(_modules(model, ""))
    for x in (x for _, module in modules for x in module.held() if isinstance(x, Parameter)):
        x.requires_grad = False
    found = set[str]()
    for path, module in modules:
        if isinstance(module, Linear) and f"{path}weight" in adapters.matrices:
            if module.lora_a is None:  # a shared one is met again
                module.adapt(adapters.rank)
            found.add(f"{path}weight")
    for name in adapters.matrices:
        if name not in found:
            message = f"'{name}' is no linear layer in the emitted source: what an adapter adds is not known"
            raise UnsupportedError(Diagnostic("A011", message, None, "adapt another matrix"))


def _modules(module: Module, path: str) -> Iterator[tuple[str, Module]]:
    """Every module with its path, where `*` is any layer of a list."""
    yield path, module
    listed = isinstance(module, ModuleList)
    for name, inner in enumerate(module) if listed else module.__dict__.items():
        if isinstance(inner, Module):
            yield from _modules(inner, f"{path}*." if listed else f"{path}{name}.")
