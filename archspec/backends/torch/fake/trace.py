"""Running emitted source on shapes, and what that shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from msgspec.structs import replace

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.adapters import adapt
from archspec.backends.torch.fake.backward import backward
from archspec.backends.torch.fake.dtypes import DTYPES
from archspec.backends.torch.fake.namespace import imported
from archspec.backends.torch.fake.nn import Module
from archspec.backends.torch.fake.node import Node, reached
from archspec.backends.torch.fake.repeats import UnlikeError
from archspec.backends.torch.fake.run import Alive, Run, gradients, running
from archspec.backends.torch.fake.storage import Storage
from archspec.backends.torch.fake.tensor import Tensor, tensors
from archspec.backends.torch.fake.traced import Adapters, Decoding, Mode, Saved, Trace, Training

Inputs: TypeAlias = Mapping[str, tuple[Sequence[int], str]]


PLAIN = Mode()


class Made(NamedTuple):
    """A module, and bytes of its parameters, its buffers, and of the parameters that learn."""

    module: Module
    parameters: int
    buffers: int
    trained: int


class Subject:
    """A model on shapes, made from its emitted source (`archspec.api.source`), to run as often as one likes.

    Raises UnsupportedError A011 where the source asks torch for something that nobody has described, A010
    where a shape depends on data.
    """

    def __init__(
        self, source: str, name: str, kernels: Mapping[str, str] | None = None, *, repeats: bool = True
    ) -> None:
        """`kernels`: the files of kernels that the source imports, by their modules' names.

        `repeats`: layers that are alike run once, and what they did is taken for the others.
        """
        self.name, self._repeats = name, repeats
        self._scope = imported(source, name, kernels)
        self._models = dict[tuple[str, Adapters | None], Made]()
        self._kinds = dict[Any, int]()

    def _made(self, mode: Mode) -> Made:
        """The module with parameters and buffers of a mode's dtype."""
        key = mode.dtype, mode.adapters
        if key not in self._models:
            with running(Run()):
                model: Module = self._scope[self._scope["__all__"][0]]()
                if mode.adapters:
                    adapt(model, mode.adapters)
                parameters, buffers = model.tensors("parameter"), model.tensors("buffer")
                for x in (*parameters, *buffers):
                    if x.dtype.is_floating_point:
                        x.dtype = DTYPES[mode.dtype]
                        x.storage.nbytes = x.nbytes
            trained = [x for x in parameters if x.requires_grad]
            self._models[key] = Made(model, *map(_bytes, (parameters, buffers, trained)))
        return self._models[key]

    def trace(self, inputs: Inputs, mode: Mode = PLAIN) -> Trace:
        """One run with inputs of these shapes and dtypes; those that are left out are absent."""
        run = self._run(mode)
        results, given = self._ran(run, inputs, mode)
        run.copies.clear()  # as autocast does when it ends
        return self._trace(mode, run, given, list(tensors(results)))

    def alive_at_peak(self, inputs: Inputs, mode: Mode = PLAIN) -> tuple[Alive, ...]:
        """What `Trace.peak` consists of, by running once more."""
        run = self._run(mode)
        run.top, run.alive, run.alike = self.trace(inputs, mode).peak, {}, None
        self._ran(run, inputs, mode)
        return run.composed

    def train(self, inputs: Inputs, mode: Mode = PLAIN) -> Training:
        """One step of training: a run that keeps what the backward pass needs, and that pass."""
        try:
            return self._trained(inputs, replace(mode, gradients=True))
        except UnlikeError:
            self._repeats = False
            return self._trained(inputs, replace(mode, gradients=True))

    def _trained(self, inputs: Inputs, mode: Mode) -> Training:
        run = self._run(mode)
        results, given = self._ran(run, inputs, mode)
        run.copies.clear()  # autocast ends before the backward pass begins
        forward = self._trace(mode, run, given, list(tensors(results)))
        with running(run):
            backward(list(tensors(results)))
        return Training(run.peak, run.peak_at, self._made(mode).trained, tuple(run.kernels), forward)

    def decode(self, prefill: Inputs, step: Inputs, capacity: int, mode: Mode = PLAIN) -> Decoding:
        """A run of `prefill` that fills a cache with room for `capacity` tokens, and a `step` after it."""
        run, model = self._run(mode), cast("Any", self._made(mode).module)
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

    def _run(self, mode: Mode) -> Run:
        """What autocast has cast, and what is computed again, ties layers together: all of them are run."""
        autocast = DTYPES[mode.autocast] if mode.autocast else None
        repeats = self._repeats and autocast is None and not mode.checkpoint
        return Run(
            device=mode.device, autocast=autocast, every=mode.checkpoint, training=mode.dropout,
            picked=mode.picked, alike={} if repeats else None, kinds=self._kinds,
        )  # fmt: skip

    def _ran(self, run: Run, inputs: Inputs, mode: Mode) -> tuple[Any, list[Tensor]]:
        """The results of a run, and its inputs."""
        model = self._made(mode).module
        with running(run), gradients(mode.gradients):
            given = _given(inputs)
            run.counting = True
            return _entry(model, mode.loss)(**given), list(given.values())

    def _trace(self, mode: Mode, run: Run, given: list[Tensor], results: list[Tensor]) -> Trace:
        made = self._made(mode)
        nodes = sorted(reached(results), key=lambda node: node.order)  # what several keep is the first one's
        return Trace(
            parameters=made.parameters,
            buffers=made.buffers,
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


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(x.storage.nbytes for x in tensors)


def _entry(model: Module, loss: str | None) -> Any:
    """A model's only loss is called `loss`, whatever its name; others `loss_<name>`."""
    if loss is None:
        return model
    return getattr(model, f"loss_{loss}", None) or cast("Any", model).loss


def _given(inputs: Inputs) -> dict[str, Tensor]:
    return {name: _input(shape, dtype) for name, (shape, dtype) in inputs.items()}


def _input(shape: Sequence[int], dtype: str) -> Tensor:
    x = Tensor(shape, layout.contiguous(tuple(shape)), DTYPES[dtype], Storage(0, "input"))
    x.storage.nbytes = x.nbytes
    return x


def _saved(nodes: list[Node]) -> Iterable[Saved]:
    seen = set[int]()
    for node in nodes:
        for at, (reason, storage, shape, dtype) in enumerate(node.saved):
            if id(storage) in seen:
                continue
            seen.add(id(storage))
            if node.inside is not None:
                yield from node.inside.told(node, at)
            else:
                yield Saved(storage.nbytes, storage.role, node.place, node.name, reason, shape, dtype.name)
