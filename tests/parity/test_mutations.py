"""A comparison that accepts a wrong model is worth nothing: each of these must fail it."""

from pathlib import Path

import pytest

from archspec.errors import WeightsError
from tests.parity.catalog import ALL, Edits, Model
from tests.parity.conftest import Rigs

MUTANTS = [pytest.param(m, e, id=f"{m.name}-{name}") for m in ALL for name, e in m.mutants.items()]
REFUSED = [pytest.param(m, e, id=f"{m.name}-{name}") for m in ALL for name, e in m.refused.items()]


@pytest.mark.parametrize(("model", "edits"), MUTANTS)
def test_a_mutant_computes_something_else(rigs: Rigs, model: Model, edits: Edits, tmp_path: Path):
    rig = rigs(model)
    module = rig.ours(spec=model.written(edits, tmp_path))
    assert max(rig.expected(case).excess(rig.run(module, rig.inputs(case))) for case in model.cases) > 10


@pytest.mark.parametrize(("model", "edits"), REFUSED)
def test_no_weights_fit_a_mutant(rigs: Rigs, model: Model, edits: Edits, tmp_path: Path):
    rig = rigs(model)
    with pytest.raises(WeightsError):
        rig.ours(spec=model.written(edits, tmp_path))


@pytest.mark.parametrize("spec", sorted({model.spec for model in ALL}))
def test_each_spec_has_enough_of_both_kinds(spec: str):
    family = [model for model in ALL if model.spec == spec]
    assert sum(len(model.mutants) for model in family) >= 6
    assert sum(len(model.refused) for model in family) >= 3
