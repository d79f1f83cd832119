"""A tensor without numbers: how it lies in its storage, and which operation made it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.layout import Ints
from archspec.backends.torch.fake.node import Node, Operand
from archspec.backends.torch.fake.registry import FUNCTIONS, function_named
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.storage import Storage


class Device(NamedTuple):
    """Where a tensor lies."""

    type: str


PLACES = -1  # what `filled` says of places 0, 1, 2, … themselves
NOTHING = Storage(0, "input")
DEVICES = {name: Device(name) for name in ("cpu", "cuda")}


class Size(tuple[int, ...]):
    """A shape."""

    __slots__ = ()

    def numel(self) -> int:
        return math.prod(self)


class Tensor:
    """Gradients pass result `slot` of its `node`.

    `number` is known where a tensor without axes counts something; `filled`: how many elements are not 0,
    where that is known.
    """

    __slots__ = ("dtype", "filled", "node", "number", "requires_grad", "shape", "slot", "storage", "strides")

    def __init__(
        self, shape: Sequence[int], strides: Ints, dtype: DType, storage: Storage, node: Node | None = None,
        slot: int = 0,
    ) -> None:  # fmt: skip
        self.shape, self.strides, self.dtype, self.storage = Size(shape), strides, dtype, storage
        self.node, self.slot, self.requires_grad = node, slot, node is not None
        self.number: int | None = None
        self.filled: int | None = None

    @property
    def device(self) -> Device:
        return DEVICES[current().device]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def touched(self) -> int:
        """Bytes of its elements, where an expanded axis repeats none."""
        return layout.distinct(self.shape, self.strides) * self.dtype.itemsize

    def numel(self) -> int:
        return math.prod(self.shape)

    def dim(self) -> int:
        return len(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def size(self, axis: int | None = None) -> Any:
        return self.shape if axis is None else self.shape[axis]

    def stride(self, axis: int | None = None) -> Any:
        return self.strides if axis is None else self.strides[axis]

    def element_size(self) -> int:
        return self.dtype.itemsize

    def data_ptr(self) -> int:
        """Allocations begin at multiples of more than any kernel asks for."""
        return 0

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    def is_contiguous(self) -> bool:
        return layout.is_contiguous(self.shape, self.strides)

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        pieces: Sequence[Tensor] = FUNCTIONS["unbind"](self)
        for index, piece in enumerate(pieces):
            if self.filled == PLACES:
                piece.number = index
            yield piece

    def __int__(self) -> int:
        """A number that only data gives is taken to be what the run says."""
        if self.number is None:
            current().assumed = True
            return current().picked
        return self.number

    __index__ = __int__

    def __getattr__(self, name: str) -> Any:
        return partial(function_named(name), self)

    def __getitem__(self, key: Any) -> Tensor:
        return FUNCTIONS["getitem"](self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        FUNCTIONS["setitem"](self, key, value)

    @property
    def T(self) -> Tensor:
        return FUNCTIONS["permute"](self, *reversed(range(self.dim())))

    @property
    def grad_fn(self) -> Node | None:
        return self.node


def tensors(results: Any) -> Iterable[Tensor]:
    """Those in a result, however it is nested."""
    if isinstance(results, Tensor):
        yield results
    elif isinstance(results, (tuple, list)):
        for result in cast("Sequence[Any]", results):
            yield from tensors(result)


def ghost(x: Operand) -> Tensor:
    """An operand as far as gradients need it: its numbers are gone, or counted where they are saved."""
    found = Tensor(x.shape, x.strides, x.dtype, NOTHING)
    found.requires_grad = x.wanted
    return found


def _operator(name: str, *, swapped: bool = False) -> Callable[[Tensor, Any], Tensor]:
    def apply(self: Tensor, other: Any) -> Tensor:
        function = FUNCTIONS[name]
        return function(other, self) if swapped else function(self, other)

    return apply


def _unary(name: str) -> Callable[[Tensor], Tensor]:
    return lambda x: FUNCTIONS[name](x)


for _method, _name in {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "pow", "and": "bitwise_and", "or": "bitwise_or", "matmul": "matmul",
}.items():  # fmt: skip
    setattr(Tensor, f"__{_method}__", _operator(_name))
    setattr(Tensor, f"__r{_method}__", _operator(_name, swapped=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Tensor, f"__{_name}__", _operator(_name))
for _method in ("add", "sub", "mul"):
    setattr(Tensor, f"__i{_method}__", _operator(f"{_method}_"))
Tensor.__hash__ = object.__hash__  # which a class with its own `==` loses
for _method, _name in {"neg": "neg", "abs": "abs", "invert": "bitwise_not"}.items():
    setattr(Tensor, f"__{_method}__", _unary(_name))
