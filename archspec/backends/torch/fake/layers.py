"""The layers of `torch.nn` on shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.backends.torch.fake import dtypes, layout
from archspec.backends.torch.fake.nn import Module, ModuleList, Parameter
from archspec.backends.torch.fake.registry import FUNCTIONS
from archspec.backends.torch.fake.tensor import Tensor


def _parameter(*shape: int) -> Parameter:
    return Parameter(FUNCTIONS["empty"](*shape))


def _buffer(*shape: Any, dtype: Any = None) -> Tensor:
    x = FUNCTIONS["zeros"](*shape, dtype=dtype)
    x.storage.role = "buffer"
    return x


class Linear(Module):
    """`nn.Linear`."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = inputs, outputs
        self.weight = _parameter(outputs, inputs)
        self.bias = _parameter(outputs) if bias else None
        self.lora_a: Parameter | None = None
        self.lora_b: Parameter | None = None

    def adapt(self, rank: int) -> None:
        """An adapter stands beside it from now on."""
        self.lora_a, self.lora_b = _parameter(rank, self.in_features), _parameter(self.out_features, rank)

    def forward(self, x: Tensor) -> Tensor:
        """With an adapter as PEFT computes it. Source: `peft.tuners.lora.layer.Linear.forward`."""
        linear: Callable[..., Tensor] = FUNCTIONS["linear"]
        y = linear(x, self.weight, self.bias)
        if self.lora_a is not None:
            y = FUNCTIONS["add"](y, FUNCTIONS["mul"](linear(linear(x, self.lora_a), self.lora_b), 2.0))
        return y


class Embedding(Module):
    """`nn.Embedding`."""

    def __init__(self, rows: int, width: int, **_: Any) -> None:
        super().__init__()
        self.weight = _parameter(rows, width)

    def forward(self, index: Tensor) -> Tensor:
        return FUNCTIONS["embedding"](index, self.weight)


class LayerNorm(Module):
    """`nn.LayerNorm`."""

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
    """`nn.RMSNorm`."""

    def __init__(self, width: int, eps: float | None = None, elementwise_affine: bool = True) -> None:
        super().__init__()
        self.width = width
        self.weight = _parameter(width) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS["rms_norm"](x, (self.width,), self.weight)


class GroupNorm(Module):
    """`nn.GroupNorm`."""

    def __init__(self, groups: int, channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        self.groups = groups
        self.weight = _parameter(channels) if affine else None
        self.bias = _parameter(channels) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS["group_norm"](x, self.groups, self.weight, self.bias)


class BatchNorm2d(Module):
    """`nn.BatchNorm2d`, and those of one axis and of three."""

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__()
        self.weight = _parameter(channels) if affine else None
        self.bias = _parameter(channels) if affine else None
        self.running_mean, self.running_var = _buffer(channels), _buffer(channels)
        self.num_batches_tracked = _buffer((), dtype=dtypes.int64)

    def forward(self, x: Tensor) -> Tensor:
        statistics = self.running_mean, self.running_var
        return FUNCTIONS["batch_norm"](x, *statistics, self.weight, self.bias, self.training)


class _Convolution(Module):
    function = ""
    turned = False

    def __init__(
        self, inputs: int, outputs: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, output_padding: Any = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        axes = int(self.function[-2])
        kernel = layout.each(kernel_size, axes)
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
    """`nn.Dropout`."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS["dropout"](x, self.p, self.training)


class Identity(Module):
    """`nn.Identity`."""

    def forward(self, x: Any) -> Any:
        return x


_FILTERS: dict[str, Callable[..., Any]] = {
    name: _convolution(name)
    for name in ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
}
CLASSES: dict[str, Callable[..., Any]] = _FILTERS | {
    kind.__name__: kind
    for kind in (
        Parameter, Module, ModuleList, Linear, Embedding, LayerNorm, RMSNorm, GroupNorm, BatchNorm2d, Dropout,
        Identity,
    )
} | {"BatchNorm1d": BatchNorm2d, "BatchNorm3d": BatchNorm2d}  # fmt: skip
