"""Closed forms agree with the graphs that they were not read from."""

import pytest

from archspec.analysis.flops import Flops
from archspec.analysis.formula import Formula, UnwrittenError, compiled, flops_formula, parameters_formula
from archspec.dims.num import Num
from archspec.dims.parse import parse
from archspec.ir.graph import Graph, parameter_count
from archspec.lowering.lower import lower
from archspec.resolve import load


def values(graph: Graph) -> dict[str, float]:
    """The params of a spec that are numbers."""
    bound = ((name, value.value) for name, value in graph.root.bindings if isinstance(value, Num))
    return {name: value for name, value in bound if isinstance(value, int | float)}


# Presets change numbers only: the form is read from the spec without a preset.
PRESETS = [
    ("gpt2", "xl"), ("llama", "405b"), ("llama", "2-7b"), ("bloom", "176b"), ("mixtral", "8x22b"),
    ("vit", "large"), ("mamba", "2.8b"), ("bart", "large"), ("whisper", "large_v3"), ("t5", "base"),
    ("albert", "xlarge"), ("deepseek_v2", "236b"), ("dit", "b_4"), ("rwkv", "3b"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "preset"), PRESETS)
def test_a_form_holds_for_other_params(spec: str, preset: str):
    plain, other = lower(load(spec)), lower(load(spec, preset=preset))
    sizes = {name: 8 + i for i, name in enumerate(plain.dims)}
    given = values(other) | sizes | {"past": 0}
    assert flops_formula(plain)(given) == Flops.of(other, sizes).forward.full
    assert parameters_formula(plain)(given) == parameter_count(other)


def test_a_form_holds_while_decoding():
    graph = lower(load("llama"))
    form = flops_formula(graph)
    at = values(graph) | {"B": 2, "S": 1, "past": 500}
    assert form(at) == Flops.of(graph, {"B": 2, "S": 1}, past=500).forward.full
    assert {"B", "S", "past", "hidden_size", "num_layers"} <= form.names


def test_a_value_that_is_missing():
    form = Formula.of(iter([parse("a * b"), parse("max(a, 3) // 2 if a > 2 else -a")]))
    assert form({"a": 5, "b": 2}) == 10 + 2
    assert form({"a": 1, "b": 2}) == 2 - 1
    with pytest.raises(KeyError, match="b"):
        form({"a": 5})


def test_what_is_no_arithmetic():
    with pytest.raises(UnwrittenError):
        compiled(parse("table[i]"))
