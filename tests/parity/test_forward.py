"""All outputs of our models equal the reference's, within what the reference's own rounding allows."""

import pytest
import torch
from torch import Tensor

from archspec import api
from tests.parity.catalog import ALL, Model
from tests.parity.conftest import Rigs
from tests.parity.rig import Inputs, Rig

CASES = [pytest.param(model, case, id=f"{model.name}-{case}") for model in ALL for case in model.cases]
ATTENDING = [
    pytest.param(model, case, id=f"{model.name}-{case}")
    for model in ALL
    if model.attentions
    for case in model.cases
]
MODELS = [pytest.param(model, id=model.name) for model in ALL]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(("model", "case"), CASES)
def test_equals_the_reference(rigs: Rigs, model: Model, case: str, attention: str):
    rig = rigs(model)
    got = rig.run(rig.ours(attention), rig.inputs(case))
    assert rig.expected(case).excess(got) <= 1, rig.expected(case).excesses(got)


@pytest.mark.parametrize(("model", "case"), ATTENDING)
def test_attention_weights_equal(rigs: Rigs, model: Model, case: str):
    rig = rigs(model)
    weights = api.attention_weights(rig.ours("eager"), **rig.inputs(case))
    expected = rig.attentions(case)
    listed = any(isinstance(paths, list) for paths in model.attentions.values())  # then not all of them
    by_query = {p: w.transpose(1, 2) for p, w in weights.items() if p in expected.values or not listed}
    assert expected.excess(by_query) <= 1, expected.excesses(by_query)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("model", MODELS)
def test_bf16_is_as_near_to_fp64_as_the_reference_is(rigs: Rigs, model: Model, attention: str):
    """Where numbers are cast matters below fp32; which rounding errors come out of it is chance.

    So is which of two experts gets a token that likes both, and it moves the whole token: a quarter of them
    may be off by more.
    """
    rig = rigs(model)
    module = rig.ours(attention).bfloat16()
    ours = {case: rig.run(module, rig.inputs(case)) for case in model.cases}
    theirs = {case: rig.results(case, "bf16") for case in model.cases}
    for name in model.outputs:
        mine, usual = (error_of_most(rig, name, results) for results in (ours, theirs))
        assert mine < 1.5 * usual, (name, mine, usual)


def error_of_most(rig: Rig, name: str, got: dict[str, Inputs]) -> float:
    """What the error (root mean square over features) of three tokens in four stays below, in all cases."""
    errors = [off(rig, case, name, results[name]).flatten() for case, results in got.items()]
    return torch.cat(errors).quantile(0.75).item()


def off(rig: Rig, case: str, name: str, got: Tensor) -> Tensor:
    """How far each token is from the reference in fp64, where it is defined."""
    error = (got.double() - rig.results(case, "fp64")[name]).square().mean(-1).sqrt()
    where = rig.model.cases[case].where
    return error if where is None else error[rig.inputs(case)[where].bool()]


@pytest.mark.parametrize(("model", "case"), CASES)
def test_the_reference_is_well_conditioned(rigs: Rigs, model: Model, case: str):
    """Or its noise, and with it the tolerance, would hide what we look for."""
    expected = rigs(model).expected(case)
    for name, value in expected.values.items():
        assert expected.tolerance(name) < 1e-4 * value.abs().max().item()
        assert value.std() > 0.1


@pytest.mark.parametrize("model", MODELS)
def test_cases_differ_in_batch_and_length(model: Model):
    sizes = [case.sizes for case in model.cases.values()]
    assert 1 in [size["B"] for size in sizes]
    assert all(len({size[letter] for size in sizes}) > 1 for letter in sizes[0])
    lengths = [size[letter] for size in sizes for letter in size if letter != "B"]
    assert not lengths or any(length % 2 for length in lengths)
    padded = any("padding" in rule for case in model.cases.values() for rule in case.inputs.values())
    assert padded or "attention_mask" not in api.load(model.spec).table("inputs")
