"""Tokens from a model: greedy or sampled decoding with a cache."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from archspec.dims import num as n
from archspec.errors import ArchspecError, Diagnostic
from archspec.ir.graph import Graph, Value, walk


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is chosen. `temperature` 0 takes the likeliest; otherwise one is drawn.

    It is drawn from the `top_k` likeliest, and from the fewest whose probabilities add up to `top_p`.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Roles:
    """What decoding needs to know of a graph: what takes the prompt, what grows, where scores come out.

    `tokens` is the input that grows; `prompt` is None where the prompt itself does.
    """

    tokens: str
    prompt: str | None
    logits: str

    @classmethod
    def of(cls, graph: Graph, given: Collection[str] = ()) -> Roles:
        """Those of the inputs that are not `given`.

        Raises ArchspecError X004 where these or the outputs are not those of a decoder of tokens.
        """
        ids = token_inputs(graph, given)
        grows = [value.name for value in ids if _streams(graph, value, 1)]
        others = [value.name for value in ids if value.name not in grows]
        scores = [name for name, value in graph.outputs if value.type.rank == 3 and _streams(graph, value, 1)]
        if len(grows) != 1 or len(others) > 1 or not scores:
            raise not_runnable(graph, "decoding needs one input of tokens that streams, and scores for them")
        return cls(grows[0], others[0] if others else None, scores[0])


def token_inputs(graph: Graph, given: Collection[str] = ()) -> list[Value]:
    """The inputs a caller must give beside those `given`, all of them token ids [B, S].

    Raises ArchspecError X004 where there is another kind of input.
    """
    computed = {value.name for value in graph.defaults.outputs} if graph.defaults else set[str]()
    known = {*computed, *given}
    needed = [value for value in graph.inputs if not value.optional and value.name not in known]
    wrong = [value for value in needed if value.type.rank != 2 or value.type.dtype != "int64"]
    if wrong or not needed:
        shown = ", ".join(f"{value.name} {value.type}" for value in wrong) or "nothing"
        raise not_runnable(graph, f"it takes {shown}, and only token ids are given")
    return needed


def _streams(graph: Graph, value: Value, axis: int) -> bool:
    return graph.stream is not None and n.same(value.type.shape[axis], n.symbol(graph.stream))


def not_runnable(graph: Graph, reason: str) -> ArchspecError:
    hint = "give other inputs by name, with --inputs FILE, or compile it and call the module"
    return ArchspecError(Diagnostic("X004", f"cannot run '{graph.name}': {reason}", None, hint))


def decode(
    model: nn.Module, graph: Graph, prompt: Sequence[int], *, limit: int, start: int = 0,
    sampling: Sampling = Sampling(), eos: int | None = None, given: Mapping[str, Tensor] | None = None,
) -> Iterator[int]:  # fmt: skip
    """The tokens that follow a prompt, one at a time, at most `limit`; the last one may be `eos`.

    A model with an encoder reads the prompt there, or the inputs `given` by name, and its decoder begins with
    `start`, or with the prompt where the encoder takes none. Raises ArchspecError X004 (not a decoder, an
    empty prompt, inputs that do not fit), X006 (an id or a position past its table), X007 (scores that are no
    numbers).
    """
    given = given or {}
    check_given(graph, given, rows=1)
    roles = Roles.of(graph, given)
    if not prompt and (roles.prompt or not given):
        raise ArchspecError(Diagnostic("X004", "the prompt is empty", None, "give at least one token id"))
    device = next(model.parameters()).device
    fixed = {**given, **({roles.prompt: row(prompt, device)} if roles.prompt else {})}
    step = row([start] if roles.prompt or not prompt else prompt, device)
    cache = cast("Any", model).make_cache(step.shape[1] + limit)
    generator = None if sampling.seed is None else torch.Generator(device).manual_seed(sampling.seed)
    for _ in range(limit):
        scores = outputs_of(model, graph, {**fixed, roles.tokens: step}, cache)[roles.logits][0, -1]
        token = choose(scores, sampling, generator)
        yield token
        if token == eos:
            return
        step = row([token], device)


def check_given(graph: Graph, given: Mapping[str, Tensor], rows: int | None = None) -> None:
    """Raises ArchspecError X004 for an input there is not, or of another shape; `rows`: how many of each."""
    inputs = {value.name: value for value in graph.inputs}
    for name, x in given.items():
        if name not in inputs:
            raise not_runnable(graph, f"it has no input '{name}', but {', '.join(inputs)}")
        type_ = inputs[name].type
        sizes = zip(type_.shape, x.shape, strict=False)
        if x.dim() != type_.rank or any(size.static and int(size) != found for size, found in sizes):
            raise not_runnable(graph, f"'{name}' is {type_}, and {list(x.shape)} is given")
        if rows is not None and x.dim() and len(x) != rows:
            raise not_runnable(graph, f"'{name}' has {len(x)} items, and {rows} is decoded at a time")


def row(ids: Sequence[int], device: torch.device) -> Tensor:
    return torch.tensor([list(ids)], device=device)


@torch.no_grad()
def outputs_of(
    model: nn.Module, graph: Graph, given: dict[str, Tensor], cache: object = None
) -> dict[str, Tensor]:
    """The outputs by name."""
    more = {} if cache is None else {"cache": cache}
    with tables_named(graph):
        result = model(**given, **more)
    names = [name for name, _ in graph.outputs]
    return {names[0]: result} if isinstance(result, Tensor) else dict(zip(names, result, strict=True))


@contextmanager
def tables_named(graph: Graph) -> Generator[None]:
    """An index past the end of a table is the caller's, and says which tables there are."""
    try:
        yield
    except IndexError as error:
        hint = "rows: " + ", ".join(f"{path} {rows:,}" for path, rows in tables(graph).items())
        message = f"a token id or a position is past its table: {error}"
        raise ArchspecError(Diagnostic("X006", message, None, hint)) from error


def tables(graph: Graph) -> dict[str, int]:
    """The rows of each table that is looked up."""
    found = ((path, region) for path, region, _ in walk(graph.root) if region.component == "embedding")
    return {path: int(param.value.type.shape[0]) for path, region in found for param in region.params}


def choose(scores: Tensor, sampling: Sampling, generator: torch.Generator | None = None) -> int:
    """One token from scores [V]. Raises ArchspecError X007 where a score is NaN."""
    scores = scores.float()
    if bool(scores.isnan().any()):
        hint = "the weights, or the dtype, give numbers out of range"
        raise ArchspecError(Diagnostic("X007", "the scores of the next token are not numbers", None, hint))
    if sampling.temperature == 0:
        return int(scores.argmax())
    scores = scores / sampling.temperature
    if sampling.top_k is not None:
        least = scores.topk(min(sampling.top_k, scores.shape[0])).values[-1]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if sampling.top_p is not None:
        scores = _nucleus(scores, sampling.top_p)
    return int(torch.multinomial(scores.softmax(-1), 1, generator=generator))


def _nucleus(scores: Tensor, top_p: float) -> Tensor:
    """Scores outside of the fewest tokens with probability `top_p` set to -inf (Holtzman et al. 2020)."""
    ranked, order = scores.sort(descending=True)
    probabilities = ranked.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities
    return scores.index_fill(0, order[before >= top_p], -torch.inf)
