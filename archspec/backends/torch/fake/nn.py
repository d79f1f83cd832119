"""`torch.nn` on shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from archspec.backends.torch.fake.run import Run, current
from archspec.backends.torch.fake.tensor import FUNCTIONS, Storage, Tensor


class Parameter(Tensor):
    """A tensor that lives outside of a run, and gets a gradient."""

    __slots__ = ()

    def __init__(self, x: Tensor, requires_grad: bool = True) -> None:
        super().__init__(x.shape, x.strides, x.dtype, Storage(current(), x.nbytes, "", "parameter"))
        self.requires_grad = requires_grad


class Module:
    """Parameters, buffers and modules are what its attributes hold."""

    training = False

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
            if run.every and "its layer" in self.__dict__ and self.__dict__["its layer"] % run.every == 0:
                return _again(run, self, args)
            return self.forward(*args, **options)
        finally:
            run.place = before

    def forward(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError(type(self).__name__)

    def register_buffer(self, name: str, value: Tensor, persistent: bool = True) -> None:
        value.storage.role = "buffer"
        setattr(self, name, value)

    def modules(self) -> Iterator[Module]:
        """This one and all inside, shared ones once."""
        seen, waiting = set[int](), [self]
        while waiting:
            module = waiting.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield module
                waiting += [x for x in module.held() if isinstance(x, Module)]

    def held(self) -> Iterable[Any]:
        return self.__dict__.values()

    def tensors(self, role: str) -> Iterator[Tensor]:
        """Those of a role, tied ones once."""
        seen = set[int]()
        for module in self.modules():
            for x in module.held():
                if isinstance(x, Tensor) and x.storage.role == role and id(x.storage) not in seen:
                    seen.add(id(x.storage))
                    yield x


def _again(run: Run, module: Module, args: tuple[Any, ...]) -> Any:
    """A layer that keeps its inputs alone; layers inside are part of it."""
    every, run.every = run.every, 0
    try:
        return FUNCTIONS["checkpoint"](module.forward, *args)
    finally:
        run.every = every


class ModuleList(Module):
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


def _parameter(*shape: int) -> Parameter:
    return Parameter(FUNCTIONS["empty"](*shape))


def _buffer(*shape: int, dtype: Any = None) -> Tensor:
    x = FUNCTIONS["zeros"](*shape, dtype=dtype)
    x.storage.role = "buffer"
    return x


class Linear(Module):
    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = inputs, outputs
        self.weight = _parameter(outputs, inputs)
        self.bias = _parameter(outputs) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS["linear"](x, self.weight, self.bias)


class Embedding(Module):
    def __init__(self, rows: int, width: int, **_: Any) -> None:
        super().__init__()
        self.weight = _parameter(rows, width)

    def forward(self, index: Tensor) -> Tensor:
        return FUNCTIONS["embedding"](index, self.weight)


class LayerNorm(Module):
    def __init__(
        self, width: int, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True
    ) -> None:
        super().__init__()
        self.width = width
        self.weight = _parameter(width) if elementwise_affine else None
        self.bias = _parameter(width) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS["layer_norm"](x, (self.width,), self.weight, self.bias)


class RMSNorm(Module):
    def __init__(self, width: int, eps: float | None = None, elementwise_affine: bool = True) -> None:
        super().__init__()
        self.width = width
        self.weight = _parameter(width) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS["rms_norm"](x, (self.width,), self.weight)


class GroupNorm(Module):
    def __init__(self, groups: int, channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        self.groups = groups
        self.weight = _parameter(channels) if affine else None
        self.bias = _parameter(channels) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS["group_norm"](x, self.groups, self.weight, self.bias)


class BatchNorm2d(Module):
    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__()
        self.weight = _parameter(channels) if affine else None
        self.bias = _parameter(channels) if affine else None
        self.running_mean, self.running_var = _buffer(channels), _buffer(channels)
        self.num_batches_tracked = _buffer((), dtype=None)

    def forward(self, x: Tensor) -> Tensor:
        statistics = self.running_mean, self.running_var
        return FUNCTIONS["batch_norm"](x, *statistics, self.weight, self.bias, self.training)


class _Convolution(Module):
    function = ""
    turned = False

    def __init__(
        self, inputs: int, outputs: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: int = 1, bias: bool = True, output_padding: Any = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        axes = int(self.function[-2])
        kernel = kernel_size if isinstance(kernel_size, tuple) else (kernel_size,) * axes
        ends = (inputs, outputs // groups) if self.turned else (outputs, inputs // groups)
        self.weight = _parameter(*ends, *kernel)
        self.bias = _parameter(outputs) if bias else None
        self.options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        if self.turned:
            self.options["output_padding"] = output_padding

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS[self.function](x, self.weight, self.bias, **self.options)


def _convolution(name: str) -> type[_Convolution]:
    turned = name.startswith("ConvTranspose")
    function = f"conv_transpose{name[-2:]}" if turned else name.lower()
    return type(name, (_Convolution,), {"function": function, "turned": turned})


class Dropout(Module):
    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS["dropout"](x, self.p, self.training)


class Identity(Module):
    def forward(self, x: Any) -> Any:
        return x


CLASSES: dict[str, Callable[..., Any]] = {
    kind.__name__: kind
    for kind in (
        Parameter, Module, ModuleList, Linear, Embedding, LayerNorm, RMSNorm, GroupNorm, BatchNorm2d, Dropout,
        Identity,
    )
}  # fmt: skip
CLASSES |= {
    name: _convolution(name)
    for name in ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
}
CLASSES |= {"BatchNorm1d": BatchNorm2d, "BatchNorm3d": BatchNorm2d}
