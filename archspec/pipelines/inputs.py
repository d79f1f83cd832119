"""Prompts and images to the inputs of a model."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from archspec.decode import check_given, not_runnable
from archspec.errors import ArchspecError, Diagnostic
from archspec.ir.graph import Graph, Value
from archspec.lowering.running import Running, Tokens
from archspec.pipelines.images import read_image
from archspec.pipelines.parts import needed


def prepare(
    graph: Graph, running: Running, prompts: Sequence[Sequence[int]], images: Sequence[Path],
    given: Mapping[str, Tensor],
) -> dict[str, Tensor]:  # fmt: skip
    """The inputs of a model by name: token ids int64 [prompts, S], pixels float32 [images, C, H, W].

    Those that are `given` stay as they are. Raises ArchspecError X004 where these are not what it takes, X013
    (prompts), X011, X012 (images).
    """
    check_given(graph, given)
    ids, pixels = _taken(graph, given)
    _check_count(graph, "prompt", prompts, ids)
    _check_count(graph, "image", images, pixels)
    out = dict(given)
    if ids:
        out[ids.name], mask = padded(running.tokens, prompts)
        masks = [v.name for v in graph.inputs if v.name == running.tokens.mask]
        out |= dict.fromkeys(masks, mask) if not bool(mask.all()) else {}
    if pixels:
        out[pixels.name] = torch.stack([read_image(path, pixels.type, running.images) for path in images])
    return out


def _taken(graph: Graph, given: Collection[str]) -> tuple[Value | None, Value | None]:
    """The inputs of ids and of pixels. Raises ArchspecError X004 where there are others to give."""
    values = [v for v in needed(graph) if v.name not in given]
    ids = [v for v in values if v.type.rank == 2 and v.type.dtype == "int64"]
    pixels = [v for v in values if v.type.rank == 4 and v.type.dtype == "float"]
    if len(ids) > 1 or len(pixels) > 1 or len(values) > len(ids) + len(pixels) or not (values or given):
        shown = ", ".join(f"{v.name} {v.type}" for v in values) or "nothing"
        raise not_runnable(graph, f"it takes {shown}, and 'run' has one list of prompts, and one of images")
    return ids[0] if ids else None, pixels[0] if pixels else None


def _check_count(graph: Graph, what: str, given: Sequence[object], value: Value | None) -> None:
    if value and not given:
        raise not_runnable(graph, f"it takes {value.name} {value.type}, and no {what} is given")
    if given and not value:
        raise not_runnable(graph, f"it takes no {what}")


def padded(tokens: Tokens, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Prompts filled up to one length: ids int64 [prompts, S], and 1 where they are a prompt's own.

    Raises ArchspecError X013 for prompts that are empty, too long, or of lengths that cannot be filled.
    """
    lengths = [len(prompt) for prompt in prompts]
    most = tokens.length or max(lengths)
    if not min(lengths):
        raise _length("a prompt is empty", "give at least one token id")
    if max(lengths) > most:
        raise _length(f"a prompt has {max(lengths):,} ids, more than {most:,}", "say it shorter")
    if min(lengths) < most and tokens.pad is None:
        raise _length(
            f"prompts have {min(lengths)} to {most} ids", "the spec may fill them: 'run: {tokens: …}'"
        )
    ids = [[*prompt, *[tokens.pad or 0] * (most - len(prompt))] for prompt in prompts]
    mask = torch.arange(most) < torch.tensor(lengths)[:, None]
    return torch.tensor(ids), mask.long()


def _length(message: str, hint: str) -> ArchspecError:
    return ArchspecError(Diagnostic("X013", message, None, hint))
