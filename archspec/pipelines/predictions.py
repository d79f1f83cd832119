"""One pass through a model: its outputs, and what the scores among them say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from torch import Tensor, nn

from archspec.decode import not_runnable, outputs_of, row, tables, token_inputs
from archspec.ir.graph import Apply, Graph
from archspec.ir.ops.loss import CrossEntropy

Ranked = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One output of a pass: its shape, and of scores the likeliest columns of each row with their shares.

    Scores [B, S, V] of a vocabulary have a row for each position of the first prompt, scores [B, C] of
    classes or pairs one for each item.
    """

    name: str
    shape: tuple[int, ...]
    likeliest: tuple[Ranked, ...] = ()

    def record(self) -> dict[str, object]:
        """The prediction as plain data."""
        return asdict(self)


def ids_for(graph: Graph, prompt: Sequence[int], model: nn.Module) -> dict[str, Tensor]:
    """A prompt as the one input of a model. Raises ArchspecError X004 where that is not all it takes."""
    ids = token_inputs(graph)
    if len(ids) != 1 or not prompt:
        raise not_runnable(graph, "one pass takes one list of token ids, and at least one id")
    return {ids[0].name: row(prompt, next(model.parameters()).device)}


def predict(model: nn.Module, graph: Graph, given: Mapping[str, Tensor], top: int) -> tuple[Prediction, ...]:
    """Every output of one pass. Raises ArchspecError X006 for an id past its table."""
    outputs, words, ranked = (
        outputs_of(model, graph, dict(given)),
        set(tables(graph).values()),
        ranked_in(graph),
    )
    return tuple(
        _prediction(name, value, top, name in ranked or (value.dim() == 3 and value.shape[-1] in words))
        for name, value in outputs.items()
    )


def ranked_in(graph: Graph) -> set[str]:
    """The outputs that training takes for logits."""
    nodes = [node for loss in graph.losses for node in loss.region.nodes if isinstance(node, Apply)]
    read = [node.inputs[0] for node in nodes if isinstance(node.op, CrossEntropy)]
    return {value.name for value in read if value} & {name for name, _ in graph.outputs}


def _prediction(name: str, value: Tensor, top: int, is_scores: bool) -> Prediction:
    shape = tuple(value.shape)
    if value.dim() not in (2, 3) or not is_scores:
        return Prediction(name, shape)
    scores = value[0] if value.dim() == 3 else value
    best = scores.float().softmax(-1).topk(min(top, shape[-1]))
    ids, shares = (
        cast("list[list[int]]", best.indices.tolist()),
        cast("list[list[float]]", best.values.tolist()),
    )
    rows = (tuple(zip(each, share, strict=True)) for each, share in zip(ids, shares, strict=True))
    return Prediction(name, shape, tuple(rows))
