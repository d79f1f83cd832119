"""The modules that emitted source imports: `torch` and what hangs on it, on shapes."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from types import ModuleType
from typing import Any

from archspec.backends.torch.fake import dtypes, functions, nn
from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import (
    DEVICES,
    FUNCTIONS,
    Tensor,
    function_named,
    made,
    needs_grad,
    remember,
)


class Functions(ModuleType):
    """A module whose functions are those of the registry."""

    def __getattr__(self, name: str) -> Any:
        return function_named(name)


class Skipped:
    """`torch.no_grad` as a decorator: of methods that write numbers, which are not there."""

    def __call__(self, method: Callable[..., Any]) -> Callable[..., None]:
        return lambda *_: None


class Kept:
    """The context of a custom operation: what it saves."""

    saved: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Tensor) -> None:
        self.saved = tensors


class CustomOp:
    """An operation of the emitted source's own: its result by `register_fake`, what it saves by its context."""

    def __init__(self, name: str, body: Callable[..., Any] | None = None, **_: Any) -> None:
        self.name, self.context = name, None

    def register_fake(self, shapes: Callable[..., Tensor]) -> None:
        self.shapes = shapes

    def register_autograd(self, backward: Callable[..., Any], *, setup_context: Callable[..., None]) -> None:
        self.context = setup_context

    def __call__(self, *args: Any) -> Tensor:
        out = self.shapes(*args)
        tensors = [x for x in args if isinstance(x, Tensor)]
        if self.context is not None and needs_grad(*tensors):
            kept = Kept()
            self.context(kept, args, out)
            remember(out, self.name, tensors, [("saved", x) for x in kept.saved])
        return out


def _compiler() -> ModuleType:
    found = ModuleType("torch.compiler")
    found.__dict__.update(is_compiling=lambda: False, is_exporting=lambda: False)
    return found


def _torch() -> dict[str, ModuleType]:
    torch, f, layers = Functions("torch"), Functions("torch.nn.functional"), ModuleType("torch.nn")
    layers.__dict__.update(nn.CLASSES, functional=f, init=ModuleType("torch.nn.init"))
    library, again, extras = (
        ModuleType("torch.library"),
        ModuleType("torch.utils.checkpoint"),
        ModuleType("torch.utils"),
    )
    library.__dict__.update(custom_op=CustomOp)
    again.__dict__.update(checkpoint=FUNCTIONS["checkpoint"])
    extras.__dict__.update(checkpoint=again)
    torch.__dict__.update(
        dtypes.DTYPES, Tensor=Tensor, device=object, dtype=DType, nn=layers, library=library, utils=extras,
        compiler=_compiler(), no_grad=Skipped, finfo=lambda _: dtypes.Info(), promote_types=dtypes.promote,
        is_grad_enabled=lambda: current().grad, broadcast_shapes=functions.pointwise.layout.broadcast,
        get_default_dtype=lambda: current().default, get_default_device=lambda: DEVICES[current().device],
    )  # fmt: skip
    return {"torch": torch, "torch.nn.functional": f, "torch.utils.checkpoint": torch}


_MODULES = _torch()


def _import(name: str, scope: Any = None, local: Any = None, wanted: Any = (), level: int = 0) -> ModuleType:
    """`import torch.nn.functional as F` asks for `torch`, and reads the rest off it."""
    return (
        _MODULES["torch"]
        if name.partition(".")[0] == "torch"
        else __import__(name, scope, local, wanted, level)
    )


def imported(source: str, name: str) -> dict[str, Any]:
    """What emitted source defines, where its torch is this one."""
    scope: dict[str, Any] = {"__builtins__": {**vars(builtins), "__import__": _import}, "__name__": name}
    exec(compile(source, f"<{name}>", "exec", dont_inherit=True), scope)
    return scope


__all__ = ["imported", "made"]
