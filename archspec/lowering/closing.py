"""The end of a model: outputs, defaults of inputs, losses and ties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.components import COMPONENTS
from archspec.errors import LoweringError, Span, did_you_mean
from archspec.ir.builder import Builder, Handle
from archspec.ir.graph import Graph, Loss, Region, Value, parameters
from archspec.lowering import steps
from archspec.lowering.faults import FAULTS, Broken, diagnose, text_span
from archspec.lowering.frame import Frame
from archspec.lowering.reading import read_tensor
from archspec.spec.node import Mapping, Node, Scalar
from archspec.spec.tree import Common, Word

if TYPE_CHECKING:
    from archspec.lowering.lower import Lowering

Inputs = dict[str, tuple[Handle, Node | None]]


def close(low: Lowering, frame: Frame, inputs: Inputs) -> Graph | None:
    """The graph, or None where findings stand in the way."""
    outputs = _outputs(low, frame)
    defaults = _defaults(low, frame, inputs)
    if low.found.diagnostics:
        return None
    root = frame.builder.region([handle for _, handle in outputs])
    losses = _losses(low, frame, inputs, outputs)
    document = low.spec.document
    graph = Graph(
        document.name, document.summary, document.source, tuple(low.dims), low.stream, root, defaults,
        tuple((name, handle.value) for name, handle in outputs), losses, (),
    )  # fmt: skip
    ties = _ties(low, frame, graph)
    return Graph(
        *(
            getattr(graph, f)
            for f in ("name", "summary", "source", "dims", "stream", "root", "defaults", "outputs", "losses")
        ),
        ties,
    )


def _outputs(low: Lowering, frame: Frame) -> list[tuple[str, Handle]]:
    out: list[tuple[str, Handle]] = []
    for key, node in low.spec.section("outputs").entries:
        if not low.exists(frame, node):
            continue
        of = node.get("of") if isinstance(node, Mapping) else node
        handle = tensor_or_report(low, frame, of or node)
        if handle is not None:
            out.append((str(key.value), handle))
    return out


def tensor_or_report(low: Lowering, frame: Frame, node: Node) -> Handle | None:
    try:
        return read_tensor(frame, node)
    except Broken:
        return None
    except LoweringError as error:
        low.found.extend(error)
    except FAULTS as fault:
        at = text_span(node, getattr(fault, "at", 0), getattr(fault, "end", 10**6))
        low.found.extend(LoweringError(diagnose(fault, at)))
    return None


def _stand_ins(low: Lowering, frame: Frame, builder: Builder, values: dict[str, Value]) -> Frame:
    """A scope beside the model, in which inputs and outputs are what a region is given."""
    inner = Frame(low, builder, dict(frame.values), {}, {})
    inner.tensors = {name: builder.input(name, v.type, v.optional) for name, v in values.items()}
    return inner


def _defaults(low: Lowering, frame: Frame, inputs: Inputs) -> Region | None:
    """The region that computes inputs which the caller leaves out."""
    missing = {name: default for name, (_, default) in inputs.items() if default is not None}
    if not missing:
        return None
    builder = Builder("defaults", "defaults")
    given = {name: h.value for name, (h, default) in inputs.items() if default is None}
    inner = _stand_ins(low, frame, builder, given)
    outputs: list[Handle] = []
    for name, node in missing.items():
        handle = tensor_or_report(low, inner, node)
        if handle is None:
            continue
        declared = inputs[name][0].type
        if handle.type != declared:
            low.found.add(
                "L010", f"'{name}' is declared {declared}, but its default is {handle.type}", node.span
            )
        outputs.append(_named(builder, handle, name))
        inner.tensors[name] = outputs[-1]
    return _trimmed(builder.region(outputs))


def _named(builder: Builder, handle: Handle, name: str) -> Handle:
    """The handle under exactly this name: its producing node's result is renamed."""
    from dataclasses import replace  # lazy: used here only

    value = Value(name, handle.type)
    builder.nodes[:] = [
        replace(node, outputs=tuple(value if o == handle.value else o for o in node.outputs))
        for node in builder.nodes
    ]
    return Handle(value, builder)


