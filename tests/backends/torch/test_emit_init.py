"""`init_weights`: parameters start as the spec says, whoever else's name ends alike."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archspec import api
from archspec.backends.torch.emit import emit
from archspec.ir.graph import Init, Param, parameters
from tests.backends.torch.emitted import document, root
from tests.parity.catalog import ALL as MODELS
from tests.parity.catalog import Model

SIZES = {
    "gpt2": {"vocab_size": 211, "hidden_size": 96, "num_layers": 3, "num_heads": 4, "max_positions": 200},
    "bert": {"vocab_size": 211, "hidden_size": 96, "num_layers": 2, "num_heads": 4, "max_positions": 200},
    "t5": {"vocab_size": 211, "hidden_size": 96, "num_encoder_layers": 2, "num_heads": 4, "head_dim": 24},
}
SCOPES = """
params: {hidden_size: 64, num_layers: 12}
inputs: {x: "[B, hidden_size]"}
blocks:
  layer:
    args: {hidden_size: int}
    body:
      - a: {op: linear, out: hidden_size, init: normal(hidden_size / 256)}
      - back: {op: linear, out: width // 2}
model:
  - h:
      repeat: num_layers
      in: x
      body: [{a: {op: linear, out: 64, init: normal(0.02 / sqrt(i + 1))}}, {b: {op: linear, out: 64}}]
  - g:
      repeat: 2
      body:
        - a: {op: linear, out: 64, init: normal(0.5)}
        - xa: {op: linear, out: 64, init: "uniform(1, 2)"}
  - inner: {op: layer, hidden_size: 128}
  - column: "_[:, :, None]"
  - pad: {op: conv1d, in: column, out: 64, kernel: 3, padding: causal}
  - gain: {op: param, shape: [64], init: constant(3)}
outputs: {y: "inner * gain", z: pad}
"""


def start(text: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return root(text)()


def wrong(init: Init, tensor: Tensor) -> str:
    """How a tensor does not look as if it started so; empty where it does. Allows five standard errors."""
    a, b = init.a.real, init.b.real if init.b else 0.0
    if init.kind == "constant":
        return "" if bool((tensor == a).all()) else f"not {a} everywhere"
    if init.kind in ("normal", "trunc_normal"):  # cut at 2, far out
        return _moments(tensor, a, b)
    low, high = (a, b) if init.kind == "uniform" else (-(a**-0.5), a**-0.5)
    if not low <= tensor.min().item() <= tensor.max().item() <= high:
        return f"not within {low} and {high}"
    return _moments(tensor, (low + high) / 2, (high - low) / math.sqrt(12))


def _moments(tensor: Tensor, mean: float, std: float) -> str:
    error = 5 * std / math.sqrt(tensor.numel())
    off_mean, off_std = abs(tensor.mean().item() - mean), abs(tensor.std().item() - std)
    return "" if off_mean <= error and off_std <= error else f"mean {tensor.mean()}, std {tensor.std()}"


def check(text: str, starts: dict[str, Param], ties: set[str]) -> None:
    tensors = dict(start(text).named_parameters(remove_duplicate=False))
    found = {
        name: fault
        for name, param in starts.items()
        if name not in ties and param.trainable and (fault := wrong(param.init, tensors[name].detach()))
    }
    assert found == {}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_parameter_starts_as_the_spec_says(model: Model):
    """The sizes are those of the parity cases, larger where a few numbers would say little."""
    spec = api.load(model.spec, preset=model.preset, graph=model.graph, overrides=model.params)
    graph = api.lower(api.load(spec, overrides=SIZES.get(model.name, {})))
    check(emit(graph, attention="eager"), dict(parameters(graph)), {alias for alias, _ in graph.ties})


def test_layers_and_places_may_start_differently(tmp_path: Path):
    graph = api.lower(document(tmp_path, SCOPES))
    starts = dict(parameters(graph))
    assert starts["h.11.a.weight"].init != starts["h.1.a.weight"].init != starts["g.1.a.weight"].init
    check(emit(graph), starts, set())


def test_the_check_sees_another_start():
    values = torch.empty(10_000).normal_(0, 0.02)
    graph = api.lower("gpt2")
    init = dict(parameters(graph))["wte.weight"].init
    assert wrong(init, values) == ""
    assert wrong(init, values * 1.1)
    assert wrong(init, values + 0.01)
    assert wrong(dict(parameters(graph))["ln_f.weight"].init, values)
