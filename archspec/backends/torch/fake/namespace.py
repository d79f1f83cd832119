"""The modules that emitted source imports: `torch` and what hangs on it, on shapes."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

from archspec.backends.torch.fake import dtypes, functions, layout
from archspec.backends.torch.fake.custom import FlopFormulas, Operations
from archspec.backends.torch.fake.kernels import cuda_on_shapes, triton_on_shapes
from archspec.backends.torch.fake.layers import CLASSES
from archspec.backends.torch.fake.registry import function_named
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.stand_ins import STAND_INS
from archspec.backends.torch.fake.tensor import DEVICES, Tensor

assert functions  # importing it registers torch's functions


class Functions(ModuleType):
    """A module whose functions are those of the registry."""

    def __getattr__(self, name: str) -> Any:
        return function_named(name)


class Skipped:
    """`torch.no_grad` as a decorator: of methods that write numbers, which are not there."""

    def __call__(self, method: Callable[..., Any]) -> Callable[..., None]:
        return lambda *_: None


def _module(name: str, **content: Any) -> ModuleType:
    found = ModuleType(name)
    found.__dict__.update(content)
    return found


def torch_on_shapes(*, inside: bool = False) -> ModuleType:
    """One for each source: what it defines among `torch.ops` is its own. `inside`: see `CustomOp`."""
    torch, f, operations = Functions("torch"), Functions("torch.nn.functional"), Operations(inside=inside)
    again = _module("torch.utils.checkpoint", checkpoint=function_named("checkpoint"))
    torch.__dict__.update(
        dtypes.DTYPES, Tensor=Tensor, device=object, dtype=dtypes.DType, no_grad=Skipped, ops=operations,
        nn=_module("torch.nn", **CLASSES, functional=f, init=ModuleType("torch.nn.init")),
        utils=_module("torch.utils", checkpoint=again, flop_counter=FlopFormulas()),
        cuda=cuda_on_shapes(), version=SimpleNamespace(hip=None), backends=_backends(),
        is_autocast_enabled=_is_autocast_enabled, get_autocast_dtype=_autocast_dtype,
        library=_module("torch.library", custom_op=operations.define),
        compiler=_module("torch.compiler", is_compiling=lambda: False, is_exporting=lambda: False),
        finfo=_finfo, promote_types=dtypes.promote, is_grad_enabled=lambda: current().grad,
        broadcast_shapes=_broadcast_shapes, get_default_dtype=lambda: current().default,
        get_default_device=lambda: DEVICES[current().device],
    )  # fmt: skip
    return torch


def _finfo(dtype: dtypes.DType) -> dtypes.Info:
    return dtypes.Info()


def _broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    return layout.broadcast(*map(tuple, shapes))


def _is_autocast_enabled(device: str) -> bool:
    return current().autocast is not None


def _autocast_dtype(device: str) -> dtypes.DType | None:
    return current().autocast


def _backends() -> SimpleNamespace:
    return SimpleNamespace(cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False)))


def _importer(known: Mapping[str, ModuleType]) -> Callable[..., ModuleType]:
    """`import torch.nn.functional as F` asks for `torch`, and reads the rest off it."""

    def load(
        name: str, scope: Mapping[str, object] | None = None, local: Mapping[str, object] | None = None,
        wanted: Sequence[str] = (), level: int = 0,
    ) -> ModuleType:  # fmt: skip
        top, *inner = name.split(".")
        if top not in known:
            return __import__(name, scope, local, wanted, level)
        found: Any = known[top]
        for part in inner if wanted else ():
            found = getattr(found, part, None) or function_named(part)
        return found

    return load


def imported(source: str, name: str, beside: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What emitted source defines, where its torch is this one. `beside`: files of kernels it imports."""
    kernels = {"torch": torch_on_shapes(inside=True), "triton": triton_on_shapes()}
    known = {other: _module(other, **_run(text, other, kernels)) for other, text in (beside or {}).items()}
    return _run(source, name, {"torch": torch_on_shapes(), **known})


def _run(source: str, name: str, known: Mapping[str, ModuleType]) -> dict[str, Any]:
    own = {**vars(builtins), "__import__": _importer(known)}
    scope: dict[str, Any] = {"__builtins__": own, "__name__": name}
    exec(compile(source, f"<{name}>", "exec", dont_inherit=True), scope)
    scope.update({name: body for name, body in STAND_INS.items() if name in scope})
    return scope
