"""`torch.compile` and `torch.export` take our models whole, and leave batch and lengths free."""

from dataclasses import replace

import pytest
import torch
from torch.export import Dim, export

from tests.parity.catalog import ALL, Model
from tests.parity.conftest import Rigs

CASES = [
    pytest.param(model, case, id=f"{model.name}-{case}")
    for model in ALL
    if model.name == model.spec
    for case in (next(iter(model.cases)), "alone")
]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(("model", "case"), CASES)
def test_compiles_without_breaks(rigs: Rigs, model: Model, case: str, attention: str):
    rig = rigs(model)
    torch.compiler.reset()
    compiled = torch.compile(rig.ours(attention), fullgraph=True, backend="aot_eager")
    assert rig.expected(case).excess(rig.run(compiled, rig.inputs(case))) <= 1


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(("model", "case"), CASES)
def test_exports_with_free_sizes(rigs: Rigs, model: Model, case: str, attention: str):
    """The program that one batch and length gave runs with fewer and shorter rows."""
    rig = rigs(model)
    module, given = rig.ours(attention), rig.inputs(case)
    free = {name: _free(value) for name, value in given.items()}
    with torch.no_grad():
        program = export(module, (), given, dynamic_shapes=free).module()
    assert rig.expected(case).excess(rig.run(program, given)) <= 1
    fewer = {name: value[:2, : value.shape[1] - 4] for name, value in given.items()}
    whole = replace(rig.expected(case), values=rig.run(module, fewer))
    assert whole.excess(rig.run(program, fewer)) <= 1


def _free(value: torch.Tensor) -> dict[int, object]:
    """Every size; a program for a batch of 1 may say so."""
    return {axis: Dim.DYNAMIC for axis, size in enumerate(value.shape) if size > 1}
