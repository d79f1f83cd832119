"""Attention and rotary positions."""

from __future__ import annotations

from archspec.backends.onnx.attend import attend
from archspec.backends.onnx.place import RULES, Args, Place, Result, operand, optional
from archspec.backends.onnx.rotary import plain_rotary, rotary
from archspec.ir.ops.attention import Attention, Rope, RopeFrequencies, RopeTable


@RULES.rule(Attention)
def _attention(op: Attention, args: Args, place: Place) -> Result:
    return attend(op, args, place)


@RULES.rule(RopeFrequencies)
def _frequencies(op: RopeFrequencies, args: Args, place: Place) -> Result:
    width = int(op.dim)
    powers = [op.theta.real ** (-2 * i / width) for i in range(width // 2)]
    return place.floats(powers)


@RULES.rule(RopeTable)
def _table(op: RopeTable, args: Args, place: Place) -> Result:
    positions, frequencies = operand(args), optional(args, 1)
    angles = place.cast(positions.value, positions.type.dtype, "float32")
    if frequencies is not None:
        spread = place.one("Unsqueeze", angles, place.tape.integers(-1))
        angles = place.one("Mul", spread, place.read(frequencies, "float32"))
    waves = [place.one(kind, angles) for kind in ("Cos", "Sin")]
    if op.scale.value == 1:
        return waves
    return [place.one("Mul", wave, place.number(op.scale, "float32")) for wave in waves]


@RULES.rule(Rope)
def _rope(op: Rope, args: Args, place: Place) -> Result:
    x, cos, sin = (operand(args, i) for i in range(3))
    turn = rotary if place.profile.has("RotaryEmbedding") else plain_rotary
    return turn(op, x, cos, sin, place)
