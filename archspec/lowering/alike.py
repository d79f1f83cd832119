"""Which layers of a loop are one: those whose block is told the same, however that reads the index."""

from __future__ import annotations

import re
from collections.abc import Hashable

from archspec.dims import num as n
from archspec.errors import LoweringError
from archspec.lowering.blocks import kind_and_default
from archspec.lowering.faults import FAULTS, Broken
from archspec.lowering.frame import Frame, LoopIndex
from archspec.lowering.values import value_of
from archspec.spec.node import Node, plain
from archspec.spec.spec import BlockDef
from archspec.spec.tree import Repeat

_EVALUATED = ("int", "float", "bool", "list")


def told(frame: Frame, step: Repeat, i: int) -> Hashable:
    """What layer `i` has of its own: the values of its block's arguments, or the index where more reads it.

    A body in place reads the index wherever it likes, and how weights start may read it too.
    """
    block = frame.lowering.spec.blocks.get(str(step.block.value)) if step.block else None
    if block is None:
        return i
    scope = frame.child(frame.builder)
    scope.index = LoopIndex(n.named("i", i))
    given = [(_is_evaluated(block, str(key.value)), node) for key, node in step.args.entries]
    if any(_mentions_index(node) for evaluated, node in given if not evaluated):
        return i
    try:
        return tuple(value_of(scope, node) for evaluated, node in given if evaluated)
    except (*FAULTS, LoweringError, Broken):  # reported where the layer is lowered
        return i


def _is_evaluated(block: BlockDef, name: str) -> bool:
    declared = block.args.get(name) if block.args else None
    return declared is not None and kind_and_default(declared)[0] in _EVALUATED


def _mentions_index(node: Node) -> bool:
    return re.search(r"\bi\b", repr(plain(node))) is not None
