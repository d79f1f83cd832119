"""Runs a real module as a question asks, and compares it with what was predicted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from msgspec.structs import replace

from archspec import model
from archspec.errors import ArchspecError, Diagnostic
from archspec.measuring import fvcore_count, memory, observe
from archspec.measuring.inputs import inputs
from archspec.reports.account import Account
from archspec.reports.lookups import limits
from archspec.reports.question import Question
from archspec.reports.shapes import shapes
from archspec.reports.verify import Observed, Verified, compare

T = TypeVar("T")


def on_cpu(question: Question) -> Question:
    """The question that can be measured here: a CPU's rules, nothing computed again, default inputs."""
    return replace(question, hardware="cpu", checkpoint="none", lora=None, targets=(), picked=0)


def verify(
    account: Account, source: str, *, free: int | None = None, asked: Question | None = None
) -> Verified:
    """Predictions beside the module that `source` defines; on the meta device if that is too large.

    The account is one of `on_cpu`, of what was `asked`. `free`: bytes to stay within, else what this machine
    has. Raises what the account raises: A001 where a size is missing; K001 where kernels would have to run.
    """
    if account.question.attention == "triton" and os.environ.get("TRITON_INTERPRET") != "1":
        message = "attention=triton runs on a GPU, and is compared with the real module on a CPU"
        hint = "verify attention=sdpa, or set TRITON_INTERPRET=1, which takes long"
        raise ArchspecError(Diagnostic("K001", message, None, hint))
    too_large = memory.refusal(account, training=True, free=free)
    unseen = list(_left_out(asked)) if asked else []
    if too_large:
        unseen.append(("peak, and bytes kept", f"{too_large}: {memory.hint(account)}"))
    seen = _Run(account, source, meta=bool(too_large)).observed(unseen)
    where = "the meta device, which allocates and computes nothing" if too_large else "this machine's CPU"
    question = account.question
    notes = (
        f"on {where}; attention={question.attention}",
        f"inference in {question.dtype}; training: {question.policy.says}",
        "measured: state_dict, FlopCounterMode, hooks for saved tensors, bytes of living storages",
    )
    return Verified(tuple(compare(account, seen)), notes)


def _left_out(asked: Question) -> Iterator[tuple[str, str]]:
    """What was asked for and is not part of the emitted source."""
    if asked.checkpoint != "none":
        yield (
            "activation checkpointing",
            "the emitted source keeps everything; to compute again is the trainer's wrapping",
        )
    if asked.lora is not None:
        yield "LoRA", "the emitted source has no adapters"


class _Run:
    def __init__(self, account: Account, source: str, *, meta: bool) -> None:
        self.account, self.source, self.place = account, source, observe.place(meta=meta)

    def observed(self, unseen: list[tuple[str, str]]) -> Observed:
        question = self.account.question
        with self.place:
            module: Any = model.make(self.source, self.account.graph, seed=0)
        module = module.to(model.dtype_of(question.dtype))
        has = observe.has(module)
        given = self._inputs(question.dtype)
        forward = self._tried(lambda: observe.forward(module, given), "forward pass", unseen)
        other = None
        if forward and self.place.type != "meta" and fvcore_count.installed():
            other = fvcore_count.fvcore_count(module, given)
        elif self.place.type != "meta":
            unseen.append(("as fvcore counts them", "fvcore is not installed"))
        step = self._tried(lambda: self._step(module), "training step", unseen)
        return Observed(has, forward, step, other, tuple(unseen))

    def _step(self, module: Any) -> observe.Step:
        question, graph = self.account.question, self.account.graph
        loss = graph.losses[0].name if graph.losses else None
        policy = question.policy
        module = module.to(model.dtype_of(policy.dtype)).train(question.dropout)
        return observe.step(module, self._inputs(policy.dtype, loss), loss=loss, autocast=policy.autocast)

    def _inputs(self, dtype: str, loss: str | None = None) -> Any:
        account = self.account
        asked = shapes(account.graph, account.sizes, dtype, loss=loss)
        return inputs(asked, limits(account.graph), self.place)

    def _tried(self, run: Callable[[], T], what: str, unseen: list[tuple[str, str]]) -> T | None:
        """None, and a reason, where the meta device cannot follow numbers that only data gives."""
        if self.place.type != "meta":
            return run()
        try:
            return run()
        except (NotImplementedError, RuntimeError) as error:
            unseen.append((what, f"not without numbers: {str(error).strip().splitlines()[0][:120]}"))
            return None
