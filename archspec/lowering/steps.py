"""Each kind of step to operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.components.base import Problem
from archspec.dims import num as n
from archspec.errors import Diagnostic, LoweringError
from archspec.ir.builder import Builder, Handle
from archspec.ir.ops.elementwise import Arith
from archspec.ir.ops.elementwise import Scalar as ScalarOp
from archspec.ir.ops.shape import Concat
from archspec.lowering import loops
from archspec.lowering.experts import experts
from archspec.lowering.faults import Broken, located
from archspec.lowering.frame import Frame, Maybe, Pushed
from archspec.lowering.recur import recur
from archspec.lowering.values import number_of, read_tensor
from archspec.lowering.words import below, call_again, given, lower_word, names_of, vary_argument
from archspec.spec.node import Scalar
from archspec.spec.read_steps import Reader
from archspec.spec.stacks import stacks_of
from archspec.spec.tree import (
    Body,
    Branch,
    CallAgain,
    Each,
    Experts,
    Group,
    Parallel,
    Push,
    Recur,
    Repeat,
    Residual,
    Step,
    Unread,
    Word,
)

Results = tuple[Handle, ...]

_JOINS = ("add", "mul", "concat")


def lower_step(frame: Frame, step: Step) -> None:
    """One step: its results flow on and get its names; what fails is reported and makes no noise later."""
    frame.builder.span = step.common.span
    place = step.word.span if isinstance(step, Word) else step.common.span
    bind(frame, step, frame.attempt(place, lambda: _results(frame, step)))


def _results(frame: Frame, step: Step) -> Results:
    """What a step gives: nothing, where its condition leaves it out."""
    step = varied(frame, step)
    when = step.common.when
    there = when is None or frame.attempt(when.span, lambda: frame.lowering.holds(frame, when))
    if there is None or isinstance(step, Unread):
        frame.lowering.unsure |= stacks_of(step)
        raise Broken
    if not there and when is not None:
        frame.lowering.absent |= dict.fromkeys(names_of(step), when.text)
        return ()
    check_name(frame, step)
    return HANDLERS[type(step)](frame, step)


def check_name(frame: Frame, step: Step) -> None:
    if isinstance(step, CallAgain | Push | Residual | Parallel | Unread) and not step.common.names:
        return
    for name in names_of(step):
        taken = name in frame.steps if step.common.names else name in frame.builder.children
        if taken:
            first = frame.steps.get(name)
            line = f"; the first is on line {first.common.span.line}" if first else ""
            hint = "give each its own" if step.common.names else "name them: '- first: op'"
            message = f"two steps are called '{name}' here{line}"
            hint = f"names are parameter paths; {hint}"
            frame.lowering.found.add("S110", message, step.common.span, hint)
        frame.steps[name] = step


def bind(frame: Frame, step: Step, results: Results | None) -> None:
    if isinstance(step, Push) or results == ():
        return
    names = names_of(step)
    if results is not None and len(step.common.names) > 1 and len(results) != len(names):
        hint = "name as many as there are"
        message = f"{len(names)} names for {len(results)} results"
        frame.lowering.found.add("L004", message, step.common.span, hint)
        results = None
    for position, name in enumerate(names):
        frame.tensors[name] = results[position] if results else None
        if results is None:
            frame.lowering.broken.add((*_path(frame.builder), name))
    if not isinstance(step, Branch):
        frame.flow(results[0] if results else None)


def _path(builder: Builder | None) -> tuple[str, ...]:
    """The path of a region under construction, without the numbers of layers."""
    path: list[str] = []
    while builder is not None:
        path[:0] = [word for word in builder.name.split(".") if word and not word.isdigit()]
        builder = builder.parent
    return tuple(path)


def varied(frame: Frame, step: Step) -> Step:
    """The step as this layer has it."""
    if not frame.vary:
        return step
    for name in names_of(step):
        if name in frame.vary:
            frame.used.add(name)
            key = Scalar(name, name, step.common.span)
            step = Reader(frame.lowering.found).keyed(key, frame.vary[name][1], step.common.span)
        if isinstance(step, Word):
            args = {k: v for k, v in frame.vary.items() if k.startswith(f"{name}.") and k.count(".") == 1}
            for path, (span, node) in args.items():
                frame.used.add(path)
                word = path.split(".")[1]
                step = vary_argument(step, Scalar(word, word, span), node)
    return step


def _through(frame: Frame, body: Body, x: Maybe) -> Maybe:
    """A body in the same region: names are seen, the value that flows is given back as it was."""
    before, fresh = frame.x, frame.fresh
    frame.flow(x)
    frame.lowering.body(frame, body)
    out = frame.x
    frame.x, frame.fresh = before, fresh
    return out


def _residual(frame: Frame, step: Residual) -> Results:
    x = frame.flowing()
    skip = _through(frame, step.shortcut, x) if step.shortcut else x
    out = _through(frame, step.body, x)
    if out is None or skip is None:
        raise Broken
    if step.scale is not None:
        with located(step.scale, "scale"):
            scale = number_of(frame, step.scale)
        out = frame.builder.apply(ScalarOp("mul", scale), out, name="scaled")
    if len(skip.type.shape) != len(out.type.shape) or not all(map(n.same, skip.type.shape, out.type.shape)):
        hint = "give it a 'shortcut' that changes the shape"
        raise Problem("T001", f"a residual adds {out.type} to {skip.type}", hint=hint)
    frame.builder.span = step.common.span
    name = step.common.names[0] if step.common.names else "x"
    return (frame.builder.apply(Arith("add"), skip, out, name=name),)


def _parallel(frame: Frame, step: Parallel) -> Results:
    x, join = frame.flowing(), str(step.join.value) if step.join else "add"
    ends = [_through(frame, body, x) for body in step.branches]
    if step.join and join not in _JOINS:
        hint = f"one of: {', '.join(_JOINS)}"
        raise LoweringError(Diagnostic("S006", f"unknown join '{join}'", step.join.span, hint))
    outs = [out for out in ends if out is not None]
    if len(outs) != len(ends):
        raise Broken
    if join == "concat":
        return (frame.builder.apply(Concat(-1), *outs, name="joined"),)
    total = outs[0]
    for out in outs[1:]:
        total = frame.builder.apply(Arith(join), total, out, name="joined")
    return (total,)


def _group(frame: Frame, step: Group) -> Results:
    name = step.common.names[0]
    builder = frame.builder.child(name, name)
    inner = frame.child(builder)
    inner.vary, inner.used = below(frame, name), frame.used
    if step.args.get("in") is not None or not frame.fresh:
        x = frame.attempt(step.common.span, lambda: given(frame, step.args))
        inner.flow(builder.receive(x, "x") if x else None)
    frame.lowering.body(inner, step.body)
    return frame.lowering.close(frame, builder, frame.lowering.result(inner), name)


def _branch(frame: Frame, step: Branch) -> Results:
    if step.args.get("in") is None and frame.fresh:
        frame.lowering.body(frame, step.body)
        out, frame.x, frame.fresh = frame.x, None, True
    else:
        x = frame.attempt(step.common.span, lambda: given(frame, step.args))
        out = _through(frame, step.body, x)
    if out is None:
        raise Broken
    return (out,)


def _push(frame: Frame, step: Push) -> Results:
    value = frame.attempt(step.common.span, lambda: _pushed(frame, step))
    frame.lowering.push(frame, step.stack, Pushed(value, step.common.span))
    return ()


def _pushed(frame: Frame, step: Push) -> Handle:
    if step.value is None:
        return frame.running()
    with located(step.value):
        return read_tensor(frame, step.value)


HANDLERS: dict[type, Callable[[Frame, Any], Results]] = {
    Word: lower_word,
    Residual: _residual,
    Parallel: _parallel,
    Group: _group,
    Repeat: loops.repeat,
    Experts: experts,
    Each: loops.each,
    Recur: recur,
    Branch: _branch,
    Push: _push,
    CallAgain: call_again,
}
