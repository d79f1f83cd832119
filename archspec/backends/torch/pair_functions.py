"""Functions of emitted source that say something for each pair of a query and a key: their common parts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from archspec.backends.torch.dialect import Mask, Score
from archspec.backends.torch.layout import commented, statement
from archspec.ir.graph import Value
from archspec.ir.score import PLACES

GRID = {
    "b": commented("b = torch.arange(batch, device=device)[:, None, None, None]", "[B, 1, 1, 1]"),
    "h": commented("h = torch.arange(heads, device=device)[:, None, None]", "[H, 1, 1]"),
    "q": commented("q = torch.arange(start, start + queries, device=device)[:, None]", "[Q, 1]"),
    "k": commented("k = torch.arange(keys, device=device)", "[K]"),
}
SIZES = ("start", "batch", "heads", "queries", "keys")

# What such a function means something by: its variables, and what it calls.
LOCALS = frozenset(
    {*PLACES, *SIZES, "mask", "device", "torch", "abs", "min", "max", "windows", "there", "at", "chosen"}
    | {"visible", "seen", "rows", "parts", "score", "changed", "len", "create_block_mask"}
)


class PairFunction(Struct, frozen=True):
    """A function's text and the arguments that a call hands it, by the words of the rule."""

    lines: tuple[str, ...]
    arguments: tuple[str, ...]


def spelt(words: Sequence[str]) -> dict[str, str]:
    """What the function calls its operands and numbers: themselves, but for its own variables' names."""
    out: dict[str, str] = {}
    for word in words:
        other = (word + "_" * i for i in range(1, 99))
        out[word] = next(x for x in other if x not in words) if word in LOCALS else word
    return out


def arguments(words: Mapping[str, str], body: Sequence[str]) -> tuple[str, ...]:
    """The function's parameters, as it calls them."""
    read = set(re.findall(r"\w+", "\n".join(body)))
    sizes = [word for word in SIZES if word in read]
    return (*sizes, *words.values(), *(["device"] if "device" in read else []))


def annotated(word: str, meant: str | None, given: Mapping[str, Value], op: Mask | Score) -> str:
    """A parameter; `meant`: the operand or number of the rule that it is."""
    operand = given.get(meant or "")
    if operand is not None:
        return f"{word}: Tensor | None" if operand.optional else f"{word}: Tensor"
    if meant is None and word == "device":
        return "device: torch.device"
    number = dict(op.names).get(meant or "")
    kind = "float" if number is not None and isinstance(number.value, float) else "int"
    return f"{word}: {kind}"


def laid_out(line: str) -> list[str]:
    """A line of a function's body, on as many lines as it needs."""
    found = re.fullmatch(r"( *)(return |mask = |seen = |parts = )?(.*)", line)
    assert found is not None, "any line fits"
    return statement(found[2] or "", found[3], 4 + len(found[1])) if found[2] else [f"    {line}"]
