"""State in ONNX: each run of a module keeps its own, and steps that are fed it equal the whole."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from archspec import api
from tests.parity.onnx_rig import Array, Both, as_arrays, excess

HEAD = """\
archspec: 1
name: small
inputs: {ids: "int64[B, S]"}
stream: S
"""
SHARED = """\
blocks:
  layer:
    in: {x: "[B, S, 8]"}
    body: [{attn: {op: attention, num_heads: 2, mask: causal}}]
model:
  - embed: {op: embedding, in: ids, num: 11, dim: 8}
  - layers: {repeat: 3, shared: true, block: layer}
  - once: {op: layer}
  - again: {call: once}
outputs: {y: again}
"""
RUNNING = """\
model:
  - embed: {op: embedding, in: ids, num: 11, dim: 8}
  - sums: "cumsum(embed, axis=1)"
  - highest: "cummax(embed, axis=1)"
  - y: "sums + highest"
outputs: {y: y}
"""
STARTED = """\
model:
  - embed: {op: embedding, in: ids, num: 11, dim: 8}
  - first: {op: param, shape: [8], init: normal(1.0)}
  - start: "expand(first, [B, 8])"
  - cell: {recur: {h: start}, in: embed, body: [{h: "tanh(0.5 * h + _)"}]}
outputs: {y: cell}
"""
Made = Callable[[str], Both]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    def make(text: str) -> Both:
        path = tmp_path / "small.yaml"
        path.write_text(HEAD + text)
        return Both.of(api.load(path))

    return make


def stepwise(both: Both, ids: torch.Tensor, first: str, later: str) -> Array:
    """The output of a sequence that is fed in three pieces."""
    step, state, found = both.exported(first, ()), dict[str, Array](), list[torch.Tensor]()
    state = step.empty(len(ids)) if first == "cached" else state
    for start, end in ((0, 4), (4, 5), (5, ids.shape[1])):
        past = torch.tensor([start]).numpy()
        got = step.run({"ids": ids[:, start:end].numpy(), "past": past, **step.of(state)})
        state = step.kept(got)
        step = both.exported(later, ())
        found.append(torch.from_numpy(got["y"]))
    return torch.cat(found, 1).numpy()


@pytest.mark.parametrize("text", [SHARED, RUNNING, STARTED], ids=["shared", "running", "started"])
def test_steps_equal_the_whole(made: Made, text: str):
    both, ids = made(text), torch.randint(11, (3, 8))
    truth = both.truth({"ids": ids})
    assert excess(both.exported("full", ()).run(as_arrays({"ids": ids})), truth, ["y"]) < 1e-5
    for first, later in (("cached", "cached"), ("prefill", "decode")):
        assert excess({"y": stepwise(both, ids, first, later)}, truth, ["y"]) < 1e-5


def test_layers_that_share_parameters_keep_state_of_their_own(made: Made):
    both = made(SHARED)
    model = both.exported("cached", ())
    assert len(model.takes) == 1 + 2 * 5
    owners = {name.rsplit(".", 1)[0] for name in model.model.graph.initializers if name.endswith(".weight")}
    assert not any(name.startswith(("layers.1", "layers.2", "again")) for name in owners)


def test_state_that_starts_with_what_is_computed_starts_by_itself(made: Made):
    """The caller cannot know a learned start: whatever is given at first is not read."""
    both, ids = made(STARTED), torch.randint(11, (2, 4))
    cached = both.exported("cached", ())
    (state,) = cached.states
    assert state["start"] is None
    anything = {state["state"]: torch.full((2, 8), 77.0).numpy()}
    got = cached.run({"ids": ids.numpy(), "past": torch.tensor([0]).numpy(), **cached.of(anything)})
    assert excess(got, both.truth({"ids": ids}), ["y"]) < 1e-5
