"""State in ONNX: an input of what the step before left, and an output for the next."""

from __future__ import annotations

from archspec.backends.onnx.live import join
from archspec.backends.onnx.place import RULES, Args, Place, Result, operand
from archspec.backends.onnx.tensor import Grown, Tensor
from archspec.dims import num as n
from archspec.ir.ops.state import Append, Hold, Keep, Recall
from archspec.ir.scope import PAST


@RULES.rule(Append)
def _append(op: Append, args: Args, place: Place) -> Result:
    return [_grown(op, i, operand(args, i), place) for i in range(len(args))]


def _grown(op: Append, index: int, new: Tensor, place: Place) -> Tensor:
    path = join(place.region, op.state)
    before = place.states.before(path, index)
    if before is None:
        grown = Tensor(new.type, new.make, new.rows)
    else:
        past = before.value
        grown = Tensor(
            place.outputs[index],
            lambda: place.one("Concat", past, new.value, axis=op.axis),
            grown=Grown(path, index, past, new),
        )
    place.states.leave(path, index, grown)
    return grown


@RULES.rule(Hold)
def _hold(op: Hold, args: Args, place: Place) -> Result:
    """Where it is read, nothing that computes the operands was written: they are absent."""
    path = join(place.region, op.state)
    held: list[Tensor] = []
    for i in range(len(args)):
        before = place.states.before(path, i)
        held.append(before or operand(args, i))
        place.states.leave(path, i, held[-1])
    return held


@RULES.rule(Recall)
def _recall(op: Recall, args: Args, place: Place) -> Result:
    path, initial = join(place.region, op.state), operand(args)
    before = place.states.before(path, 0)
    if before is None:
        return initial
    if initial.fill is not None:
        place.states.starts[path] = initial.fill
        return before
    first = place.one("Equal", place.sizes.tensor(n.symbol(PAST)), place.tape.integers(0))
    return place.one("Where", first, initial.value, before.value)


@RULES.rule(Keep)
def _keep(op: Keep, args: Args, place: Place) -> Result:
    place.states.leave(join(place.region, op.state), 0, operand(args))
    return []
