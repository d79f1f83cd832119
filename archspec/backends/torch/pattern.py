"""Which layer is of which kind, as tests of the layer's index: `i == 0`, `i < 3`, `i % 3 == 0`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import TypeAlias

MAX_KINDS, MAX_NAMED = 3, 4

Test: TypeAlias = tuple[int, str]
"""How far a test is from a plain rule, and its text."""
Chain: TypeAlias = tuple[int, list[tuple[str, str]]]
"""That of all tests, and each with what it is for; the last one is always passed."""


def one_of(texts: Sequence[str], last: str) -> str | None:
    """`a if i == 0 else b`, where layer i has `texts[i]`; None where the layers follow no simple rule.

    `last` is how the index of the last layer is written.
    """
    kinds = tuple(dict.fromkeys(texts))
    if not 2 <= len(kinds) <= MAX_KINDS:
        return None
    found = [chain for order in permutations(kinds) if (chain := _in_order(texts, order, last))]
    if not found:
        return None
    _, tests = min(found, key=lambda chain: chain[0])
    return " else ".join(f"{text} if {test}" if test else text for test, text in tests)


def _in_order(kinds: Sequence[str], order: Sequence[str], last: str) -> Chain | None:
    """The tests where kinds are told apart in this order."""
    left, out = list(range(len(kinds))), list[tuple[Test, str]]()
    for kind in order[:-1]:
        mine = [i for i in left if kinds[i] == kind]
        test = min(_tests(mine, left), default=None)
        if test is None:
            return None
        out.append((test, kind))
        left = [i for i in left if i not in mine]
    at_end = f"i == {len(kinds) - 1}"
    tests = [(f"i == {last}" if text == at_end else text, kind) for (_, text), kind in out]
    return sum(cost for (cost, _), _ in out), [*tests, ("", order[-1])]


def _tests(mine: list[int], left: list[int]) -> Iterator[Test]:
    """Tests that `mine` pass, and no others of `left`."""
    if mine == left[: len(mine)]:
        yield (0, f"i == {mine[0]}") if len(mine) == 1 else (1, f"i < {mine[-1] + 1}")
    if mine == left[-len(mine) :]:
        yield (0, f"i == {mine[0]}") if len(mine) == 1 else (2, f"i >= {mine[0]}")
    for period in range(2, len(left) // 2 + 1):
        if len(mine) > 1 and mine == [i for i in left if i % period == mine[0] % period]:
            yield 1, f"i % {period} == {mine[0] % period}"
    if len(mine) <= MAX_NAMED:
        yield 4, f"i == {mine[0]}" if len(mine) == 1 else f"i in ({', '.join(map(str, mine))})"
