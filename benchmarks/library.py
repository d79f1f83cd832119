"""Every spec against its reference: forward and cached decoding, same weights and attention."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from inspect import signature
from pathlib import Path
from time import process_time
from typing import Any

import torch
from torch import Tensor
from transformers.utils import logging

from benchmarks.pairs import Pair, heading, line, paired
from benchmarks.sized import Size, names, sized
from tests.parity.catalog import Model
from tests.parity.draw import generator
from tests.parity.rig import Inputs, Rig, results, spelt

STEPS = 8  # tokens of one timed run of decoding
STATES = ("cache_params", "state", "past_key_values")  # where a reference keeps what it has seen
LONG = ("longformer-4096", "longformer-4096-encoder", "mamba-2048")


def library(repeats: int, threads: int, chosen: Sequence[str] = ()) -> None:
    """One table: a line for each model, attention and way to run it, printed as it is measured."""
    torch.set_num_threads(threads)
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    print(heading(f"library, fp32, {threads} thread(s), CPU time, {repeats} pairs each", "reference"))
    for name in chosen or names():
        model, size = sized(name)
        with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
            rig = Rig.set_up(model, Path(folder))
            for attention in size.attentions or attentions(rig.reference):
                for label, pair in _pairs(rig, size, attention, repeats):
                    print(line(f"{name} {attention} {label}", pair), flush=True)


def long(repeats: int, threads: int) -> None:
    """Long texts, with the widths of released models: minutes, so few pairs."""
    library(min(repeats, 3), threads, LONG)


def attentions(reference: Any) -> list[str]:
    """Those the reference has. Without a choice it has torch's own, or none at all."""
    if not hasattr(reference, "set_attn_implementation"):
        return ["sdpa"]
    return ["eager", "sdpa"] if reference._supports_sdpa else ["eager"]


def _pairs(rig: Rig, size: Size, attention: str, repeats: int) -> Iterable[tuple[str, Pair]]:
    """Forward, and decoding where the model decodes. The reference keeps its default way to run experts."""
    reference, given = rig.reference, rig.inputs("timed")
    if attention in attentions(reference) and hasattr(reference, "set_attn_implementation"):
        reference.set_attn_implementation(attention)
    if getattr(reference, "_can_set_experts_implementation", bool)():
        reference.set_experts_implementation("grouped_mm")
    if attention in rig.model.refuses:
        return
    ours = rig.ours(attention)
    same(rig.run(ours, given), results(reference, given, rig.model))
    theirs: dict[str, Any] = spelt(given, rig.model) | ({"use_cache": False} if rig.model.decode else {})
    yield "forward", paired(lambda: ours(**given), lambda: reference(**theirs), repeats, process_time)
    if size.behind:
        runs = decoding(rig, ours, given, size.behind, (repeats + 3) * STEPS)
        same(*({"logits": run()} for run in runs))
        yield f"decode at {size.behind}", paired(*runs, repeats, process_time)


def same(ours: Inputs, theirs: Inputs) -> None:
    """To a thousandth of the largest number; parity itself is measured by the tests, on smaller models."""
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, atol=1e-3 * value.abs().max().item(), rtol=0)


def decoding(
    rig: Rig, ours: Any, given: Inputs, behind: int, steps: int
) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """Each runs the next `STEPS` tokens one by one, behind a prompt; both go on from call to call."""
    assert rig.model.decode
    name = rig.model.decode.steps[0]
    tokens = torch.randint(given[name].max(), (given[name].shape[0], steps), generator=generator("steps"))
    prompt = given | {name: given[name][:, :behind]}
    our_step, their_step = _ours(rig.model, ours, prompt, behind + steps), _theirs(rig, prompt)

    def run(step: Callable[[Inputs], Tensor]) -> Callable[[], Tensor]:
        rest = iter(tokens.split(1, dim=1))
        return lambda: torch.cat([step({name: next(rest)}) for _ in range(STEPS)], dim=1)

    return run(our_step), run(their_step)


def _ours(model: Model, ours: Any, prompt: Inputs, capacity: int) -> Callable[[Inputs], Tensor]:
    cache = ours.make_cache(capacity)

    def step(token: Inputs) -> Tensor:
        result = ours(**(prompt | token), cache=cache)
        return result if isinstance(result, Tensor) else result.logits

    step({})
    return step


def _theirs(rig: Rig, prompt: Inputs) -> Callable[[Inputs], Tensor]:
    """The reference with its own cache; an encoder has run before, as its own generation does it."""
    reference: Any = rig.reference
    theirs = spelt(prompt, rig.model)
    keeping = {} if reference.config.is_encoder_decoder else {"use_cache": True}  # some encoders refuse it
    first = reference(**theirs, **keeping)
    state = next(name for name in STATES if name in first)
    kept: dict[str, Any] = {state: first[state], **keeping}
    if "encoder_last_hidden_state" in first:
        encoder = reference.get_encoder()
        taken = signature(encoder.forward).parameters
        kept["encoder_outputs"] = encoder(**{name: x for name, x in theirs.items() if name in taken})
    return lambda token: reference(**token, **kept).logits
