"""Every parameter is there, does something, and learns as in the reference."""

import copy
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.parity.catalog import ALL, Loss, Model
from tests.parity.compare import Expected
from tests.parity.conftest import Rigs
from tests.parity.draw import draw, generator
from tests.parity.rig import Inputs, Rig, doubled, save

MODELS = [pytest.param(model, id=model.name) for model in ALL]
TRAINED = [pytest.param(model, model.loss, id=model.name) for model in ALL if model.loss]


@pytest.mark.parametrize("model", MODELS)
def test_the_reference_has_as_many(rigs: Rigs, model: Model):
    rig = rigs(model)
    ours, theirs = (sum(p.numel() for p in m.parameters()) for m in (rig.ours(), rig.reference))
    assert ours == theirs


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_changes_the_output(rigs: Rigs, model: Model):
    rig, case = rigs(model), next(iter(model.cases))
    module, expected = rig.ours(), rig.expected(case)
    changes: dict[str, float] = {}
    for name, tensor in module.named_parameters():
        with moved(name, tensor):
            changes[name] = expected.excess(rig.run(module, rig.inputs(case)))
    silent = {name for name in changes if any(name.endswith(end) for end in model.silent)}
    assert bool(silent) == bool(model.silent)
    assert {name for name, change in changes.items() if change < 100} == silent
    assert all(changes[name] <= 1 for name in silent)


@contextmanager
def moved(name: str, tensor: Tensor) -> Generator[None]:
    """A parameter that is off by about 0.1 everywhere, and then as it was."""
    before = tensor.detach().clone()
    with torch.no_grad():
        tensor.add_(torch.randn(tensor.shape, generator=generator(name)) * 0.1)
        yield
        tensor.copy_(before)


@pytest.mark.parametrize(("model", "loss"), TRAINED)
def test_losses_and_gradients_equal(rigs: Rigs, model: Model, loss: Loss, tmp_path: Path):
    rig = rigs(model)
    given = rig.inputs(loss.case) | draw(model.cases[loss.case], loss.inputs, model.name)
    given = {name: value for name, value in given.items() if name not in loss.fed}
    theirs = {name: value for name, value in given.items() if name in model.cases[loss.case].inputs}
    theirs |= {name: given[ours] for name, ours in loss.theirs.items()}
    single, double = (_learned(m, theirs) for m in (copy.deepcopy(rig.reference), doubled(rig.reference)))
    module = rig.ours("sdpa")
    value = module.loss(**given)
    value.backward()
    assert Expected.measured(single.loss, double.loss).excess({"loss": value.detach()}) <= 1
    excesses = _gradients(rig, single, double, tmp_path).excesses(_gradients_of(module))
    assert {name: excess for name, excess in excesses.items() if excess > 1} == {}


@dataclass(frozen=True)
class Learned:
    """A loss and its gradients, by the reference's names."""

    loss: Inputs
    gradients: Inputs


def _learned(reference: nn.Module, given: Inputs) -> Learned:
    loss = reference(**given).loss
    loss.backward()
    return Learned({"loss": loss.detach()}, _gradients_of(reference))


def _gradients_of(module: nn.Module) -> Inputs:
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


def _gradients(rig: Rig, single: Learned, double: Learned, folder: Path) -> Expected:
    """The reference's gradients and their noise by our names: both take the way that weights take."""
    noise = {n: (double.gradients[n] - g).abs() for n, g in single.gradients.items()}
    values, off = (_as_ours(rig, t, folder / n) for n, t in (("values", single.gradients), ("noise", noise)))
    return Expected(values, {name: tensor.max().item() for name, tensor in off.items()})


def _as_ours(rig: Rig, tensors: Inputs, folder: Path) -> Inputs:
    """Tensors of the reference, saved as its checkpoint and read through the spec's map of weights."""
    carrier = copy.deepcopy(rig.reference)
    with torch.no_grad():
        for name, parameter in carrier.named_parameters():
            parameter.copy_(tensors[name])
    save(carrier, folder)
    return {name: p.detach() for name, p in rig.ours(weights=folder).named_parameters()}
