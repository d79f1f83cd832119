"""`check`: what the rule and the score look up and divide by, held against what a call hands over."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.backends.torch.kernels.description import Description, lookups
from archspec.dims.expr import Name, write

# How long an axis has to be that is looked up at a place.
SIZES = {
    "b": "q.shape[0]",
    "h": "q.shape[1]",
    "q": "start + q.shape[2]",
    "q - start": "q.shape[2]",
    "k": "k.shape[2]",
}


def checks(given: Description) -> list[str]:
    """The function's lines; none where nothing can be wrong."""
    lines = [*_tensors(given), *(f'    above_0("{write(x)}", {write(x)})' for x in given.plan.positive)]
    if not lines:
        return []
    words = [*(t.word for t in given.tensors), *(word for word, _ in given.numbers)]
    kinds = [f"{t.word}: Tensor | None" if t.optional else f"{t.word}: Tensor" for t in given.tensors]
    kinds += [f"{word}: {kind}" for word, kind in given.numbers]
    assert words, "what is looked up or divided by is handed over"
    text = '    """Raises ValueError for tensors that are too small, and numbers that are not above 0."""'
    return [f"def check(q: Tensor, k: Tensor, start: int, {', '.join(kinds)}) -> None:", text, *lines]


def _tensors(given: Description) -> Iterator[str]:
    exprs = [x for x in (given.plan.rule, given.score) if x is not None]
    for read in dict.fromkeys(x for expr in exprs for x in lookups(expr)):
        assert isinstance(read.base, Name), "rules look up tensors by name"
        word = read.base.id
        sizes = [SIZES.get(write(item), "None") for item in read.items]
        yield f'    fits(q, "{word}", {word}, ({", ".join(sizes)}{"," if len(sizes) == 1 else ""}))'
