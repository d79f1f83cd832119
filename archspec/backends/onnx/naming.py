"""Names of state and sizes that people and clients know, read off the graph alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from archspec.backends.onnx.interface import StateName
from archspec.backends.onnx.sizes import symbol_of
from archspec.backends.onnx.walk import states
from archspec.dims import num as n
from archspec.dims import poly
from archspec.ir.graph import Graph, State
from archspec.ir.scope import PAST

PAIR = ("key", "value")
MEMORY = "encoder_hidden_states"


def is_outer(path: str, state: State) -> bool:
    """Whether it is what the whole model holds: an encoder's result."""
    return state.kind == "hold" and "." not in path


def is_fixed(state: State) -> bool:
    """Whether it is the same for every batch, so that no step need be given it."""
    return all(size.static for type_ in state.types for size in type_.shape)


def past_names(graph: Graph) -> StateName:
    """`past_key_values.3.key` of the fourth cache, `past_key_values.3.encoder.key` of the fourth held pair.

    `past_state.3` is the fourth recurrent state, `encoder_hidden_states` what the whole model holds.
    """
    return partial(_called, _numbers(graph), "past_key_values", "past_state")


def present_names(graph: Graph) -> StateName:
    """`present.3.key`, `present.3.encoder.key`, `present_state.3`."""
    return partial(_called, _numbers(graph), "present", "present_state")


def _called(
    numbers: Mapping[str, int], cache: str, recurrent: str, path: str, state: State, index: int
) -> str:
    number = numbers[path]
    if is_outer(path, state):
        return MEMORY if number == index == 0 else f"{MEMORY}.{number}.{index}"
    if state.kind == "recall":
        return f"{recurrent}.{number}"
    part = PAIR[index] if len(state.types) == len(PAIR) else str(index)
    return f"{cache}.{number}.encoder.{part}" if state.kind == "hold" else f"{cache}.{number}.{part}"


def _numbers(graph: Graph) -> dict[str, int]:
    """How many states of its kind stand before each one."""
    counts: dict[tuple[str, bool], int] = {}
    out: dict[str, int] = {}
    for path, state in states(graph):
        if not is_fixed(state):
            key = (state.kind, is_outer(path, state))
            out[path] = counts[key] = counts.get(key, -1) + 1
    return out


def size_names(graph: Graph) -> dict[str, str]:
    """`batch_size` for the first axis of the inputs; `sequence_length` for what streams, or length of ids.

    What was before is `past_sequence_length`, both together `total_sequence_length`, and what an encoder
    gives is `encoder_sequence_length` long. Other sizes keep the names of the spec.
    """
    symbols = [[symbol_of(size) for size in value.type.shape] for value in graph.inputs]
    out: dict[str, str] = {}
    _put(out, next((each[0] for each in symbols if each), None), "batch_size")
    if graph.stream is not None:
        past, new = n.symbol(PAST), n.symbol(graph.stream)
        _put(out, graph.stream, "sequence_length")
        _put(out, PAST, "past_sequence_length")
        out[poly.show((past + new).size)] = "total_sequence_length"
    held = [state for path, state in states(graph) if is_outer(path, state)]
    lengths = [symbol_of(size) for state in held for type_ in state.types for size in type_.shape]
    _put(out, next((name for name in lengths if name and name not in out), None), "encoder_sequence_length")
    ids = [value for value in graph.inputs if value.type.rank == 2 and value.type.dtype == "int64"]
    _put(out, symbol_of(ids[0].type.shape[1]) if ids else None, "sequence_length")
    return {symbol: name for symbol, name in out.items() if name not in graph.dims}


def _put(out: dict[str, str], symbol: str | None, name: str) -> None:
    if symbol is not None and symbol not in out and name not in out.values():
        out[symbol] = name


__all__ = ["is_fixed", "is_outer", "past_names", "present_names", "size_names"]
