"""The end of a model: outputs, defaults of inputs, losses and ties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.components.loss import LOSSES
from archspec.errors import Span, did_you_mean
from archspec.ir.builder import Builder, Handle
from archspec.ir.graph import Graph, Loss, Param, Region, Value, parameter, parameters, walk
from archspec.ir.ops.shape import Reshape
from archspec.ir.types import TensorType, is_float
from archspec.lowering import steps
from archspec.lowering.faults import located
from archspec.lowering.frame import Frame, Maybe
from archspec.lowering.values import read_tensor
from archspec.spec.limits import stop_if_many
from archspec.spec.names import short
from archspec.spec.node import Mapping, Node, Scalar, kind
from archspec.spec.tree import Common, Word

if TYPE_CHECKING:
    from archspec.lowering.lower import Lowering

MAX_TENSORS = 200_000
Names = dict[str, Maybe]
Inputs = dict[str, tuple[Maybe, Node | None]]


def close(low: Lowering, frame: Frame, inputs: Inputs) -> Graph:
    """The graph; where there were findings, what is left of it."""
    outputs = _outputs(low, frame)
    defaults = _defaults(low, frame, inputs)
    given = {name: handle for name, handle in outputs.items() if handle is not None}
    root = frame.builder.region(list(given.values()))
    graph = Graph(
        name=low.spec.name,
        summary=low.spec.text("summary"),
        source=low.spec.text("source"),
        dims=tuple(low.dims),
        stream=low.stream,
        root=root,
        defaults=defaults,
        outputs=tuple((name, handle.value) for name, handle in given.items()),
        losses=_losses(low, frame, {name: handle for name, (handle, _) in inputs.items()}, outputs),
        ties=(),
    )
    _check_size(low, graph)
    return replace(graph, ties=_ties(low, frame, graph))


def _there(low: Lowering, frame: Frame, node: Node) -> bool | None:
    """Whether a part exists; None where its condition failed."""
    return frame.attempt(node.span, lambda: low.exists(frame, node))


def _outputs(low: Lowering, frame: Frame) -> Names:
    out: Names = {}
    for key, node in low.spec.section("outputs").entries:
        stop_if_many(low.found)
        there = _there(low, frame, node)
        of = node.get("of") if isinstance(node, Mapping) else node
        if there is not False:
            is_text = there and isinstance(of, Scalar) and isinstance(of.value, str)
            out[str(key.value)] = tensor_of(frame, of) if is_text and of else None
    return out


def tensor_of(frame: Frame, node: Node) -> Maybe:
    def read() -> Handle:
        with located(node):
            return read_tensor(frame, node)

    return frame.attempt(node.span, read)


def stand_ins(frame: Frame, builder: Builder, names: Names, *, optional: bool = False) -> Frame:
    """A scope beside the model, in which inputs and outputs are what a region is given."""
    inner = Frame(frame.lowering, builder, dict(frame.values), {}, {})
    for name, handle in names.items():
        absent = optional and handle is not None and handle.value.optional
        inner.tensors[name] = builder.input(name, handle.type, absent) if handle else None
    return inner


def _defaults(low: Lowering, frame: Frame, inputs: Inputs) -> Region | None:
    """The region that computes inputs which the caller leaves out."""
    missing = {name: default for name, (_, default) in inputs.items() if default is not None}
    if not missing:
        return None
    builder = Builder("defaults", "defaults")
    given = {name: handle for name, (handle, _) in inputs.items() if name not in missing}
    inner = stand_ins(frame, builder, given, optional=True)
    outputs: list[Handle] = []
    for name, node in missing.items():
        handle, declared = tensor_of(inner, node), inputs[name][0]
        inner.tensors[name] = None
        if handle and declared and agrees(low, name, declared.type, handle.type, node):
            outputs.append(_named(builder, handle, name))
            inner.tensors[name] = outputs[-1]
    return trimmed(builder.region(outputs))


def agrees(low: Lowering, name: str, declared: TensorType, given: TensorType, node: Node) -> bool:
    if given != declared:
        message, hint = (
            f"'{name}' is declared {declared}, but gets {given}",
            "'cast' and 'expand' change a type",
        )
        low.found.add("L010", message, node.span, hint)
    return given == declared


def _named(builder: Builder, handle: Handle, name: str) -> Handle:
    """The handle under exactly this name: its producing node's result is renamed; an input is passed on."""
    if handle.value in builder.inputs:
        handle = builder.apply(Reshape(handle.type.shape), handle)
    made = {v.name for node in builder.nodes for v in node.outputs} - {handle.value.name}
    names = {handle.value.name: name} | ({name: builder.unique(name)} if name in made else {})

    def renamed(v: Value) -> Value:
        return replace(v, name=names.get(v.name, v.name))

    builder.nodes[:] = [
        replace(
            node,
            inputs=tuple(v and renamed(v) for v in node.inputs),
            outputs=tuple(renamed(v) for v in node.outputs),
        )
        for node in builder.nodes
    ]
    return Handle(renamed(handle.value), builder)


