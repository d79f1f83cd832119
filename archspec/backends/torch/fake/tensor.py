"""A tensor without numbers: shape, strides, storage, and what its gradient needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.layout import Ints
from archspec.backends.torch.fake.run import Kernel, Run, current
from archspec.errors import Diagnostic, UnsupportedError

FUNCTIONS: dict[str, Callable[..., Any]] = {}


class Storage:
    """Bytes that are alive while something refers to them.

    `role`: `activation`, or what lives outside of the run: `parameter`, `buffer`, `input`; `copy` is a
    parameter in autocast's dtype.
    """

    __slots__ = ("__weakref__", "nbytes", "role", "run")

    def __init__(self, run: Run, nbytes: int, by: str, role: str = "activation") -> None:
        self.nbytes, self.role = nbytes, role
        self.run = run if run.counting and role in ("activation", "copy") else None
        if self.run is not None:
            run.took(nbytes, by)

    def __del__(self) -> None:
        if self.run is not None:
            self.run.live -= self.nbytes


class Node:
    """What one operation keeps for the backward pass: its `saved` tensors' storages, each with a reason.

    `flops`: of products in the backward pass.
    """

    __slots__ = ("before", "flops", "name", "place", "saved")

    def __init__(
        self,
        name: str,
        before: Sequence[Node | None],
        saved: Sequence[tuple[str, Tensor]],
        flops: int = 0,
    ) -> None:
        self.name, self.flops, self.place = name, flops, current().place
        self.before = [node for node in before if node is not None]
        self.saved = [(reason, x.storage, x.dtype.name, x.shape) for reason, x in saved]


class Device(NamedTuple):
    """Where a tensor lies."""

    type: str


DEVICES = {name: Device(name) for name in ("cpu", "cuda")}


class Size(tuple[int, ...]):
    """A shape."""

    __slots__ = ()

    def numel(self) -> int:
        return math.prod(self)


class Tensor:
    """`number` is known where a tensor without axes counts something; `filled`: how many elements are not 0,
    where that is known.
    """

    __slots__ = ("dtype", "filled", "node", "number", "requires_grad", "shape", "storage", "strides")

    def __init__(
        self, shape: Sequence[int], strides: Ints, dtype: DType, storage: Storage, node: Node | None = None
    ) -> None:
        self.shape, self.strides, self.dtype, self.storage = Size(shape), strides, dtype, storage
        self.node, self.requires_grad = node, node is not None
        self.number: int | None = None
        self.filled: int | None = None

    # what it is

    @property
    def device(self) -> Device:
        return DEVICES[current().device]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def numel(self) -> int:
        return math.prod(self.shape)

    def dim(self) -> int:
        return len(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def size(self, axis: int | None = None) -> Any:
        return self.shape if axis is None else self.shape[axis]

    def stride(self) -> Ints:
        return self.strides

    def is_contiguous(self) -> bool:
        return layout.is_contiguous(self.shape, self.strides)

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        for index in range(self.shape[0]):
            piece = self[index]
            piece.number = index if self.filled == -1 else None
            yield piece

    def __int__(self) -> int:
        """A number that only data gives is taken to be what the run says."""
        if self.number is None:
            current().assumed = True
            return current().picked
        return self.number

    __index__ = __int__

    def __getattr__(self, name: str) -> Any:
        function = function_named(name)
        return lambda *args, **options: function(self, *args, **options)

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


def _operator(name: str, *, swapped: bool = False) -> Callable[[Tensor, Any], Tensor]:
    def apply(self: Tensor, other: Any) -> Tensor:
        function = FUNCTIONS[name]
        return function(other, self) if swapped else function(self, other)

    return apply


for _name in ("add", "sub", "mul", "div", "floordiv", "mod", "pow", "and", "or", "matmul"):
    _word = {"div": "truediv"}.get(_name, _name)
    setattr(Tensor, f"__{_word}__", _operator(_name))
    setattr(Tensor, f"__r{_word}__", _operator(_name, swapped=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Tensor, f"__{_name}__", _operator(_name))
Tensor.__hash__ = object.__hash__  # which a class with its own `==` loses
setattr(Tensor, "__neg__", lambda self: FUNCTIONS["neg"](self))
setattr(Tensor, "__abs__", lambda self: FUNCTIONS["abs"](self))
setattr(Tensor, "__invert__", lambda self: FUNCTIONS["logical_not"](self))


def function_named(name: str) -> Callable[..., Any]:
    """The function of this name. Raises UnsupportedError A011: what is unknown never counts as nothing."""
    if name not in FUNCTIONS:
        if name.startswith("__"):
            raise AttributeError(name)
        message = f"nobody has said yet what torch's '{name}' costs"
        raise UnsupportedError(Diagnostic("A011", message, None, "please report the spec"))
    return FUNCTIONS[name]


def function(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the function is torch's, or a tensor's method, of these names, or else of its own."""

    def register(body: Callable[..., Any]) -> Callable[..., Any]:
        for name in names or (body.__name__.rstrip("_"),):
            FUNCTIONS[name] = body
        return body

    return register


