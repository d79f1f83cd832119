"""Each kind of step to operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.components import COMPONENTS, Component
from archspec.components.base import Problem
from archspec.dims.parse import ExprSyntaxError, parse
from archspec.errors import Diagnostic, LoweringError, did_you_mean
from archspec.ir.builder import Handle
from archspec.ir.ops.elementwise import Arith
from archspec.ir.ops.elementwise import Scalar as ScalarOp
from archspec.ir.ops.shape import Concat
from archspec.lowering import blocks, loops
from archspec.lowering.faults import FAULTS, Broken, diagnose, text_span
from archspec.lowering.frame import Frame
from archspec.lowering.reading import number_of, read_arguments, read_tensor, value_of
from archspec.lowering.tensors import lower_expression
from archspec.spec.node import Mapping, Node, Scalar
from archspec.spec.read_steps import Reader
from archspec.spec.tree import (
    Body,
    Branch,
    CallAgain,
    Each,
    Group,
    Parallel,
    Push,
    Repeat,
    Residual,
    Step,
    Word,
)  # fmt: skip

Results = tuple[Handle, ...]


def lower_step(frame: Frame, step: Step) -> None:
    """One step: its results flow on and get its names; what fails is reported and makes no noise later."""
    low, span = frame.lowering, step.common.span
    frame.builder.span = span
    try:
        step = varied(frame, step)
        if not _wanted(frame, step):
            return
        check_name(frame, step)
        results: Results | None = HANDLERS[type(step)](frame, step)
    except Broken:
        results = None
    except LoweringError as error:
        low.found.extend(error)
        results = None
    except FAULTS as fault:
        low.found.extend(LoweringError(diagnose(fault, _place_of(fault, step), getattr(step, "args", None))))
        results = None
    except KeyError:
        low.found.add("L003", "no value flows here yet", span, "name one: 'in: input_ids'")
        results = None
    bind(frame, step, results)


def _place_of(fault: Exception, step: Step) -> Any:
    if isinstance(step, Word) and step.text and hasattr(fault, "at"):
        return text_span(step.word, fault.at, fault.end)  # type: ignore[attr-defined]  # checked
    return step.word.span if isinstance(step, Word) else step.common.span


def _wanted(frame: Frame, step: Step) -> bool:
    if step.common.when is None:
        return True
    try:
        value = value_of(frame, step.common.when)
    except FAULTS as fault:
        at = text_span(step.common.when, getattr(fault, "at", 0), getattr(fault, "end", 1))
        raise LoweringError(diagnose(fault, at)) from None
    if not isinstance(value, bool):
        raise LoweringError(
            Diagnostic(
                "S003", "'when' is not true or false", step.common.when.span, "compare it, as in 'n != 0'"
            )
        )
    return value


def names_of(step: Step) -> tuple[str, ...]:
    """The step's names; a word without one goes by itself."""
    return step.common.names or ((str(step.word.value),) if isinstance(step, Word) else ())


def check_name(frame: Frame, step: Step) -> None:
    if isinstance(step, CallAgain | Push | Residual | Parallel) and not step.common.names:
        return
    for name in names_of(step):
        taken = name in frame.steps if step.common.names else name in frame.builder.children
        if taken:
            hint = (
                "names are parameter paths: give each its own"
                if step.common.names
                else "name them: '- first: op'"
            )
            raise LoweringError(
                Diagnostic("S110", f"two steps are called '{name}' here", step.common.span, hint)
            )
        frame.steps[name] = step


def bind(frame: Frame, step: Step, results: Results | None) -> None:
    if isinstance(step, Push) or (isinstance(step, Word) and results == ()):
        return
    names = names_of(step)
    if results is not None and len(step.common.names) > 1 and len(results) != len(names):
        frame.lowering.found.add("L004", f"{len(names)} names for {len(results)} results", step.common.span)
        results = None
    for position, name in enumerate(names):
        frame.tensors[name] = results[position] if results else None
    if not isinstance(step, Branch):
        frame.flow(results[0] if results else None)


