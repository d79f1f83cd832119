"""Loops of machine code: which hold matrix instructions, and what touches local memory inside them.

Reads the listing of `cuobjdump --dump-sass` and LLVM's assembly for amdgcn. Standard library only: this
also runs in an environment that holds nothing but Triton.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

MATRIX = ("HGMMA", "HMMA", "UTCHMMA", "UTCMMA", "v_mfma")
LOCAL = ("LDL", "STL", "scratch_load", "scratch_store")
LEAVES = ("EXIT", "RET", "s_endpgm")  # what follows is not reached from there
JUMPS = ("BRA", "s_branch")
SASS = re.compile(r"/\*([0-9a-f]+)\*/\s+(@!?U?P\w+\s+)?([A-Z][^;]*);")
TARGET = re.compile(r"0x([0-9a-f]+)\s*$")
LABEL = re.compile(r"^(\.LBB\w+):")
AMD_JUMP = re.compile(r"^(s_c?branch\w*)\s+(\.LBB\w+)")


class Instruction(NamedTuple):
    """`at`: its place; `to`: where it may jump; `falls`: whether the next one may follow it."""

    at: int
    text: str
    to: int | None
    falls: bool


class Loop(NamedTuple):
    """An innermost loop with matrix instructions: counts of what stands in it."""

    instructions: int
    matrix: int
    local: int


def sass(listing: str) -> list[Instruction]:
    """The instructions of one kernel of `cuobjdump --dump-sass`."""
    return [_of_sass(int(at, 16), guard, text.strip()) for at, guard, text in SASS.findall(listing)]


def _of_sass(at: int, guard: str, text: str) -> Instruction:
    jumps = text.startswith(JUMPS) and (found := TARGET.search(text)) is not None
    always = not guard.strip() and not re.search(r"\bU?P\d", text)
    to = int(found[1], 16) if jumps and (found := TARGET.search(text)) else None
    return Instruction(at, text, to, not (always and text.startswith((*JUMPS, *LEAVES))))


def amdgcn(listing: str) -> list[Instruction]:
    """The instructions of LLVM's assembly, numbered."""
    lines = [line.strip() for line in listing.splitlines()]
    code = [x for x in lines if LABEL.match(x) or re.match(r"[a-z]+_\w", x)]
    places = {found[1]: at for at, x in enumerate(code) if (found := LABEL.match(x))}
    return [_of_amdgcn(at, x, places) for at, x in enumerate(code)]


def _of_amdgcn(at: int, text: str, places: dict[str, int]) -> Instruction:
    found = AMD_JUMP.match(text)
    return Instruction(
        at, text, places.get(found[2]) if found else None, not text.startswith((*JUMPS[1:], *LEAVES))
    )


def matrix_loops(code: Sequence[Instruction]) -> list[Loop]:
    """The innermost loops that hold matrix instructions."""
    blocks = _blocks(code)
    with_matrix = [loop for loop in _loops(blocks) if _count(blocks, loop, MATRIX)]
    inner = [x for x in with_matrix if not any(y < x for y in with_matrix)]
    return [
        Loop(sum(len(blocks[b].code) for b in x), *(_count(blocks, x, w) for w in (MATRIX, LOCAL)))
        for x in inner
    ]


class _Block(NamedTuple):
    code: list[Instruction]
    to: list[int]


def _blocks(code: Sequence[Instruction]) -> list[_Block]:
    """Runs of instructions without a jump into or out of their middle."""
    starts = {code[0].at, *(x.to for x in code if x.to is not None)} if code else set[int]()
    starts |= {after.at for x, after in pairwise(code) if x.to is not None or not x.falls}
    runs: list[list[Instruction]] = []
    for each in code:
        runs[len(runs) :] = [[]] if each.at in starts else []
        runs[-1].append(each)
    number = {run[0].at: i for i, run in enumerate(runs)}
    return [_Block(run, [*_next(run[-1], i, len(runs), number)]) for i, run in enumerate(runs)]


def _next(last: Instruction, i: int, many: int, number: dict[int, int]) -> Iterator[int]:
    if last.to in number:
        yield number[last.to]
    if last.falls and i + 1 < many:
        yield i + 1


def _loops(blocks: Sequence[_Block]) -> set[frozenset[int]]:
    """Natural loops: from a block back to one that every way to it goes through. Of one head: one loop."""
    before: list[list[int]] = [[] for _ in blocks]
    for i, block in enumerate(blocks):
        for to in block.to:
            before[to].append(i)
    over = _dominators(before)
    found: dict[int, frozenset[int]] = {}
    for i, block in enumerate(blocks):
        for head in block.to:
            if head in over[i]:
                found[head] = found.get(head, frozenset()) | _body(head, i, before)
    return set(found.values())


def _dominators(before: Sequence[Sequence[int]]) -> list[set[int]]:
    """For each block those that every way from the first one goes through; of unreachable ones, all."""
    everything = set(range(len(before)))
    over = [{0}, *(set(everything) for _ in before[1:])]
    changed = True
    while changed:
        changed = False
        for i, froms in enumerate(before):
            new = {i} | set[int].intersection(*(over[x] for x in froms)) if i and froms else over[i]
            changed |= new != over[i]
            over[i] = new
    return over


def _body(head: int, tail: int, before: Sequence[Sequence[int]]) -> frozenset[int]:
    body, todo = {head}, [tail]
    while todo:
        if (each := todo.pop()) not in body:
            body.add(each)
            todo += before[each]
    return frozenset(body)


def _count(blocks: Sequence[_Block], loop: Iterable[int], words: tuple[str, ...]) -> int:
    return sum(x.text.startswith(words) for b in loop for x in blocks[b].code)
