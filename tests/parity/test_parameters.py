"""Every parameter is there, and does something."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from tests.parity.catalog import ALL, Model
from tests.parity.conftest import Rigs
from tests.parity.draw import generator

MODELS = [pytest.param(model, id=model.name) for model in ALL]


@pytest.mark.parametrize("model", MODELS)
def test_the_reference_has_as_many(rigs: Rigs, model: Model):
    rig = rigs(model)
    ours, theirs = (
        sum(p.numel() for p in m.parameters() if p.requires_grad) for m in (rig.ours(), rig.reference)
    )
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
    assert {name for name, change in changes.items() if change <= 10} == silent
    assert all(changes[name] <= 1 for name in silent)


@contextmanager
def moved(name: str, tensor: Tensor) -> Generator[None]:
    """A parameter that is off by about 0.1 everywhere, by 0.05 at least, and then as it was."""
    before = tensor.detach().clone()
    with torch.no_grad():
        noise = torch.randn(tensor.shape, generator=generator(name))
        tensor.add_((noise + noise.sign()) * 0.05)
        yield
        tensor.copy_(before)
