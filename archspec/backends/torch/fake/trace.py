"""Running emitted source on shapes, and what that shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from archspec.backends.torch.fake import functions, layout
from archspec.backends.torch.fake.dtypes import DTYPES
from archspec.backends.torch.fake.namespace import imported
from archspec.backends.torch.fake.nn import Module
from archspec.backends.torch.fake.run import Kernel, Run, gradients, running
from archspec.backends.torch.fake.tensor import Node, Storage, Tensor, reached

assert functions  # which registers torch's functions


class Mode(Struct, frozen=True):
    """How a model is run.

    `device`: `cpu` or `cuda`. `dtype`: of the model. `autocast`: of its products, if they are cast.
    `gradients`: keep what the backward pass needs. `dropout`: drop, as in training. `loss`: run this loss. `checkpoint`: of so many layers one keeps its inputs
    alone and is computed again (1: all of them, 0: none). `picked`: numbers that only data gives, such as the
    tokens of a row that look everywhere.
    """

    device: str = "cpu"
    dtype: str = "float32"
    autocast: str | None = None
    gradients: bool = False
    dropout: bool = False
    loss: str | None = None
    checkpoint: int = 0
    picked: int = 1


class Saved(Struct, frozen=True):
    """A storage that is kept for the backward pass: by whom, why, and a shape and dtype it is read under."""

    nbytes: int
    role: str
    place: str
    operation: str
    reason: str
    shape: tuple[int, ...]
    dtype: str


class Trace(Struct, frozen=True):
    """What one run allocates and computes, in bytes and FLOPs (2 per multiply-add of products).

    `peak`: most bytes alive at once that are no parameters, buffers or inputs, and `peak_at` the operation
    that reached it. `saved`: what the backward pass needs, each storage once. `end`: bytes alive at the end.
    """

    parameters: int
    buffers: int
    inputs: int
    outputs: int
    peak: int
    peak_at: str
    end: int
    saved: tuple[Saved, ...]
    kernels: tuple[Kernel, ...]
    backward_flops: int
    assumed: bool

    @property
    def activations(self) -> int:
        """Bytes saved that are no parameters, buffers, inputs, or autocast's copies of parameters."""
        return sum(s.nbytes for s in self.saved if s.role == "activation")

    @property
    def weight_copies(self) -> int:
        return sum(s.nbytes for s in self.saved if s.role == "copy")

    @property
    def flops(self) -> int:
        return sum(kernel.flops for kernel in self.kernels)


class Subject:
    """A model on shapes, made once from its source and run as often as one likes."""

    def __init__(self, source: str, name: str) -> None:
        self.name = name
        self.scope = imported(source, name)

    def model(self, mode: Mode) -> Module:
        """Raises what the source raises."""
        with running(Run()):
            model = self.scope[self.scope["__all__"][0]]()
        for x in (*model.tensors("parameter"), *model.tensors("buffer")):
            if x.is_floating_point():
                x.dtype = DTYPES[mode.dtype]
                x.storage.nbytes = x.nbytes
        for module in model.modules():
            object.__setattr__(module, "training", mode.dropout)
        return model

    def trace(self, inputs: Mapping[str, tuple[Sequence[int], str]], mode: Mode = Mode()) -> Trace:
        """One run with inputs of these shapes and dtypes; those that are left out are absent."""
        model = self.model(mode)
        run = Run(device=mode.device, autocast=DTYPES[mode.autocast] if mode.autocast else None)
        run.picked, run.every = mode.picked, mode.checkpoint
        with running(run), gradients(mode.gradients):
            given = {name: _input(shape, dtype) for name, (shape, dtype) in inputs.items()}
            run.counting = True
            forward = getattr(model, f"loss_{mode.loss}", None) or model.loss if mode.loss else model
            results = forward(**given)
            end = run.live
            return _trace(model, run, list(given.values()), list(_tensors(results)), end)


def _trace(model: Module, run: Run, given: list[Tensor], results: list[Tensor], end: int) -> Trace:
    nodes = list(reached(results))
    return Trace(
        parameters=sum(x.nbytes for x in model.tensors("parameter")),
        buffers=sum(x.nbytes for x in model.tensors("buffer")),
        inputs=sum(x.nbytes for x in given),
        outputs=sum({id(x.storage): x.storage.nbytes for x in results}.values()),
        peak=run.peak,
        peak_at=run.peak_at,
        end=end,
        saved=tuple(_saved(nodes)),
        kernels=tuple(run.kernels),
        backward_flops=sum(node.flops for node in nodes),
        assumed=run.assumed,
    )


def _input(shape: Sequence[int], dtype: str) -> Tensor:
    kind = DTYPES[dtype]
    strides = layout.contiguous(shape)
    x = Tensor(shape, strides, kind, Storage(Run(), 0, "", "input"))
    x.storage.nbytes = x.nbytes
    return x


def _tensors(results: Any) -> Iterable[Tensor]:
    if isinstance(results, Tensor):
        yield results
    elif isinstance(results, (tuple, list)):
        for result in results:
            yield from _tensors(result)


def _saved(nodes: list[Node]) -> Iterable[Saved]:
    seen = set[int]()
    for node in nodes:
        for reason, storage, dtype, shape in node.saved:
            if id(storage) not in seen:
                seen.add(id(storage))
                yield Saved(storage.nbytes, storage.role, node.place, node.name, reason, tuple(shape), dtype)
