"""Each part of a model that can be built alone gives what the whole gives, with the whole's weights."""

from inspect import signature
from typing import Any

import pytest

from archspec import api
from tests.parity.catalog import ALL, Model
from tests.parity.compare import named
from tests.parity.conftest import Rigs
from tests.parity.rig import as_exact


def parts(model: Model) -> dict[str, list[str]]:
    """The parts of a spec that is compared as a whole, each with its outputs."""
    graphs: Any = {} if model.graph else api.load(model.spec).table("graphs")
    return graphs


PARTS = [
    pytest.param(model, part, case, id=f"{model.name}-{part}-{case}")
    for model in ALL
    for part in parts(model)
    for case in model.cases
]


@pytest.mark.parametrize(("model", "part", "case"), PARTS)
def test_a_part_equals_the_whole(rigs: Rigs, model: Model, part: str, case: str):
    rig, outputs = rigs(model), parts(model)[part]
    module: Any = api.compile(model.spec, graph=part, overrides=model.params, weights=rig.folder)
    takes = signature(module.forward).parameters
    given = {name: value for name, value in rig.inputs(case).items() if name in takes}
    got = named(module(**as_exact(given, module)), dict.fromkeys(outputs, ""))
    expected = rig.expected(case)
    for name in outputs:
        gap = (got[name].double() - expected.values[name].double()).abs().max().item()
        assert gap <= expected.tolerance(name), (name, gap)
