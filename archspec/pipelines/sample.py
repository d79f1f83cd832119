"""Sampling: from noise to data, and on to what the spec makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from archspec.dims import poly
from archspec.ir.graph import Value
from archspec.ir.types import INTEGERS
from archspec.lowering.running import Sampler
from archspec.pipelines import ddim
from archspec.pipelines.inputs import padded
from archspec.pipelines.parts import Known, Parts, cannot

Progress = Callable[[int, int], None]
Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Sampled:
    """`sample` has the shape of the noise; `result` is what the spec decodes it to, None if nothing."""

    sample: Tensor
    result: Tensor | None


@dataclass(frozen=True, slots=True)
class Guide:
    """What a sample should be like: ids, the ids to lead away from, and how strongly."""

    prompt: Ids = ()
    negative: Ids | None = None
    scale: float | None = None


def sample(
    parts: Parts, guide: Guide, noise: Tensor, *, steps: int, progress: Progress = lambda done, of: None
) -> Sampled:
    """Undoes `steps` steps of noise [B, …], and decodes. `progress` hears of each step that is done.

    Raises ArchspecError X010 (steps, a prompt that is missing or not wanted), X006, X013 (the prompt).
    """
    how = sampler_of(parts)
    told = _dtype_of_time(parts, how)
    schedule = ddim.Schedule(parts.evaluate("signal", how.signal, {}), how.first)
    _check_steps(steps, len(schedule.signal) - how.first)
    known, scale = _conditions(parts, how, guide, len(noise))
    x, stride = noise, schedule.stride(steps)
    for done, time in enumerate(schedule.times(steps), start=1):
        given = {**known, how.noisy: torch.cat([x, x]) if scale != 1 else x}
        given[how.time] = torch.full((len(given[how.noisy]),), time, dtype=told)
        predicted = parts.evaluate("prediction", how.prediction, given)
        if scale != 1:
            predicted = ddim.guided(predicted[: len(x)], predicted[len(x) :], scale)
        x = ddim.step(x, predicted, how.kind, *schedule.kept(time, stride))
        progress(done, steps)
    return Sampled(x, parts.value(how.result, {how.noisy: x}) if how.result else None)


def _dtype_of_time(parts: Parts, how: Sampler) -> torch.dtype:
    types = {value.name: value.type.dtype for value in parts.graph.inputs}
    return torch.int64 if types[how.time] in INTEGERS else torch.float32


def noise_for(parts: Parts, sizes: Mapping[str, int] | None = None, seed: int | None = None) -> Tensor:
    """Noise [1, …] in the shape of what is sampled, from `seed` or torch's own generator.

    `sizes` are sizes known only at run time, by name. Raises ArchspecError X010 where one is missing.
    """
    how = sampler_of(parts)
    wanted = next(value for value in parts.graph.inputs if value.name == how.noisy)
    batch, *shape = (size.size for size in wanted.type.shape)
    known = dict.fromkeys(poly.symbols(batch), 1) | dict(how.sizes) | dict(sizes or {})
    found = [poly.evaluate(size, known) for size in shape]
    lacking = sorted({name for size in found for name in poly.symbols(size)})
    unread = sorted(known.keys() - {name for size in (batch, *shape) for name in poly.symbols(size)})
    if lacking or (sizes and unread):
        listed = f"'{how.noisy}' is {wanted.type}"
        wrong = f"no value for the size '{lacking[0]}'" if lacking else f"no size '{unread[0]}' to set"
        raise cannot(f"{listed}: {wrong}", "sizes are given as NAME=NUMBER")
    generator = torch.Generator() if seed is None else torch.Generator().manual_seed(seed)
    if seed is None:
        generator.seed()
    return torch.randn(1, *cast("list[int]", found), generator=generator)


def sampler_of(parts: Parts) -> Sampler:
    """How noise becomes data. Raises ArchspecError X010 where the spec does not say it."""
    if parts.running.sampler is None:
        hint = "it is said under 'run: {sample: …}' in the spec"
        raise cannot(f"'{parts.graph.name}' does not make data of noise", hint)
    return parts.running.sampler


def _check_steps(steps: int, most: int) -> None:
    if not 1 <= steps <= most:
        raise cannot(f"{steps} steps cannot be taken", f"take 1 to {most:,} steps")


def _conditions(parts: Parts, how: Sampler, guide: Guide, batch: int) -> tuple[Known, float]:
    """What the model is told at every step, without a prompt and then with it, and the scale of guidance."""
    own = {how.noisy, how.time}
    outputs = [v.name for v in how.prediction.inputs if v.name in dict(parts.graph.outputs)]
    wanted = {v.name: v for name in outputs for v in parts.sources(name) if v.name not in own}
    if len(wanted) != bool(guide.prompt):
        listed = ", ".join(f"{v.name} {v.type}" for v in wanted.values()) or "no prompt"
        raise cannot(f"a prompt of {len(guide.prompt)} ids, and the model takes {listed}", "give one prompt")
    if not wanted:
        if guide.negative is not None or guide.scale not in (None, 1):
            raise cannot("guidance needs a prompt, and this model takes none", "leave guidance out")
        return {}, 1.0
    value = next(iter(wanted.values()))
    away = guide.negative if guide.negative is not None else how.empty.get(value.name)
    scale = (1.0 if away is None else 7.5) if guide.scale is None else guide.scale
    if scale != 1 and away is None:
        raise cannot(
            "guidance leads away from no prompt, and what that is is not said", "give a negative one"
        )
    rows = [guide.prompt] if scale == 1 else [away or (), guide.prompt]
    told = {value.name: _rows(parts, value, rows).repeat_interleave(batch, 0)}
    return _prepared(parts, outputs, told, own), scale


def _prepared(parts: Parts, outputs: Sequence[str], told: Known, own: set[str]) -> Known:
    """The inputs of the denoiser that stay the same at each step, computed once."""
    names = {v.name for output in outputs for v in parts.needed(output)}
    same = [name for name in names if not own & {v.name for v in parts.sources(name)}]
    return {**told, **{name: parts.value(name, told) for name in same}}


def _rows(parts: Parts, value: Value, rows: Sequence[Ids]) -> Tensor:
    """Prompts as an input: ids [rows, S], or one id each [rows]. Raises ArchspecError X010, X013."""
    if value.type.dtype != "int64" or value.type.rank not in (1, 2):
        raise cannot(
            f"'{value.name}' is {value.type}, and a prompt is ids", "compile the parts, and call them"
        )
    if value.type.rank == 2:
        return padded(parts.running.tokens, rows)[0]
    if any(len(row) != 1 for row in rows):
        raise cannot(f"'{value.name}' takes one id, not {max(map(len, rows))}", "give one id")
    return torch.tensor([row[0] for row in rows])
