"""Steps that are a word: a component, a block, an expression, or a module called again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from archspec.components import COMPONENTS, Component
from archspec.components.base import Problem
from archspec.components.elsewhere import op_hint
from archspec.components.linear import Param
from archspec.dims.parse import parse
from archspec.errors import Diagnostic, LoweringError, did_you_mean
from archspec.ir.builder import Handle
from archspec.lowering import blocks
from archspec.lowering.calls import shown
from archspec.lowering.faults import FAULTS, Broken, diagnose, located
from archspec.lowering.frame import Frame, Maybe, Vary
from archspec.lowering.functions import FUNCTIONS
from archspec.lowering.reading import read_arguments
from archspec.lowering.tensors import lower_expression
from archspec.lowering.values import read_tensor
from archspec.spec.names import short
from archspec.spec.node import Mapping, Node, Scalar
from archspec.spec.stacks import bodies, popped
from archspec.spec.tree import SCOPES, Body, Branch, CallAgain, Parallel, Residual, Step, Word

Results = tuple[Handle, ...]


def names_of(step: Step) -> tuple[str, ...]:
    """The step's names; a word without one goes by itself."""
    return step.common.names or ((str(step.word.value),) if isinstance(step, Word) else ())


def parameters_in(body: Body) -> Iterator[str]:
    """The names of the parameters that a body's region is to own."""
    for step in body:
        if isinstance(step, Word) and COMPONENTS.get(str(step.word.value)) is Param:
            yield from names_of(step)
        elif isinstance(step, Residual | Parallel | Branch):
            for inner in bodies(step):
                yield from parameters_in(inner)


def lower_word(frame: Frame, step: Word) -> Results:
    text = str(step.word.value)
    if text in frame.lowering.spec.blocks and not (step.text and step.word.quoted):
        return _block(frame, step)
    if text in COMPONENTS:
        return _component(frame, step, COMPONENTS[text])
    is_name = text.isidentifier() and text != "_"
    if step.text and (not is_name or frame.knows(text)):
        return _expression(frame, step)
    frame.lowering.unsure |= set(popped(step.args))
    raise LoweringError(_unknown(frame, step))


def _unknown(frame: Frame, step: Word) -> Diagnostic:
    """What is wrong with a word that names nothing: itself, or the key that should have said what it is."""
    text = str(step.word.value)
    if frame.lowering.spec.section("blocks").key(text):
        raise Broken
    words = ("op", "body", *SCOPES)
    for key, _ in step.args.entries if not step.common.names else ():
        close = did_you_mean(str(key.value), words)
        if close:
            return Diagnostic(
                "S001", f"unknown key '{short(str(key.value))}' in step '{short(text)}'", key.span, close
            )
    message = f"there is no op or block '{short(text)}'"
    return Diagnostic("L001", message, step.word.span, _word_hint(frame, step, text))


def _word_hint(frame: Frame, step: Word, text: str) -> str:
    if step.args.key("block"):
        return "run a block with 'op: name', or several times with 'repeat: n'"
    if not text.isidentifier() and not step.common.names and not step.args.entries:
        return "an expression needs a name: '- y: \"…\"'"
    if text in FUNCTIONS:
        return f"it is a function of tensors: write '- y: \"{text}(_, …)\"'"
    tensors = tuple(frame.tensors) if step.text else ()
    options = (*COMPONENTS, *frame.lowering.spec.blocks, *tensors)
    named = f"say what '{short(text)}' is: '{{op: …}}'; 'archspec list --ops' shows the words"
    return op_hint(text, options) or (named if step.args.entries else "'archspec list --ops' shows the words")


def _expression(frame: Frame, step: Word) -> Results:
    name = step.common.names[0]
    with located(step.word):
        result = lower_expression(frame, parse(str(step.word.value)), *step.common.names)
        items = result if isinstance(result, tuple) else (result,)
        handles = tuple(item for item in items if isinstance(item, Handle))
        if len(handles) != len(items) or not handles:
            raise Problem(
                "L005", f"'{name}' is {shown(result)}, not a tensor", hint="name numbers under 'params'"
            )
    return handles


