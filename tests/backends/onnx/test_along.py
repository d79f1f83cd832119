"""What runs position by position is a `Scan`; decoding goes on from what it carries."""

import pytest
import torch

from archspec import api
from tests.parity.onnx_rig import Array, Both, as_arrays, excess

PARAMS = {"vocab_size": 13, "hidden_size": 10, "num_layers": 2}


@pytest.fixture(scope="module", params=["lstm", "gru"])
def both(request: pytest.FixtureRequest) -> Both:
    return Both.of(api.load(request.param, overrides=PARAMS))


@pytest.mark.parametrize("profile", ["standard", "portable"])
@pytest.mark.parametrize("shape", [(3, 7), (1, 1)], ids=str)
def test_the_whole_equals_our_module(both: Both, shape: tuple[int, int], profile: str):
    inputs = {"input_ids": torch.randint(13, shape)}
    got = both.exported("full", (), profile).run(as_arrays(inputs))
    assert excess(got, both.truth(inputs), ["logits"]) < 1e-5


def test_steps_equal_the_whole(both: Both):
    inputs = {"input_ids": torch.randint(13, (3, 7))}
    cached = both.exported("cached", ())
    state, found = cached.empty(3), list[Array]()
    for start, end in ((0, 3), (3, 4), (4, 7)):
        step = cached.run({"input_ids": inputs["input_ids"][:, start:end].numpy(), **cached.of(state)})
        state = cached.kept(step)
        found.append(step["logits"])
    whole = torch.cat([torch.from_numpy(each) for each in found], 1)
    assert excess({"logits": whole.numpy()}, both.truth(inputs), ["logits"]) < 1e-5


def test_what_is_the_same_at_each_position_stands_outside(both: Both):
    """Nodes of a body run once a position."""
    model = both.exported("full", ()).model
    (body, _) = [node.attributes["body"].as_graph() for node in model.graph if node.op_type == "Scan"]
    assert all(node.op_type not in ("Transpose", "Shape", "Gather") for node in body)