def trimmed(region: Region) -> Region:
    used = {v.name for node in region.nodes for v in node.inputs if v is not None}
    used |= {o.name for o in region.outputs}
    return replace(region, inputs=tuple(v for v in region.inputs if v.name in used))


def _losses(low: Lowering, frame: Frame, inputs: Names, outputs: Names) -> tuple[Loss, ...]:
    written = ((str(key.value), _as_mapping(node)) for key, node in low.spec.section("losses").entries)
    found = (
        _loss(frame, name, node.without("when"), inputs, outputs)
        for name, node in written
        if node is not None and _there(low, frame, node)
    )
    return tuple(loss for loss in found if loss is not None)


def _as_mapping(node: Node) -> Mapping | None:
    """A loss that is an expression as `{of: expression}`."""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return Mapping(((Scalar("of", "of", node.span), node),), node.span)
    return node if isinstance(node, Mapping) else None


def _loss(frame: Frame, name: str, node: Mapping, inputs: Names, outputs: Names) -> Loss | None:
    stop_if_many(frame.lowering.found)
    feed = _feed(frame.lowering, frame, node.get("feed"), inputs)
    builder = Builder(name, "loss")
    inner = stand_ins(frame, builder, inputs | outputs)
    value = _objective(inner, name, node.without("feed"))
    return value and Loss(name, trimmed(builder.region([value])), feed)


def _objective(inner: Frame, name: str, node: Mapping) -> Maybe:
    """The scalar to minimise: of a word, or of an expression."""
    low, of = inner.lowering, node.get("of")
    if of is None:
        word = _loss_word(low, node)
        if word is not None:
            steps.lower_step(inner, Word(Common((name,), node.span), word, node.without("op")))
        return inner.x
    for key, _ in node.without("of").entries:
        low.found.add("S001", f"unknown key '{short(str(key.value))}' of a loss", key.span, "of, feed, when")
    value = tensor_of(inner, of)
    if value and (value.type.rank or not is_float(value.type.dtype)):
        message = f"a loss is one number, not {value.type}"
        low.found.add("L012", message, of.span, "'mean' and 'sum' make one of many")
    return value


def _loss_word(low: Lowering, node: Mapping) -> Scalar | None:
    word = node.get("op")
    listed = f"one of: {', '.join(LOSSES)}"
    if word is None:
        head = Span(node.span.source, node.span.line, node.span.column, node.span.line, node.span.column + 1)
        low.found.add("S002", "key 'op' is missing", head, listed)
    elif not isinstance(word, Scalar) or word.value not in LOSSES:
        text = str(word.value) if isinstance(word, Scalar) else kind(word)
        low.found.add(
            "L001", f"there is no loss '{short(text)}'", word.span, did_you_mean(text, LOSSES) or listed
        )
    else:
        return word
    return None


