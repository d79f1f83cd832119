"""`torch.compile` and `torch.export` take our models whole, and leave batch and length free."""

from dataclasses import replace

import pytest
import torch
from torch.export import Dim, export

from tests.parity.catalog import ALL, Model
from tests.parity.conftest import Rigs

MODELS = [pytest.param(model, id=model.name) for model in ALL if model.mutants]
CASES = [pytest.param(m, case, id=f"{m.name}-{case}") for m in ALL if m.mutants for case in m.cases]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(("model", "case"), CASES)
def test_compiles_without_breaks(rigs: Rigs, model: Model, case: str, attention: str):
    rig = rigs(model)
    torch.compiler.reset()
    compiled = torch.compile(rig.ours(attention), fullgraph=True, backend="aot_eager")
    got = rig.run(compiled, rig.inputs(case))
    assert rig.expected(case).excess(got) <= 1


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("model", MODELS)
def test_exports_with_free_sizes(rigs: Rigs, model: Model, attention: str):
    """The program of one batch and length runs with every other one of the same inputs."""
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
