"""`torch.compile` and `torch.export` take our models whole, and leave batch and lengths free."""

from dataclasses import replace

import pytest
import torch
from torch.export import Dim, export

from tests.parity.catalog import ALL, Model
from tests.parity.conftest import Rigs

MODELS = [pytest.param(model, id=model.name) for model in ALL if model.name == model.spec]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("model", MODELS)
def test_compiles_without_breaks(rigs: Rigs, model: Model, attention: str):
    """Called with every case in turn, so that sizes which change, and inputs left out, are met too."""
    rig = rigs(model)
    torch.compiler.reset()
    compiled = torch.compile(rig.ours(attention), fullgraph=True, backend="aot_eager", dynamic=True)
    for case in model.cases:
        assert rig.expected(case).excess(rig.run(compiled, rig.inputs(case))) <= 1


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("model", MODELS)
def test_exports_with_free_sizes(rigs: Rigs, model: Model, attention: str):
    """The program that one batch and length gave runs with fewer and shorter rows."""
    rig = rigs(model)
    module = rig.ours(attention)
    first = next(iter(model.cases))
    given = rig.inputs(first)
    free = {name: dict.fromkeys(range(value.dim()), Dim.DYNAMIC) for name, value in given.items()}
    with torch.no_grad():
        program = export(module, (), given, dynamic_shapes=free).module()
    assert rig.expected(first).excess(rig.run(program, given)) <= 1
    fewer = {name: value[:2, : value.shape[1] - 4] for name, value in given.items()}
    whole = replace(rig.expected(first), values=rig.run(module, fewer))
    assert whole.excess(rig.run(program, fewer)) <= 1
