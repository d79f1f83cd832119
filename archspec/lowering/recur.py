"""`recur`: a body at each position of an axis, going on from what the position before left."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from archspec.components.base import Problem
from archspec.components.carry import keep, recall
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.errors import Diagnostic, LoweringError, did_you_mean
from archspec.ir.along import Along, at_position
from archspec.ir.builder import Builder, Handle, Results
from archspec.ir.types import TensorType, axis_of, whole
from archspec.ir.verify_along import keeps_state
from archspec.lowering.faults import Broken, located
from archspec.lowering.frame import Frame, Maybe
from archspec.lowering.loops import start_of
from archspec.lowering.values import number_of, read_tensor
from archspec.lowering.words import below
from archspec.spec.node import Node, Scalar
from archspec.spec.stacks import stacks_of
from archspec.spec.tree import Recur

_HINT = "what runs over a stream, or is kept, stands before 'recur' or behind it"
_MAX_RANK = 99
Named = dict[str, Maybe]


class _Given(Struct, frozen=True):
    """What a step runs over along `axis`, and starts from. `seen`: what flows in, if anything does."""

    axis: int
    seen: tuple[Handle, ...]
    over: dict[str, Handle]
    starts: dict[str, Handle]

    @property
    def cut(self) -> list[Handle]:
        return [*self.seen, *self.over.values()]


def recur(frame: Frame, step: Recur) -> Results:
    """What the body gives at each position, stacked along the axis; then what is carried, as it was last.

    Where the axis streams, decoding goes on from what is carried.
    """
    _check_stacks(frame, step)
    given = _given(frame, step)
    if given is None:
        _judge(frame, step)
        raise Broken
    at, size = frame.place(step.common.names[0]), given.cut[0].type.shape[given.axis]
    if not at.streams(size):
        return _run(frame, step, given)
    states = {name: recall(at, start, name) for name, start in given.starts.items()}
    before = {name: handle for name, (_, handle) in states.items()}
    joined, *last = _run(frame, step, replace(given, starts=before))
    for (state, _), handle in zip(states.values(), last, strict=True):
        keep(at, state, handle, size)
    return (joined, *last)


def _given(frame: Frame, step: Recur) -> _Given | None:
    """None where something of it failed, the reason reported."""
    flows = not frame.fresh or step.args.get("in") is not None
    seen = (frame.attempt(step.common.span, lambda: start_of(frame, step.args)),) if flows else ()
    starts, over = _read(frame, step.carried), _read(frame, step.over)
    if None in (*seen, *starts.values(), *over.values()):
        return None
    there = tuple(x for x in seen if x), _there(over), _there(starts)
    axis = frame.attempt(step.common.span, lambda: _axis(frame, step, [*there[0], *there[1].values()]))
    return None if axis is None else _Given(axis, *there)


def _there(found: Named) -> dict[str, Handle]:
    return {name: handle for name, handle in found.items() if handle is not None}


def _run(frame: Frame, step: Recur, given: _Given) -> Results:
    """The body in a region of its own, and its call.

    Raises `LoweringError` L072, `Problem` L074, `Broken`.
    """
    name = step.common.names[0]
    builder = frame.builder.child(name, name)
    inner = frame.child(builder)
    inner.vary, inner.used = below(frame, name), frame.used
    before = {word: builder.receive(x, word, carried=True) for word, x in given.starts.items()}
    inner.tensors |= before
    _cut(inner, given)
    frame.lowering.body(inner, step.body)
    after = tuple(_next(inner, key, before[str(key.value)]) for key, _ in step.carried)
    results = (*after, *frame.lowering.result(inner))
    if keeps_state(builder.region(results)):
        raise Problem("L074", "what runs at each position cannot keep state of its own", hint=_HINT)
    frame.builder.span = step.common.span
    along = Along(given.axis, len(before), len(given.cut))
    *last, joined = frame.builder.finish(builder, results, label=[*before, name], along=along)
    return (joined, *last)


def _read(frame: Frame, entries: tuple[tuple[Scalar, Node], ...]) -> Named:
    """Tensors by name; None for what failed, the reason reported."""

    def read(name: str, node: Node) -> Handle:
        with located(node):
            return read_tensor(frame, node, name)

    named = ((str(key.value), node) for key, node in entries)
    return {name: frame.attempt(node.span, lambda a=name, b=node: read(a, b)) for name, node in named}


def _axis(frame: Frame, step: Recur, cut: list[Handle]) -> int:
    """The axis that the positions stand along, the same for all that is cut.

    Raises `Problem` L073, `LoweringError`.
    """
    if not cut:
        hint = "name what it runs over: 'in: x', or 'over: {k: keys}'"
        raise Problem("L073", "nothing flows here to run over, and 'over' is not given", hint=hint)
    axis = _wanted(frame, step, cut[0].type)
    nodes = [node for _, node in step.over]
    for other, node in zip(reversed(cut), reversed(nodes), strict=False):
        with located(node):
            _check_length(other.type, cut[0].type, axis)
    return axis


def _wanted(frame: Frame, step: Recur, type_: TensorType) -> int:
    if step.axis is None:
        return axis_of(type_, 1)
    with located(step.axis, "axis"):
        return axis_of(type_, _static(number_of(frame, step.axis)))


def _static(axis: Num) -> int:
    if not axis.static:
        raise Problem("S003", f"{axis} is known only when the model runs", hint="write a number, or a param")
    return whole(axis, "the axis", -_MAX_RANK)


def _check_length(other: TensorType, first: TensorType, axis: int) -> None:
    if other.rank <= axis or not n.same(other.shape[axis], first.shape[axis]):
        message = f"{other} has not the length of {first} along axis {axis}"
        hint = "what is the same at each position is named in the body, and not under 'over'"
        raise Problem("L073", message, hint=hint)


def _cut(inner: Frame, given: _Given) -> None:
    """The elements that a run sees. What flows in has no other meaning in the body than its element."""
    inner.x, inner.fresh = None, not given.seen
    for x in given.seen:
        inner.x = _element(inner.builder, x, "x", given.axis)
        inner.tensors |= {name: inner.x for name, handle in inner.tensors.items() if handle is x}
    for name, handle in given.over.items():
        inner.tensors[name] = _element(inner.builder, handle, name, given.axis)


def _element(builder: Builder, x: Handle, name: str, axis: int) -> Handle:
    return builder.receive(x, name, at_position(x.type, axis), carried=True)


def _next(inner: Frame, key: Scalar, before: Handle) -> Handle:
    """What the name of a carried value stands for behind the body."""
    name = str(key.value)
    after = inner.tensors[name]
    if after is None:
        raise Broken
    if after is before:
        made = [step for step in inner.steps if inner.tensors.get(step)]
        hint = did_you_mean(name, made) or f"call the step that makes it '{name}'"
        raise LoweringError(Diagnostic("L072", f"no step makes the next '{name}'", key.span, hint))
    if not _alike(after.type, before.type):
        message = f"'{name}' starts as {before.type}, but goes on as {after.type}"
        hint = "start it with the dtype and the shape that it keeps"
        raise LoweringError(Diagnostic("L072", message, key.span, hint))
    return after


def _alike(a: TensorType, b: TensorType) -> bool:
    return a.dtype == b.dtype and a.rank == b.rank and all(map(n.same, a.shape, b.shape))


def _check_stacks(frame: Frame, step: Recur) -> None:
    """Raises `Problem` L074 where a body that runs many times would push or pop."""
    moved = stacks_of(step)
    frame.lowering.unsure |= moved
    if moved:
        raise Problem("L074", "what runs at each position cannot push or pop", hint=_HINT)


def _judge(frame: Frame, step: Recur) -> None:
    """A body that cannot be run, for its findings alone."""
    inner = frame.child(frame.builder.child(step.common.names[0], step.common.names[0]))
    inner.tensors |= {str(key.value): None for key, _ in (*step.carried, *step.over)}
    inner.flow(None)
    frame.lowering.body(inner, step.body)
