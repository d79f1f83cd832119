"""Modes: which graphs a model has, what each takes and gives, and by which names."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from archspec import api
from archspec.backends.onnx.emit import Emitter
from archspec.backends.onnx.modes import in_mode, may_be_left_out, modes_of
from archspec.backends.onnx.profile import Profile
from archspec.dims import num as n
from archspec.errors import UnsupportedError
from archspec.ir.graph import Apply, Graph, Param, Region, Value
from archspec.ir.ops.source import Iota
from archspec.ir.types import TensorType

Shapes = dict[str, list[int | str | None]]
TINY: dict[str, dict[str, Any]] = {
    "gpt2": {"num_layers": 2, "vocab_size": 11, "hidden_size": 8, "num_heads": 2},
    "t5": {"num_encoder_layers": 1, "num_decoder_layers": 2, "vocab_size": 11, "hidden_size": 8,
           "num_heads": 2, "head_dim": 4, "intermediate_size": 8},
    "mamba": {"num_layers": 2, "vocab_size": 11, "hidden_size": 8},
    "rwkv": {"num_layers": 1, "vocab_size": 11, "hidden_size": 8},
    "bert": {"num_layers": 1},
}  # fmt: skip


def graph(name: str) -> Graph:
    return api.lower(api.load(name, overrides=TINY[name]))


def zeros(name: str, param: Param) -> ir.TensorProtocol:
    shape = [int(size) for size in param.value.type.shape]
    return ir.tensor(np.zeros(shape, np.float32), name=name)


def ports(graph: Graph, mode: str, *given: str) -> tuple[Shapes, Shapes]:
    """The shapes of inputs and outputs; of inputs that may be left out, those `given` are taken."""
    part, form = in_mode(graph, mode, set(may_be_left_out(graph)) - {*given})
    model = Emitter(part, Profile(), form, zeros).model()
    return shapes(model.graph.inputs), shapes(model.graph.outputs)


def shapes(values: Sequence[ir.Value]) -> Shapes:
    return {value.name or "": _shape(value) for value in values}


def _shape(value: ir.Value) -> list[int | str | None]:
    assert value.shape is not None
    return [size if isinstance(size, int) else size.value for size in value.shape]


def test_what_keeps_no_state_has_one_mode():
    assert modes_of(graph("bert")) == ("full",)
    assert modes_of(graph("gpt2")) == modes_of(graph("mamba")) == ("full", "cached", "prefill", "decode")
    assert modes_of(graph("t5")) == ("full", "encoder", "decoder", "decoder_with_past")


def test_a_cache_is_an_input_and_an_output_with_the_names_that_clients_know():
    takes, gives = ports(graph("gpt2"), "cached", "attention_mask")
    past = ["batch_size", 2, "past_sequence_length", 4]
    total = ["batch_size", 2, "total_sequence_length", 4]
    assert takes == {
        "input_ids": ["batch_size", "sequence_length"],
        "attention_mask": ["batch_size", "total_sequence_length"],
        "past_key_values.0.key": past, "past_key_values.0.value": past,
        "past_key_values.1.key": past, "past_key_values.1.value": past,
    }  # fmt: skip
    presents = {f"present.{layer}.{part}": total for layer in (0, 1) for part in ("key", "value")}
    assert gives == {"logits": ["batch_size", "sequence_length", 11], **presents}


def test_the_first_step_takes_no_state_and_the_later_ones_do():
    takes, gives = ports(graph("gpt2"), "prefill")
    assert [*takes] == ["input_ids"]
    assert gives["present.1.value"] == ["batch_size", 2, "sequence_length", 4]
    later, leaves = ports(graph("gpt2"), "decode")
    assert len(later) == 5
    assert [*leaves] == [*gives]


def test_an_encoder_and_its_decoder_are_graphs_of_their_own():
    t5 = graph("t5")
    takes, gives = ports(t5, "encoder", "attention_mask")
    states = ["batch_size", "encoder_sequence_length", 8]
    assert takes == dict.fromkeys(("input_ids", "attention_mask"), states[:2])
    assert gives == {"last_hidden_state": states}
    takes, gives = ports(t5, "decoder")
    assert takes == {"decoder_input_ids": ["batch_size", "sequence_length"], "encoder_hidden_states": states}
    assert gives["present.1.encoder.key"] == ["batch_size", 2, "encoder_sequence_length", 4]
    takes, gives = ports(t5, "decoder_with_past")
    assert "encoder_hidden_states" not in takes
    assert takes["past_key_values.1.encoder.key"] == ["batch_size", 2, "encoder_sequence_length", 4]
    assert [*gives] == [
        "logits",
        *(f"present.{layer}.{part}" for layer in (0, 1) for part in ("key", "value")),
    ]


def test_recurrent_state_has_a_number_and_says_how_it_starts():
    takes, gives = ports(graph("mamba"), "cached")
    assert [*takes] == ["input_ids", *(f"past_state.{i}" for i in range(4))]
    assert [*gives] == ["logits", *(f"present_state.{i}" for i in range(4))]
    part, form = in_mode(graph("rwkv"), "cached")
    notes = Emitter(part, Profile(), form, zeros).model().metadata_props["archspec.states"]
    assert min(state["start"] for state in json.loads(notes)) == pytest.approx(-3e38)


def test_where_no_cache_tells_how_long_the_past_is_it_is_an_input():
    assert ports(graph("rwkv"), "cached")[0]["past"] == [1]
    assert "past" not in ports(graph("mamba"), "cached", "attention_mask")[0]


def test_a_mode_that_a_model_lacks_is_refused():
    with pytest.raises(
        UnsupportedError, match=r"O020 'bert' cannot be exported as 'cached' \(it has: full\)"
    ):
        in_mode(graph("bert"), "cached")
    with pytest.raises(UnsupportedError, match=r"O020 .*did you mean 'decoder'"):
        in_mode(graph("t5"), "decoderr")


def test_an_input_that_is_needed_cannot_be_left_out():
    with pytest.raises(UnsupportedError, match=r"O021 the input 'input_ids' of 'gpt2' cannot be left out"):
        in_mode(graph("gpt2"), "full", ["input_ids"])


def test_a_size_that_no_input_has_is_refused():
    size = n.symbol("S")
    given = Value("x", TensorType("float", (size * size + size,)))
    places = Value("places", TensorType("int64", (size,)))
    root = Region("m", "m", (given,), (places,), (Apply(Iota(size, n.num(0)), (), (places,)),))
    whole = Graph("m", "", "", ("S",), None, root, None, (("places", places),), (), ())
    part, form = in_mode(whole, "full")
    with pytest.raises(UnsupportedError, match="O022 no input of the model tells the size 'S'"):
        Emitter(part, Profile(), form, zeros).model()