def needs_grad(*operands: Any) -> bool:
    """Whether something computed from these gets a gradient."""
    return current().grad and any(isinstance(x, Tensor) and x.requires_grad for x in operands)


def made(
    name: str,
    operands: Sequence[Tensor],
    shape: Sequence[int],
    dtype: DType,
    *,
    strides: Ints | None = None,
    saves: Sequence[tuple[str, Tensor | None]] = (),
    flops: int = 0,
    backward: int = 0,
    differentiable: bool = True,
) -> Tensor:
    """The new result of an operation. What is saved and is None is the result itself.

    `flops`, `backward`: FLOPs of products, 2 per multiply-add, forward and in the backward pass.
    """
    run = current()
    strides = layout.contiguous(shape) if strides is None else strides
    storage = Storage(run, math.prod(shape) * dtype.itemsize, name)
    out = Tensor(shape, strides, dtype, storage)
    if run.counting:
        read = sum(x.nbytes for x in operands)
        run.kernels.append(Kernel(name, run.place, flops, read, out.nbytes, dtype.name))
    before, run.flops = run.flops, run.flops + flops
    if differentiable and dtype.is_floating_point and needs_grad(*operands):
        remember(out, name, operands, saves, backward)
        if saves:  # operands are saved before it runs, a result after
            run.needed = run.flops if any(x is None for _, x in saves) else before
    return out


def remember(
    out: Tensor,
    name: str,
    operands: Sequence[Tensor],
    saves: Sequence[tuple[str, Tensor | None]],
    backward: int = 0,
) -> None:
    """`out` gets a gradient by way of its operands, which needs what is saved."""
    kept = [(reason, out if x is None else x) for reason, x in saves]
    out.node = Node(name, [x.node for x in operands], kept, backward)
    out.requires_grad = True


def view(name: str, x: Tensor, shape: Sequence[int], strides: Ints) -> Tensor:
    """The same storage under another shape."""
    out = Tensor(shape, strides, x.dtype, x.storage)
    out.filled = x.filled
    if x.requires_grad and current().grad:
        out.node = Node(name, [x.node], ())
        out.requires_grad = True
    return out


def scratch(name: str, *sizes: int) -> None:
    """Bytes that an operation needs beside its results, for its own time."""
    run = current()
    for size in sizes:
        Storage(run, size, name)


def axes_of(x: Tensor, axes: Any) -> list[int]:
    """Axes from 0 up."""
    given = range(x.dim()) if axes is None else axes if isinstance(axes, (tuple, list)) else [axes]
    return [axis % max(x.dim(), 1) for axis in given]


def reached(results: Sequence[Tensor]) -> Iterator[Node]:
    """Every operation that the results' gradients pass, once."""
    waiting, seen = [x.node for x in results if x.node is not None], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting += node.before
