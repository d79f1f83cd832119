"""`torch.compile` and `torch.export` take our models whole, and leave batch and lengths free."""

from dataclasses import replace

import pytest
import torch
from torch.export import Dim, export

from tests.parity.catalog import ALL, Model
from tests.parity.conftest import Rigs
from tests.parity.draw import free

TRACED = [
    (model, case, attention)
    for model in ALL
    if model.name == model.spec
    for case in dict.fromkeys((next(iter(model.cases)), "alone"))
    for attention in model.traced
]
# What stops one tracer mostly stops the other: most models are compiled with one case, exported with another.
COMPILED, EXPORTED = (
    [
        pytest.param(*each, id=f"{each[0].name}-{each[1]}-{each[2]}")
        for each in TRACED
        if each[0].graphs == "all" or (each[1] == "alone") == alone
    ]
    for alone in (True, False)
)


@pytest.mark.parametrize(("model", "case", "attention"), COMPILED)
def test_compiles_without_breaks(rigs: Rigs, model: Model, case: str, attention: str):
    rig = rigs(model)
    torch.compiler.reset()
    backend = "aot_eager" if model.graphs == "all" else "eager"
    compiled = torch.compile(rig.ours(attention), fullgraph=True, backend=backend)
    assert rig.expected(case).excess(rig.run(compiled, rig.inputs(case))) <= 1


@pytest.mark.parametrize(("model", "case", "attention"), EXPORTED)
def test_exports_with_free_sizes(rigs: Rigs, model: Model, case: str, attention: str):
    """The program that one batch and length gave runs with fewer and shorter rows."""
    rig = rigs(model)
    module, given = rig.ours(attention), rig.inputs(case)
    letters = {name: _letters(model, case, name) for name in given}
    sizes = {name: _free(value, letters[name]) for name, value in given.items()}
    with torch.no_grad():
        program = export(module, (), given, dynamic_shapes=sizes).module()
    assert rig.expected(case).excess(rig.run(program, given)) <= 1
    fewer = {name: value[_fewer(value, letters[name])] for name, value in given.items()}
    where = model.cases[case].where
    rows = None if where is None else fewer[where]
    whole = replace(rig.expected(case), values=rig.run(module, fewer), where=rows)
    assert whole.excess(rig.run(program, fewer)) <= 1


def _letters(model: Model, case: str, name: str) -> list[str | None]:
    """The letter of each axis that a program leaves free."""
    return [None if letter in model.looped else letter for letter in free(model.cases[case], name)]


def _free(value: torch.Tensor, letters: list[str | None]) -> dict[int, object]:
    """Every size that cases change; a program for a batch of 1 may say so."""
    return {axis: Dim.DYNAMIC for axis, size in enumerate(value.shape) if letters[axis] and size > 1}


def _fewer(value: torch.Tensor, letters: list[str | None]) -> tuple[slice, ...]:
    """Two rows, and all lengths by 4 shorter."""
    ends = [
        size if letter is None else 2 if letter == "B" else size - 4
        for letter, size in zip(letters, value.shape, strict=True)
    ]
    return tuple(slice(end) for end in ends)
