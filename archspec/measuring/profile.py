"""Runs a model on the present machine and takes its time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from archspec import model
from archspec.analysis.device import Device
from archspec.analysis.latency import Latency
from archspec.analysis.sizes import Sizes
from archspec.errors import ArchspecError, Diagnostic
from archspec.measuring import memory, timing, workloads
from archspec.measuring.inputs import inputs
from archspec.measuring.measure import measure
from archspec.measuring.workloads import Workload
from archspec.reports.account import Account
from archspec.reports.lookups import limits
from archspec.reports.measured import Measured, Profile, estimate, items
from archspec.reports.question import Question
from archspec.reports.shapes import shapes


class Work(Struct, frozen=True):
    """What is measured beside the forward pass, how often, and whether torch compiles it first."""

    decode: bool = False
    train: bool = False
    compiled: bool = False
    repeat: int | None = None


def profile(account: Account, module: Any, work: Work, device: Device) -> Profile:
    """Times and memory of a module in the account's dtype, beside estimates on `device`.

    Raises what the account and the device raise; `check` tells beforehand what else could go wrong.
    """
    runs = _Runs(account, module, work)
    results = tuple((done, estimate(account, done.name, device)) for done in runs.all())
    question = account.question
    how = (
        f"torch {'compiled' if work.compiled else 'eager'}, attention={question.attention}, {question.dtype}"
    )
    sizes = " ".join(f"{name}={size}" for name, size in question.sizes.items())
    return Profile(results, device, question.dtype, (f"{how}, {sizes}, on {runs.place.type}",))


def here(question: Question) -> Question:
    """The question for what runs are measured on."""
    return replace(question, hardware=timing.device().type)


def check(account: Account, work: Work) -> None:
    """Raises ArchspecError A020 where the model does not fit this machine, A021 where it does not decode."""
    if work.decode and account.decode is None:
        message = f"{account.graph.name} does not decode: nothing of it is kept between steps"
        raise ArchspecError(Diagnostic("A021", message, None, "leave --decode out"))
    if work.decode and not account.past:
        message, hint = "a step of decoding needs a token in its cache", "give --past N, or a longer sequence"
        raise ArchspecError(Diagnostic("A021", message, None, hint))
    memory.refuse_unless_fits(account, training=work.train)


class _Runs:
    def __init__(self, account: Account, module: Any, work: Work) -> None:
        self.account, self.work, self.place = account, work, timing.device()
        self.module = module.to(self.place, model.dtype_of(account.question.dtype))
        if work.compiled:
            self.module.compile()

    def all(self) -> Iterator[Measured]:
        given = self._inputs(self.account.question.dtype)
        done = self._measured("forward", workloads.forward(self.module, given))
        live = None if self.work.compiled else measure(self.module, given).peak
        yield replace(done, live=live)
        if self.work.decode:
            done = self._measured("decode", self._decoding())
            yield replace(done, where=f" behind {self.account.past} tokens")
        if self.work.train:
            yield self._measured("train", self._training())

    def _measured(self, name: str, work: Workload) -> Measured:
        work.before()
        taken = timing.most_memory(work.call, self.place)
        found = timing.seconds(work.call, self.place, timing.Plan(repeat=self.work.repeat), work.before)
        return Measured(name, Latency.of(found), *items(self.account, name), taken)

    def _decoding(self) -> Workload:
        account, graph = self.account, self.account.graph
        past, stream = account.past, graph.stream
        assert stream is not None  # `check` has seen to both
        assert past is not None
        at = account.question.sizes
        prompt = Sizes.of(graph, {**at, stream: past})
        token = Sizes.of(graph, {**at, stream: 1}, past=past)
        dtype = account.question.dtype
        return workloads.decoding(self.module, self._inputs(dtype, prompt), self._inputs(dtype, token), past)

    def _training(self) -> Workload:
        question, graph = self.account.question, self.account.graph
        loss = graph.losses[0].name if graph.losses else None
        policy = question.policy
        module = self.module.to(model.dtype_of(policy.dtype)).train(question.dropout)
        return workloads.training(module, self._inputs(policy.dtype, loss=loss), loss, policy.autocast)

    def _inputs(self, dtype: str, sizes: Sizes | None = None, loss: str | None = None) -> dict[str, Any]:
        graph = self.account.graph
        return inputs(shapes(graph, sizes or self.account.sizes, dtype, loss=loss), limits(graph), self.place)
