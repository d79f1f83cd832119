"""The constructor: the spec's params are its defaults, and its tensors are the graph's."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from archspec import api
from archspec.backends.torch.emit import emit
from archspec.dims.num import Num
from archspec.ir.graph import Graph, parameters
from tests.backends.torch.emitted import ALL, Written, document, root, source


def on_meta(kind: Any, **settings: object) -> nn.Module:
    with torch.device("meta"):
        return kind(**settings)


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def shapes_of(graph: Graph) -> dict[str, tuple[int, ...]]:
    return {name: tuple(map(int, param.value.type.shape)) for name, param in parameters(graph)}


@pytest.mark.parametrize("written", ALL, ids=str)
def test_tensors_are_those_of_the_graph(written: Written):
    module = on_meta(root(source(written, "eager")))
    assert shapes(module) == shapes_of(written.graph())
    names = {name for name, param in parameters(written.graph()) if param.trainable}
    assert {name for name, _ in module.named_parameters(remove_duplicate=False)} == names
    for alias, owner in written.graph().ties:
        assert module.get_parameter(alias) is module.get_parameter(owner)


@pytest.mark.parametrize("written", ALL, ids=str)
def test_defaults_are_the_spec_s_params(written: Written):
    settings = dict(written.graph().root.bindings)
    for name, parameter in inspect.signature(root(source(written, "eager"))).parameters.items():
        value = settings[name]
        assert isinstance(value, Num)
        assert parameter.default == value.value
        assert type(parameter.default).__name__ == parameter.annotation.__name__


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gpt2", {"num_layers": 3, "max_positions": 40}),
        ("gpt2", {"hidden_size": 96, "intermediate_size": 100, "num_heads": 4, "vocab_size": 77}),
        ("bert", {"num_layers": 2, "type_vocab_size": 5, "hidden_size": 24, "num_heads": 4}),
        (
            "t5",
            {"num_encoder_layers": 1, "num_decoder_layers": 3, "head_dim": 6, "num_heads": 5, "buckets": 8},
        ),
    ],
)
def test_settings_may_be_given_to_the_class_or_to_the_spec(name: str, settings: dict[str, int]):
    kind = root(source(Written(name, None), "sdpa"))
    graph = api.lower(api.load(name, overrides=_all_derived(kind, settings)))
    assert shapes(on_meta(kind, **settings)) == shapes_of(graph)


def _all_derived(kind: Any, settings: dict[str, int]) -> dict[str, Any]:
    """The settings, and the class's default for each other one: a spec would derive some of them anew."""
    given = inspect.signature(kind).parameters
    return {name: settings.get(name, parameter.default) for name, parameter in given.items()}


def test_the_same_settings_compute_the_same():
    settings = {"hidden_size": 24, "num_layers": 2, "num_heads": 3, "vocab_size": 11, "intermediate_size": 20}
    ids = torch.arange(8).reshape(2, 4)
    told = root(source(Written("gpt2", None), "sdpa"))(**settings).eval()
    written = root(emit(api.lower(api.load("gpt2", overrides=settings))))().eval()
    written.load_state_dict(told.state_dict())
    torch.testing.assert_close(told(ids), written(ids), rtol=0, atol=0)


def test_buffers_are_part_of_it(tmp_path: Path):
    spec = document(
        tmp_path,
        """
inputs: {image: "[B, 3, H, W]"}
model: [{norm: {op: batchnorm, in: image}}, {conv: {op: conv2d, out: 2, kernel: 1}}]
outputs: {y: conv}
""",
    )
    graph = api.lower(spec)
    found = shapes(on_meta(root(emit(graph))))
    assert found["norm.num_batches_tracked"] == ()
    assert found == shapes_of(graph)


def test_a_count_is_whole_where_torch_has_no_module(tmp_path: Path):
    spec = document(
        tmp_path,
        """
inputs: {x: "[B, 3, 2, 2, 2, 2]"}
model: [{norm: {op: batchnorm, in: x}}]
outputs: {y: norm}
""",
    )
    module = api.compile(spec).train()
    module(torch.randn(4, 3, 2, 2, 2, 2))
    count: torch.Tensor = module.state_dict()["norm.num_batches_tracked"]
    assert count.dtype == torch.int64
    assert count == 1
