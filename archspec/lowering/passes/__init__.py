"""Rewrites of a lowered graph, in order; each states what it leaves true."""

from __future__ import annotations

from collections.abc import Callable

from archspec.ir.graph import Graph
from archspec.lowering.passes.fold import fold
from archspec.lowering.passes.hold import hold_static
from archspec.lowering.passes.trim import trim

PASSES: tuple[Callable[[Graph], Graph], ...] = (fold, trim, hold_static)
__all__ = ["PASSES"]