def _trimmed(region: Region) -> Region:
    from dataclasses import replace  # lazy: used here only

    used = {v.name for node in region.nodes for v in node.inputs if v is not None} | {
        o.name for o in region.outputs
    }
    return replace(region, inputs=tuple(v for v in region.inputs if v.name in used))


def _losses(
    low: Lowering, frame: Frame, inputs: Inputs, outputs: list[tuple[str, Handle]]
) -> tuple[Loss, ...]:
    out: list[Loss] = []
    for key, node in low.spec.section("losses").entries:
        if isinstance(node, Mapping) and low.exists(frame, node):
            loss = _loss(low, frame, str(key.value), node.without("when"), inputs, outputs)
            if loss is not None:
                out.append(loss)
    return tuple(out)


def _loss(
    low: Lowering, frame: Frame, name: str, node: Mapping, inputs: Inputs, outputs: list[tuple[str, Handle]]
) -> Loss | None:
    given = {key: h.value for key, (h, _) in inputs.items()}
    feed = _feed(low, frame, node.get("feed"), given)
    builder = Builder(name, "loss")
    values = {key: Value(key, v.type) for key, v in given.items()} | {
        key: Value(key, h.type) for key, h in outputs
    }
    inner = _stand_ins(low, frame, builder, values)
    word = node.get("op")
    if not isinstance(word, Scalar) or word.value not in COMPONENTS:
        text = str(word.value) if isinstance(word, Scalar) else ""
        low.found.add(
            "L001",
            f"there is no loss '{text}'",
            (word or node).span,
            did_you_mean(text, ("cross_entropy", "mse", "mae")),
        )
        return None
    step = Word(Common((name,), node.span), word, node.without("op", "feed"))
    steps.lower_step(inner, step)
    if inner.x is None:
        return None
    if inner.x.type.shape:
        low.found.add("T005", f"a loss is one number, '{name}' gives {inner.x.type}", node.span)
    return Loss(name, _trimmed(builder.region([inner.x])), feed)


def _feed(low: Lowering, frame: Frame, node: Node | None, given: dict[str, Value]) -> Region | None:
    """What a loss hands the model instead of the caller's input."""
    if not isinstance(node, Mapping):
        return None
    builder = Builder("feed", "feed")
    inner = _stand_ins(
        low, frame, builder, {k: Value(k, v.type) for k, v in given.items() if node.get(k) is None}
    )
    outputs: list[Handle] = []
    for key, value in node.entries:
        name = str(key.value)
        if name not in given:
            low.found.add("L009", f"the model has no input '{name}'", key.span, did_you_mean(name, given))
            continue
        handle = tensor_or_report(low, inner, value)
        if handle is not None:
            if handle.type != given[name].type:
                low.found.add("L010", f"'{name}' is {given[name].type}, but is fed {handle.type}", value.span)
            outputs.append(_named(builder, handle, name))
    return _trimmed(builder.region(outputs))


def _ties(low: Lowering, frame: Frame, graph: Graph) -> tuple[tuple[str, str], ...]:
    known = {path: param for path, param in parameters(graph)}
    out: dict[str, str] = {}
    for key, node in low.spec.section("tie").entries:
        target = node.get("to") if isinstance(node, Mapping) else node
        if not isinstance(target, Scalar) or not low.exists(frame, node):
            continue
        alias, owner = str(key.value), str(target.value)
        if _tie_fits(low, known, alias, owner, key.span, target.span, out):
            out[alias] = owner
    return tuple(out.items())


def _tie_fits(
    low: Lowering, known: dict, alias: str, owner: str, at: Span, to: Span, ties: dict[str, str]
) -> bool:
    for path, span in ((alias, at), (owner, to)):
        if path not in known:
            low.found.add("L050", f"there is no parameter '{path}' to tie", span, did_you_mean(path, known))
            return False
    a, b = known[alias].value.type, known[owner].value.type
    if a != b:
        low.found.add("L051", f"'{alias}' is {a}, '{owner}' is {b}: they cannot be one", at)
        return False
    if alias == owner or owner in ties:
        low.found.add("L052", f"'{owner}' is tied itself; tie '{alias}' to the parameter that is stored", to)
        return False
    return True
