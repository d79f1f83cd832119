"""Rotary positions. Attention and decoding state are written by the emitter, which knows the caches."""

from __future__ import annotations

from archspec.backends.torch.code import Code, Emission
from archspec.backends.torch.ops.rules import RULES, Args, operand, optional
from archspec.backends.torch.ops.write import numbers, option, runtime
from archspec.ir.ops.attention import Attention, Rope, RopeFrequencies, RopeTable
from archspec.ir.ops.state import Append, Hold, Keep, Recall

RULES.lowered(Attention, by="the emitter: the build chooses how attention is computed")
RULES.lowered(Append, by="the emitter: a method of the cache")
RULES.lowered(Hold, by="the emitter: a method of the cache")
RULES.lowered(Recall, by="the emitter: a method of the cache")
RULES.lowered(Keep, by="the emitter: a method of the cache")


@RULES.rule(RopeFrequencies)
def rope_frequencies(op: RopeFrequencies, args: Args, place: Emission) -> Code:
    number = numbers(place)
    return runtime(place, "rope", "rope_frequencies", number(op.dim), number(op.theta), place.device())


@RULES.rule(RopeTable)
def rope_table(op: RopeTable, args: Args, place: Emission) -> Code:
    scale = option(numbers(place), op.scale, 1)
    frequencies = optional(args, 1)
    if frequencies is None:
        return runtime(place, "rope", "rope_waves", operand(args), scale)
    return runtime(place, "rope", "rope_table", operand(args), frequencies, scale)


@RULES.rule(Rope)
def rope(op: Rope, args: Args, place: Emission) -> Code:
    x, cos, sin = operand(args), operand(args, 1), operand(args, 2)
    return runtime(place, "rope", f"apply_rope_{op.layout}", x, cos, sin)