def _component(frame: Frame, step: Word, word: type[Component]) -> Results:
    """A packaged word: its arguments over the document's defaults for it."""
    args, span = with_defaults(frame, step), step.word.span
    found = frame.attempt(span, lambda: read_arguments(frame, word, args, span))
    x = None if word.source else frame.attempt(span, lambda: given(frame, step.args))
    if found is None or (x is None and not word.source):
        raise Broken
    place = frame.place(names_of(step)[0], anonymous=not step.common.names)
    try:
        return found.lower(place, *(() if x is None else (x,)))
    except FAULTS as fault:
        finding = diagnose(fault, span, args)
        hint = _run_time_hint(frame, finding.message) or finding.hint
        raise LoweringError(replace(finding, hint=hint)) from None


def _run_time_hint(frame: Frame, message: str) -> str | None:
    """What to look at where a size of an input was probably meant as a param."""
    for dim in frame.lowering.dims:
        close = did_you_mean(dim, frame.lowering.settings.nodes)
        if close and re.search(rf"\b{dim}\b", message):
            return f"'{dim}' is a size of an input, known only when the model runs; {close}"
    return None


def with_defaults(frame: Frame, step: Word) -> Mapping:
    defaults = frame.lowering.spec.section("defaults").get(str(step.word.value))
    if frame.closed or not isinstance(defaults, Mapping):
        return step.args
    kept = tuple(e for e in defaults.entries if step.args.get(str(e[0].value)) is None)
    return Mapping((*step.args.entries, *kept), step.args.span)


def given(frame: Frame, args: Mapping) -> Maybe:
    """The value a step takes: the one it names, or the one that flows. None where that failed."""
    node = args.get("in")
    if node is None:
        return frame.flowing()
    with located(node):
        return read_tensor(frame, node)


def _block(frame: Frame, step: Word) -> Results:
    block = frame.lowering.spec.blocks[str(step.word.value)]
    name = names_of(step)[0]
    with frame.lowering.inside(block, step.word.span):
        builder = frame.builder.child(name, block.name)
        inner = blocks.open_block(frame, block, builder, step.args, step.word.span)
        inner.vary, inner.used = below(frame, name), frame.used
        frame.lowering.body(inner, block.body)
        return frame.lowering.close(frame, builder, blocks.close_block(inner, block), name)


def below(frame: Frame, name: str) -> Vary:
    """The `vary` entries that reach into a step."""
    inside = {k.removeprefix(f"{name}."): v for k, v in frame.vary.items() if k.startswith(f"{name}.")}
    frame.used |= {f"{name}.{k}" for k in inside}
    return inside


def call_again(frame: Frame, step: CallAgain) -> Results:
    """A module of this body once more: its arguments stand, but for those the call gives."""
    target = str(step.target.value)
    earlier = frame.steps.get(target)
    if target in frame.tensors and frame.tensors[target] is None:
        raise Broken
    if not isinstance(earlier, Word) or target not in frame.builder.children:
        options = [name for name in frame.steps if name in frame.builder.children]
        hint = did_you_mean(target, options) or f"modules here: {', '.join(options) or 'none'}"
        message = f"'{target}' is no module of this body to call again"
        raise LoweringError(Diagnostic("L006", message, step.target.span, hint))
    entries = tuple(e for e in earlier.args.entries if e[0].value not in ("in", *step.args.keys()))
    again = Word(earlier.common, earlier.word, Mapping((*entries, *step.args.entries), step.args.span))
    return lower_word(frame, again)


def vary_argument(step: Word, key: Scalar, node: Node) -> Word:
    """The step with one argument of this layer; `op` is what it does with the others."""
    if key.value == "op" and isinstance(node, Scalar):
        return Word(step.common, node, step.args)
    entries = tuple(e for e in step.args.entries if e[0].value != key.value)
    args = Mapping((*entries, (key, node)), step.args.span)
    return Word(step.common, step.word, args)