def varied(frame: Frame, step: Step) -> Step:
    """The step as this layer has it."""
    if not frame.vary:
        return step
    for name in names_of(step):
        if name in frame.vary:
            frame.used.add(name)
            again = Reader(frame.lowering.found).keyed(
                Scalar(name, name, step.common.span), frame.vary[name], step.common.span
            )
            step = again or step
        if isinstance(step, Word):
            args = {k: v for k, v in frame.vary.items() if k.startswith(f"{name}.") and k.count(".") == 1}
            for path, node in args.items():
                frame.used.add(path)
                step = _with_argument(step, path.split(".")[1], node)
    return step


def _with_argument(step: Word, key: str, node: Node) -> Word:
    entries = tuple(e for e in step.args.entries if e[0].value != key)
    args = Mapping((*entries, (Scalar(key, key, node.span), node)), step.args.span)
    return Word(step.common, step.word, args)


def _word(frame: Frame, step: Word) -> Results:
    text = str(step.word.value)
    if text in frame.lowering.spec.blocks and not (step.text and step.word.quoted):
        return _block(frame, step)
    if text in COMPONENTS:
        return component(frame, step, COMPONENTS[text])
    if step.text and not _is_misspelt(frame, step.word):
        return _expression(frame, step)
    options = (*COMPONENTS, *frame.lowering.spec.blocks)
    hint = did_you_mean(text, options) or "'archspec list --ops' shows all"
    raise LoweringError(Diagnostic("L001", f"there is no op or block '{text}'", step.word.span, hint))


def _is_misspelt(frame: Frame, word: Scalar) -> bool:
    """A bare word that names nothing in scope: meant as an op."""
    text = str(word.value)
    return text.isidentifier() and text != "_" and text not in frame.tensors and text not in frame.values


def _expression(frame: Frame, step: Word) -> Results:
    try:
        expr = parse(str(step.word.value))
    except ExprSyntaxError as fault:
        raise LoweringError(diagnose(fault, text_span(step.word, fault.at, fault.end))) from None
    result = lower_expression(frame, expr, step.common.names[0])
    items = result if isinstance(result, tuple) else (result,)
    handles = tuple(item for item in items if isinstance(item, Handle))
    if len(handles) != len(items) or not handles:
        raise Problem("L005", f"'{step.common.names[0]}' is no tensor", hint="name numbers under 'params'")
    return handles


def component(frame: Frame, step: Word, word: type[Component]) -> Results:
    """A packaged word: its arguments over the document's defaults for it."""
    args = with_defaults(frame, step)
    found = read_arguments(frame, word, args, step.word.span)
    inputs = () if word.source else (_input(frame, step.args),)
    return found.lower(frame.place(names_of(step)[0], anonymous=not step.common.names), *inputs)


def with_defaults(frame: Frame, step: Word) -> Mapping:
    defaults = frame.lowering.spec.section("defaults").get(str(step.word.value))
    if not isinstance(defaults, Mapping):
        return step.args
    kept = tuple(e for e in defaults.entries if step.args.get(str(e[0].value)) is None)
    return Mapping((*step.args.entries, *kept), step.args.span)


def _input(frame: Frame, args: Mapping) -> Handle:
    node = args.get("in")
    if node is None:
        return frame.running()
    try:
        return read_tensor(frame, node)
    except FAULTS as fault:
        at = text_span(node, getattr(fault, "at", 0), getattr(fault, "end", 1))
        raise LoweringError(diagnose(fault, at)) from None


def _block(frame: Frame, step: Word) -> Results:
    block = frame.lowering.spec.blocks[str(step.word.value)]
    name = names_of(step)[0]
    with frame.lowering.inside(block, step.word.span):
        builder = frame.builder.child(name, block.name)
        inner = blocks.open_block(frame, block, builder, step.args, step.word.span)
        inner.vary, inner.used = _below(frame, name), frame.used
        frame.lowering.body(inner, block.body)
        return frame.lowering.close(frame, builder, blocks.close_block(inner, block), name)


