"""Running emitted source on shapes, and what that shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from msgspec.structs import replace

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.backward import backward
from archspec.backends.torch.fake.dtypes import DTYPES
from archspec.backends.torch.fake.namespace import imported
from archspec.backends.torch.fake.nn import Module
from archspec.backends.torch.fake.node import Node, reached
from archspec.backends.torch.fake.run import Alive, Run, gradients, running
from archspec.backends.torch.fake.storage import Storage
from archspec.backends.torch.fake.tensor import Tensor, tensors
from archspec.backends.torch.fake.traced import Decoding, Mode, Saved, Trace, Training

Inputs: TypeAlias = Mapping[str, tuple[Sequence[int], str]]


PLAIN = Mode()


class Subject:
    """A model on shapes, made from its emitted source (`archspec.api.source`), to run as often as one likes.

    Raises UnsupportedError A011 where the source asks torch for something that nobody has described, A010
    where a shape depends on data.
    """

    def __init__(self, source: str, name: str) -> None:
        self.name = name
        self._scope = imported(source, name)
        self._models = dict[str, Module]()

    def model(self, dtype: str) -> Module:
        """The module with parameters and buffers of a floating dtype."""
        if dtype not in self._models:
            with running(Run()):
                model = self._models[dtype] = self._scope[self._scope["__all__"][0]]()
            for x in (*model.tensors("parameter"), *model.tensors("buffer")):
                if x.is_floating_point():
                    x.dtype = DTYPES[dtype]
                    x.storage.nbytes = x.nbytes
        return self._models[dtype]

    def trace(self, inputs: Inputs, mode: Mode = PLAIN) -> Trace:
        """One run with inputs of these shapes and dtypes; those that are left out are absent."""
        run, model = _run(mode), self.model(mode.dtype)
        results, given = self._ran(run, inputs, mode)
        run.copies.clear()  # as autocast does when it ends
        return _trace(model, run, given, list(tensors(results)))

    def alive_at_peak(self, inputs: Inputs, mode: Mode = PLAIN) -> tuple[Alive, ...]:
        """What `Trace.peak` consists of, by running once more."""
        run = _run(mode)
        run.top, run.alive = self.trace(inputs, mode).peak, {}
        self._ran(run, inputs, mode)
        return run.composed

    def train(self, inputs: Inputs, mode: Mode = PLAIN) -> Training:
        """One step of training: a run that keeps what the backward pass needs, and that pass."""
        run, mode = _run(mode), replace(mode, gradients=True)
        results, _ = self._ran(run, inputs, mode)
        run.copies.clear()  # autocast ends before the backward pass begins
        with running(run):
            backward(list(tensors(results)))
        trained = sum(x.nbytes for x in self.model(mode.dtype).tensors("parameter"))
        return Training(run.peak, run.peak_at, trained, tuple(run.kernels))

    def decode(self, prefill: Inputs, step: Inputs, capacity: int, mode: Mode = PLAIN) -> Decoding:
        """A run of `prefill` that fills a cache with room for `capacity` tokens, and a `step` after it."""
        run, model = _run(mode), cast("Any", self.model(mode.dtype))
        model.train(False)
        with running(run):
            cache, first, then = model.make_cache(capacity), _given(prefill), _given(step)
            run.counting = True
            model(**first, cache=cache)
            run.copies.clear()
            held = run.peak = run.live
            run.kernels = []
            model(**then, cache=cache)
            run.copies.clear()
            return Decoding(run.peak - held, run.peak_at, run.live, tuple(run.kernels))

    def _ran(self, run: Run, inputs: Inputs, mode: Mode) -> tuple[Any, list[Tensor]]:
        """The results of a run, and its inputs."""
        model = self.model(mode.dtype)
        model.train(mode.dropout)
        with running(run), gradients(mode.gradients):
            given = _given(inputs)
            run.counting = True
            return _entry(model, mode.loss)(**given), list(given.values())


def _run(mode: Mode) -> Run:
    autocast = DTYPES[mode.autocast] if mode.autocast else None
    return Run(device=mode.device, autocast=autocast, every=mode.checkpoint, picked=mode.picked)


def _entry(model: Module, loss: str | None) -> Any:
    """A model's only loss is called `loss`, whatever its name; others `loss_<name>`."""
    if loss is None:
        return model
    return getattr(model, f"loss_{loss}", None) or cast("Any", model).loss


def _trace(model: Module, run: Run, given: list[Tensor], results: list[Tensor]) -> Trace:
    nodes = list(reached(results))
    return Trace(
        parameters=sum(x.nbytes for x in model.tensors("parameter")),
        buffers=sum(x.nbytes for x in model.tensors("buffer")),
        inputs=sum(x.nbytes for x in given),
        outputs=sum({id(x.storage): x.storage.nbytes for x in results}.values()),
        peak=run.peak,
        peak_at=run.peak_at,
        end=run.live,
        saved=tuple(_saved(nodes)),
        kernels=tuple(run.kernels),
        backward_flops=sum(node.flops for node in nodes),
        assumed=run.assumed,
    )


def _given(inputs: Inputs) -> dict[str, Tensor]:
    return {name: _input(shape, dtype) for name, (shape, dtype) in inputs.items()}


def _input(shape: Sequence[int], dtype: str) -> Tensor:
    x = Tensor(shape, layout.contiguous(tuple(shape)), DTYPES[dtype], Storage(0, "input"))
    x.storage.nbytes = x.nbytes
    return x


def _saved(nodes: list[Node]) -> Iterable[Saved]:
    seen = set[int]()
    for node in nodes:
        for reason, storage, shape, dtype in node.saved:
            if id(storage) not in seen:
                seen.add(id(storage))
                yield Saved(storage.nbytes, storage.role, node.place, node.name, reason, shape, dtype.name)