def _feed(low: Lowering, frame: Frame, node: Node | None, given: Names) -> Region | None:
    """What a loss hands the model instead of the caller's input."""
    if node is None:
        return None
    if not isinstance(node, Mapping):
        hint = "write 'feed: {input: expression}'"
        low.found.add("S003", f"'feed': expected a mapping, found {kind(node)}", node.span, hint)
        return None
    builder = Builder("feed", "feed")
    inner = stand_ins(frame, builder, {k: v for k, v in given.items() if node.key(k) is None})
    outputs: list[Handle] = []
    for key, value in node.entries:
        stop_if_many(low.found)
        name = str(key.value)
        if name not in given:
            hint = did_you_mean(name, given) or f"inputs: {', '.join(given)}"
            low.found.add("L009", f"the model has no input '{short(name)}'", key.span, hint)
            continue
        handle, declared = tensor_of(inner, value), given[name]
        if handle and declared and agrees(low, name, declared.type, handle.type, value):
            outputs.append(_named(builder, handle, name))
    return trimmed(builder.region(outputs))


def _check_size(low: Lowering, graph: Graph) -> None:
    """Refuses a model with more tensors than anyone stores: nested repeats multiply."""
    count = sum(len(region.params) * times for _, region, times in walk(graph.root))
    key = low.spec.node.key("model")
    if count > MAX_TENSORS and key:
        message = f"the model has {count:,} parameters of its own, more than {MAX_TENSORS:,}"
        low.found.add("L032", message, key.span, "look at the counts of nested 'repeat'")
        low.found.raise_if_any()


def _ties(low: Lowering, frame: Frame, graph: Graph) -> tuple[tuple[str, str], ...]:
    out: dict[str, str] = {}
    for key, node in low.spec.section("tie").entries:
        stop_if_many(low.found)
        target = node.get("to") if isinstance(node, Mapping) else node
        if not isinstance(target, Scalar) or not _there(low, frame, node):
            continue
        alias, owner = str(key.value), str(target.value)
        a, b = _param(low, graph, alias, key.span), _param(low, graph, owner, target.span)
        spans = key.span, target.span
        if a and b and _tie_fits(low.found.add, (alias, owner), (a.value.type, b.value.type), spans, out):
            out[alias] = owner
    return tuple(out.items())


def _param(low: Lowering, graph: Graph, path: str, span: Span) -> Param | None:
    """The parameter; a missing one is not reported again where the step that owns it failed."""
    words = [word for word in path.split(".") if not word.isdigit()]
    failed = not low.whole or any(words[: len(broken)] == list(broken) for broken in low.broken)
    param = parameter(graph, path)
    if param is None and not failed:
        known = [name for name, _ in parameters(graph)]
        below = [name for name in known if name.startswith(f"{path}.")]
        listed = "write its path: the names of steps, and 'weight' or 'bias'"
        hint = f"it has: {', '.join(below[:8])}" if below else did_you_mean(path, known) or listed
        low.found.add("L050", f"there is no parameter '{short(path)}' to tie", span, hint)
    return param


def _tie_fits(
    report: Callable[[str, str, Span, str], None],
    names: tuple[str, str],
    types: tuple[TensorType, TensorType],
    spans: tuple[Span, Span],
    ties: dict[str, str],
) -> bool:
    alias, owner = names
    a, b = types
    if alias == owner or owner in ties or alias in ties.values():
        chained = owner if owner in ties or alias == owner else alias
        hint = "tie every alias to the one parameter that is stored"
        report("L052", f"'{chained}' cannot be both an alias and an owner", spans[chained == owner], hint)
    elif a != b:
        hint = "tied parameters have one shape and dtype"
        report("L051", f"'{alias}' is {a}, '{owner}' is {b}: they cannot be one", spans[0], hint)
    else:
        return True
    return False
