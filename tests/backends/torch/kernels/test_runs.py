"""The tiles that generated functions count are the plan's: each once, in its group, in Triton's numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from archspec.backends.torch.kernels.description import Description, Looked
from archspec.backends.torch.kernels.functions import functions
from archspec.backends.torch.kernels.runs import GROUPS, Run, count, group, ith
from archspec.dims.expr import names
from archspec.ir.tiles.concrete import Sizes, tiles
from archspec.ir.tiles.plan import TilePlan, Walk
from tests.backends.torch.kernels.truncating import Pointer, Whole, defined
from tests.ir.tiles.listed import FAMILIES, made
from tests.ir.tiles.test_tiles import NUMBERS, RULES, SIZES

AXES = {"t": 2, "s": 2, "doc": 2, "limit": 2, "pair": 3, "size": 1}


def described(plan: TilePlan) -> Description:
    """A description with the tensors and the numbers that the plan reads."""
    read = set(names(plan.rule))
    tensors = tuple(Looked(word, axes, "int") for word, axes in AXES.items() if word in read)
    return Description(plan, None, tensors, tuple((word, "int") for word, _ in plan.numbers if word in read))


def operands(given: Description, values: dict[str, int], head: int) -> tuple[Any, ...]:
    size = Pointer({head: values["size[h]"]})
    tensors = [x for t in given.tensors for x in (size if t.word == "size" else None, *(1 for _ in t.steps))]
    spelt = dict(given.plan.numbers)
    return (*tensors, *(Whole(values[spelt[word]]) for word, _ in given.numbers))


def grouped(plan: TilePlan, walk: Walk, sizes: Sizes, values: dict[str, int]) -> list[dict[str, list[int]]]:
    """The tiles of each group, for each tile of the own axis, by the plan."""
    out: list[dict[str, list[int]]] = []
    for row in tiles(plan, walk, sizes, values):
        found: dict[str, list[int]] = {each: [] for each in GROUPS}
        for run in row:
            own = group(plan, run.segment)
            for each in ("all", own, *(("certain",) if own != "picked" else ())):
                found[each] += range(run.begin, run.end)
        out.append(found)
    return out


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rule=RULES, sizes=SIZES, numbers=NUMBERS, head=st.integers(0, 1))
@example("k <= q and q // c == k // c", Sizes(4, 3, 20, 11, -9), dict.fromkeys("wgpacd", 3), 0)
def test_tiles_are_the_plans(rule: str, sizes: Sizes, numbers: dict[str, int], head: int) -> None:
    plan, values = made(rule, numbers, head)
    description = described(plan)
    scope = defined(functions(description))
    given = operands(description, values, head)
    whole = [Whole(x) for x in (sizes.M, sizes.N, sizes.Q, sizes.K, sizes.start, 0, head)]
    for walk, of, many in ((plan.queries, "key", "keys"), (plan.keys, "query", "queries")):
        for own, expected in enumerate(grouped(plan, walk, sizes, {**values, "b": 0})):
            runs = scope[f"{of}_tiles"](Whole(own), *whole, given)
            for each in GROUPS:
                total = scope[f"count_{each}_{many}"](runs)
                found = [int(scope[f"{each}_{many}"](Whole(i), runs)) for i in range(total)]
                assert found == expected[each], (each, many)
            if of == "key":
                last = -(-sizes.K // sizes.N)
                assert [n for n in range(last) if scope["reaches"](Whole(n), runs)] == expected["all"]


@pytest.mark.parametrize("rule", FAMILIES)
def test_a_tile_is_in_one_group(rule: str) -> None:
    plan, values = made(FAMILIES[rule], {"w": 9, "g": 4, "p": 7, "a": 2, "c": 6, "d": 3})
    for walk in (plan.queries, plan.keys):
        for found in grouped(plan, walk, Sizes(4, 3, 41, 41), {**values, "b": 0}):
            assert sorted(found["tested"] + found["whole"] + found["picked"]) == found["all"]


def test_no_runs() -> None:
    assert (count([]), ith([])) == ("0", "0")


def test_one_run_and_several() -> None:
    one = [Run("tested", "0", "end")]
    assert (count(one), ith(one)) == ("end", "i")
    two = [*one, Run("tested", "begin", "last")]
    assert count(two) == "end + (last - begin)"
    assert ith(two) == "tl.where(i < end, i, begin + i - (end))"


def test_only_data_says_which_tiles_count() -> None:
    """Of pairs of both, all may be left out; of padding, none; beside a window, those that data adds."""

    def groups(rule: str) -> list[str]:
        plan, _ = made(rule, {"w": 3, "c": 4})
        return list(dict.fromkeys(group(plan, x) for x in plan.queries.segments))

    assert groups("doc[b, q // c] == doc[b, k // c]") == ["picked"]
    assert groups("t[b, k]") == ["tested"]
    assert groups("abs(q - k) <= w or t[b, k]") == ["picked", "tested", "whole"]
