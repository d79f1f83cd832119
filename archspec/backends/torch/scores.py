"""Score rules as functions of emitted source."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archspec.backends.torch.dialect import Score
from archspec.backends.torch.layout import docstring, wrapped
from archspec.backends.torch.pair_functions import GRID, PairFunction, annotated, arguments, laid_out, spelt
from archspec.backends.torch.score_terms import ScoreTerms
from archspec.dims.expr import names, write
from archspec.errors import Span
from archspec.ir.graph import Value


def score_name(op: Score) -> str:
    """`slopes_places_bias`, after the tensors that the rule looks up."""
    return "_".join([*(op.operands or ["position"]), "bias"])


def score_function(name: str, op: Score, operands: Sequence[Value | None], span: Span | None) -> PairFunction:
    """The function that makes what is added to the scores.

    Raises `UnsupportedError` U003 for a rule that this backend cannot write.
    """
    given = {word: v for word, v in zip(op.operands, operands, strict=True) if v is not None}
    words = spelt((*op.operands, *(word for word, _ in op.names)))
    text = ScoreTerms(op, {word: v.type for word, v in given.items()}, words, span).rule().text
    read = re.findall(r"\w+", text)
    body = [*(line for place, line in GRID.items() if place in read), f"return {text}"]
    params = arguments(words, body)
    meant = {other: word for word, other in words.items()}
    shown = [annotated(word, meant.get(word), given, op) for word in params]
    doc = docstring([f"Added to the scores, {_shape(op)}: {write(op.rule)}."], 4)
    lines = (*wrapped(f"def {name}(", shown, ") -> Tensor:", 0), *doc)
    return PairFunction((*lines, *(part for line in body for part in laid_out(line))), params)


def _shape(op: Score) -> str:
    """`[H, Q, K]`: the axes that the rule looks at, from the first on."""
    read = {*names(op.rule)}
    axes = [place.upper() if place in read else "1" for place in GRID]
    first = next((i for i, axis in enumerate(axes[:2]) if axis != "1"), 2)
    return f"[{', '.join(axes[first:])}]"
