"""FLOPs of a step of decoding, counted by torch while the emitted model runs with its cache."""

from typing import Any

import pytest
from torch.utils.flop_counter import FlopCounterMode

from archspec import api
from archspec.analysis.cost import NOTHING
from archspec.analysis.flops import Flops
from archspec.analysis.sizes import number
from tests.analysis.counted import sizes_of
from tests.parity.catalog import ALL, Decode, Model
from tests.parity.draw import draw

# A switch leaves rows out that find no room.
MODELS = [
    pytest.param(model, model.decode, id=model.name)
    for model in ALL
    if model.decode and not model.name.startswith("switch")
]


@pytest.mark.parametrize(("model", "decode"), MODELS)
def test_a_step(model: Model, decode: Decode):
    module: Any = api.compile(
        model.spec, preset=model.preset, overrides=model.params, attention="eager", seed=0
    )
    graph, (name, case) = module.graph, next(iter(model.cases.items()))
    given = draw(case, case.inputs, model.name, name)
    length = given[decode.steps[0]].shape[-1]
    cache = module.make_cache(length)
    module(**piece(given, decode, 0, length - 1), cache=cache)
    step = piece(given, decode, length - 1, length)
    with FlopCounterMode(display=False) as counter:
        module(**step, cache=cache)
    sizes = sizes_of(graph, given) | {graph.stream: 1}
    found = Flops.of(graph, sizes, past=length - 1)
    full, filters = number(found.forward.full, "a step"), found.by_class().get("conv", NOTHING).full
    # The filters of a single token are products and sums of elements to torch.
    assert full - number(filters, "filters") == counter.get_total_flops()


def piece(given: dict[str, Any], decode: Decode, start: int, end: int) -> dict[str, Any]:
    """What one step reads."""
    own = {name: given[name][..., start:end] for name in decode.steps if name in given}
    return given | own | {name: given[name][..., :end] for name in decode.grows if name in given}