def _below(frame: Frame, name: str) -> dict[str, Node]:
    """The `vary` entries that reach into a step."""
    below = {k.removeprefix(f"{name}."): v for k, v in frame.vary.items() if k.startswith(f"{name}.")}
    frame.used |= {f"{name}.{k}" for k in below}
    return below


def _body_result(frame: Frame, body: Body, x: Handle | None) -> Handle:
    """A body in the same region: names are seen, the value that flows is given back as it was."""
    before, fresh = frame.x, frame.fresh
    if x is not None:
        frame.flow(x)
    frame.lowering.body(frame, body)
    out = frame.x
    frame.x, frame.fresh = before, fresh
    if out is None:
        raise Broken
    return out


def _residual(frame: Frame, step: Residual) -> Results:
    x = frame.running()
    skip = _body_result(frame, step.shortcut, x) if step.shortcut else x
    out = _body_result(frame, step.body, x)
    if step.scale is not None:
        out = frame.builder.apply(ScalarOp("mul", number_of(frame, step.scale)), out, name="scaled")
    name = step.common.names[0] if step.common.names else "x"
    if skip.type.rank != out.type.rank or any(
        a.value != b.value for a, b in zip(skip.type.shape, out.type.shape, strict=True)
    ):
        raise Problem(
            "T001",
            f"a residual adds {out.type} to {skip.type}",
            hint="give it a 'shortcut' that changes the shape",
        )
    frame.builder.span = step.common.span
    return (frame.builder.apply(Arith("add"), skip, out, name=name),)


def _parallel(frame: Frame, step: Parallel) -> Results:
    x, join = frame.running(), str(step.join.value) if step.join else "add"
    outs = [_body_result(frame, body, x) for body in step.branches]
    if join not in ("add", "mul", "concat") or not outs:
        span = step.join.span if step.join else step.common.span
        raise LoweringError(Diagnostic("S006", f"unknown join '{join}'", span, "one of: add, mul, concat"))
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
    inner.vary, inner.used = _below(frame, name), frame.used
    if step.args.get("in") is not None or not frame.fresh:
        inner.flow(builder.receive(_input(frame, step.args), "x"))
    frame.lowering.body(inner, step.body)
    return frame.lowering.close(frame, builder, frame.lowering.result(inner), name)


def _branch(frame: Frame, step: Branch) -> Results:
    x = _input(frame, step.args) if step.args.get("in") is not None or not frame.fresh else None
    return (_body_result(frame, step.body, x),)


def _push(frame: Frame, step: Push) -> Results:
    value = frame.running() if step.value is None else read_tensor(frame, step.value)
    frame.lowering.push(frame, step.stack, value)
    return ()


def _call(frame: Frame, step: CallAgain) -> Results:
    target = str(step.target.value)
    earlier = frame.steps.get(target)
    if not isinstance(earlier, Word) or target not in frame.builder.children:
        options = [name for name in frame.steps if name in frame.builder.children]
        raise LoweringError(
            Diagnostic(
                "L006",
                f"'{target}' is no module of this body to call again",
                step.target.span,
                did_you_mean(target, options) or f"modules here: {', '.join(options)}",
            )
        )
    entries = tuple(e for e in earlier.args.entries if e[0].value not in ("in", *step.args.keys()))
    again = Word(earlier.common, earlier.word, Mapping((*entries, *step.args.entries), step.args.span))
    return _word(frame, again)


HANDLERS: dict[type, Callable[[Frame, Any], Results]] = {
    Word: _word, Residual: _residual, Parallel: _parallel, Group: _group, Repeat: loops.repeat, Each: loops.each,
    Branch: _branch, Push: _push, CallAgain: _call,
}  # fmt: skip
