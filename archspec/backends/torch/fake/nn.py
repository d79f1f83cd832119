"""`torch.nn` on shapes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from archspec.backends.torch.fake.alike import own
from archspec.backends.torch.fake.recording import called
from archspec.backends.torch.fake.registry import FUNCTIONS
from archspec.backends.torch.fake.run import Run, current
from archspec.backends.torch.fake.storage import Storage
from archspec.backends.torch.fake.tensor import Tensor


class Parameter(Tensor):
    """A tensor that lives outside of a run, and gets a gradient."""

    __slots__ = ()

    def __init__(self, x: Tensor, requires_grad: bool = True) -> None:
        super().__init__(x.shape, x.strides, x.dtype, Storage(x.nbytes, "parameter"))
        self.requires_grad = requires_grad


class Module:
    """Parameters, buffers and modules are what its attributes hold."""

    @property
    def training(self) -> bool:
        """Whether dropout drops, in all modules of a run."""
        return current().training

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Module):
            value.named(name)
        object.__setattr__(self, name, value)

    def named(self, path: str) -> None:
        """The place in the module around it, under a name that no attribute of emitted source has."""
        self.__dict__["its path"] = path

    def __call__(self, *args: Any, **options: Any) -> Any:
        run = current()
        before, path = run.place, self.__dict__.get("its path", "")
        run.place = f"{before}.{path}" if before and path else before or path
        try:
            if "its layer" in self.__dict__:
                if run.every and self.__dict__["its layer"] % run.every == 0:
                    return _again(run, self, args)
                if run.alike is not None:
                    return called(run, self, args, options)
            return self.forward(*args, **options)
        finally:
            run.place = before

    def forward(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError(type(self).__name__)

    def register_buffer(self, name: str, value: Tensor, persistent: bool = True) -> None:
        value.storage.role = "buffer"
        setattr(self, name, value)

    def held(self) -> Iterable[Any]:
        return self.__dict__.values()

    def tensors(self, role: str) -> Collection[Tensor]:
        """Those of a role, tied ones once."""
        return {id(x.storage): x for x in own(self) if x.storage.role == role}.values()


def _again(run: Run, module: Module, args: tuple[Any, ...]) -> Any:
    """A layer that keeps its inputs alone; layers inside are part of it."""
    every, run.every = run.every, 0
    try:
        return FUNCTIONS["checkpoint"](module.forward, *args)
    finally:
        run.every = every


class ModuleList(Module):
    """`nn.ModuleList`: modules by their index."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.items = list(modules)

    def named(self, path: str) -> None:
        for index, module in enumerate(self.items):
            module.named(f"{path}.{index}")
            module.__dict__["its layer"] = index

    def held(self) -> Iterable[Any]:
        return self.items

    def __iter__(self) -> Iterator[Module]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Module:
        return self.items[index]
