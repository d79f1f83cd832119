"""How a model is cut into ONNX graphs for the ways it is run: whole, or step by step with state between."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from msgspec import Struct

from archspec.backends.onnx.interface import Interface
from archspec.backends.onnx.naming import is_fixed, is_outer, past_names, present_names, size_names
from archspec.backends.onnx.walk import states
from archspec.errors import Diagnostic, UnsupportedError, did_you_mean
from archspec.ir.cut import cut
from archspec.ir.graph import Apply, Graph, State, Value
from archspec.ir.ops.state import Hold

MOVING = ("append", "recall")
EVERY = ("append", "hold", "recall")
ENCODED = "last_hidden_state"


class Mode(Struct, frozen=True):
    """One way to run a model: which kinds of state a step is given, and which it gives to the next.

    `part`: the `encoder` computes what the whole model holds, and the `decoder` is given it; or the `whole`.
    """

    name: str
    summary: str
    reads: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    part: str = "whole"


FULL = Mode("full", "the whole sequence at once, without state")
CACHED = Mode("cached", "one graph for all steps; the first is given empty state", MOVING, MOVING)
PREFILL = Mode("prefill", "the first step, which leaves state", (), EVERY)
DECODE = Mode("decode", "every later step", EVERY, MOVING)
ENCODER = Mode("encoder", "what the decoder reads at every step", part="encoder")
DECODER = Mode("decoder", "the decoder's first step, given what the encoder found", (), EVERY, "decoder")
DECODER_WITH_PAST = Mode("decoder_with_past", "the decoder's later steps", EVERY, MOVING, "decoder")

MODES = {mode.name: mode for mode in (FULL, CACHED, PREFILL, DECODE, ENCODER, DECODER, DECODER_WITH_PAST)}


def modes_of(graph: Graph) -> tuple[str, ...]:
    """The modes that a graph has: those with state where it decodes, two parts where there is an encoder."""
    kept = [(path, state) for path, state in states(graph) if not is_fixed(state)]
    if any(is_outer(*each) for each in kept):
        return (FULL.name, ENCODER.name, DECODER.name, DECODER_WITH_PAST.name)
    return (FULL.name, CACHED.name, PREFILL.name, DECODE.name) if kept else (FULL.name,)


def may_be_left_out(graph: Graph) -> tuple[str, ...]:
    """The inputs that are optional, or that the graph computes where they are not given."""
    computed = {value.name for value in graph.defaults.outputs} if graph.defaults else set[str]()
    return tuple(value.name for value in graph.inputs if value.optional or value.name in computed)


def in_mode(graph: Graph, name: str, leave_out: Collection[str] = ()) -> tuple[Graph, Interface]:
    """The graph that a mode runs, and what it takes and gives; `leave_out`: inputs that are not given to it.

    Raises UnsupportedError O020 for a mode that the graph lacks, O021 for an input that it cannot do without.
    """
    _check(graph, name, leave_out)
    mode = MODES[name]

    def reads(path: str, state: State) -> bool:
        if is_outer(path, state):
            return mode.part == "decoder" and not is_fixed(state)
        return state.kind in mode.reads and not is_fixed(state)

    def leaves(path: str, state: State) -> bool:
        return state.kind in mode.leaves and not is_fixed(state) and not is_outer(path, state)

    form = Interface(
        leave_out=frozenset(leave_out), reads=reads, leaves=leaves,
        outputs=frozenset(_streaming(graph)) if mode.part == "decoder" else None,
        past_name=past_names(graph), present_name=present_names(graph), sizes=size_names(graph),
    )  # fmt: skip
    return (_encoder(graph) if mode.part == "encoder" else graph), form


def _check(graph: Graph, name: str, leave_out: Collection[str]) -> None:
    had = modes_of(graph)
    if name not in had:
        hint = did_you_mean(name, had) or f"it has: {', '.join(had)}"
        raise UnsupportedError(
            Diagnostic("O020", f"'{graph.name}' cannot be exported as '{name}'", None, hint)
        )
    free = may_be_left_out(graph)
    for given in leave_out:
        if given not in free:
            hint = did_you_mean(given, free) or f"these can: {', '.join(free) or 'none'}"
            message = f"the input '{given}' of '{graph.name}' cannot be left out"
            raise UnsupportedError(Diagnostic("O021", message, None, hint))


def _holds(graph: Graph) -> list[Apply]:
    """What the whole model holds."""
    fixed = {state.name for state in graph.root.states if is_fixed(state)}
    nodes = (node for node in graph.root.nodes if isinstance(node, Apply))
    return [node for node in nodes if isinstance(node.op, Hold) and node.op.state not in fixed]


def _streaming(graph: Graph) -> list[str]:
    """The outputs that are not themselves held."""
    held = {value for node in _holds(graph) for value in node.outputs}
    return [name for name, value in graph.outputs if value not in held]


def _encoder(graph: Graph) -> Graph:
    """The part that computes what the whole model holds."""
    held = [value for node in _holds(graph) for value in node.inputs if value is not None]
    outputs: tuple[tuple[str, Value], ...] = (
        (ENCODED, held[0]),
        *((value.name, value) for value in held[1:]),
    )
    root = replace(graph.root, outputs=tuple(value for _, value in outputs))
    whole = replace(graph, root=root, outputs=outputs, losses=())
    return cut(whole, f"{graph.name}-encoder", [name for name, _ in outputs])


__all__ = ["MODES", "Mode", "in_mode", "may_be_left_out", "modes_of"]
