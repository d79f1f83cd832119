"""Losses and gradients equal the reference's."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.parity.catalog import ALL, Edits, Loss, Model
from tests.parity.compare import Expected
from tests.parity.conftest import Rigs
from tests.parity.draw import draw
from tests.parity.rig import Inputs, Rig, as_exact, doubled, save, spelt

TRAINED = [(model, model.loss) for model in ALL if model.loss]
MODELS = [pytest.param(*pair, id=pair[0].name) for pair in TRAINED]
MOVING = [pytest.param(model, loss, id=model.name) for model, loss in TRAINED if loss.moves]
MUTANTS = [
    pytest.param(m, loss, e, id=f"{m.name}-{n}") for m, loss in TRAINED for n, e in loss.mutants.items()
]


@dataclass(frozen=True)
class Learned:
    """A loss and its gradients by the names of parameters."""

    loss: Inputs
    gradients: Inputs

    @classmethod
    def of(cls, module: nn.Module, loss: torch.Tensor) -> "Learned":
        loss.backward()
        named = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
        return cls({"loss": loss.detach()}, named)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(("model", "loss"), MODELS)
def test_losses_and_gradients_equal(rigs: Rigs, model: Model, loss: Loss, attention: str, tmp_path: Path):
    rig = rigs(model)
    module: Any = rig.ours(attention)
    got = Learned.of(module, module.loss(**read(rig, loss)))
    single, double = theirs(rig, loss)
    assert Expected.measured(single.loss, double.loss).excess(got.loss) <= 1
    expected = rig.once(("gradients",), partial(gradients, rig, single, double, tmp_path))
    excesses = expected.excesses(got.gradients)
    assert {name: excess for name, excess in excesses.items() if excess > 1} == {}


@pytest.mark.parametrize(("model", "loss", "edits"), MUTANTS)
def test_a_mutant_has_another_loss(rigs: Rigs, model: Model, loss: Loss, edits: Edits, tmp_path: Path):
    rig = rigs(model)
    module = rig.ours(spec=model.written(edits, tmp_path))
    single, double = theirs(rig, loss)
    got = {"loss": module.loss(**read(rig, loss)).detach()}
    assert Expected.measured(single.loss, double.loss).excess(got) > 10


@pytest.mark.parametrize(("model", "loss"), MOVING)
def test_training_moves_the_same_buffers_as_far(rigs: Rigs, model: Model, loss: Loss, tmp_path: Path):
    rig = rigs(model)
    module: Any = rig.ours()
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    module.train().loss(**read(rig, loss))
    single, double = (trained(rig, loss, cast_to, tmp_path) for cast_to in (copy.deepcopy, doubled))
    moved = {name: buffer for name, buffer in module.named_buffers() if not buffer.equal(before[name])}
    assert moved
    assert moved.keys() == {name for name in before if name.endswith(tuple(loss.moves))}
    expected = Expected.measured({n: single[n] for n in moved}, {n: double[n] for n in moved})
    assert expected.excess(moved) <= 1, expected.excesses(moved)


def trained(rig: Rig, loss: Loss, cast_to: Callable[[nn.Module], nn.Module], folder: Path) -> Inputs:
    """The reference's buffers by our names, after it has seen a batch of training."""
    carrier = cast_to(rig.reference).train()
    carrier(**spelt(as_exact(rig.inputs(loss.case), carrier), rig.model))
    save(carrier.eval(), folder / cast_to.__name__)
    return dict(rig.ours(weights=folder / cast_to.__name__).named_buffers())


def read(rig: Rig, loss: Loss) -> Inputs:
    """What our loss takes."""
    case = rig.model.cases[loss.case]
    given = rig.inputs(loss.case) | draw(case, loss.inputs, rig.model.name)
    return {name: value for name, value in given.items() if name not in loss.fed}


def theirs(rig: Rig, loss: Loss) -> tuple[Learned, Learned]:
    """What the reference learns, in fp32 and in fp64."""
    return rig.once(("learned",), partial(_learned, rig, loss))


def _learned(rig: Rig, loss: Loss) -> tuple[Learned, Learned]:
    given = read(rig, loss)
    arguments = {name: value for name, value in given.items() if name not in loss.inputs}
    arguments |= {name: given[ours] for name, ours in loss.theirs.items() if isinstance(ours, str)}
    arguments = spelt(arguments, rig.model)
    words = {name: value for name, value in loss.theirs.items() if not isinstance(value, str)}
    references = copy.deepcopy(rig.reference), doubled(rig.reference)
    losses = (each(**as_exact(arguments, each), **words).loss for each in references)
    single, double = (Learned.of(each, loss) for each, loss in zip(references, losses, strict=True))
    return single, double


def gradients(rig: Rig, single: Learned, double: Learned, folder: Path) -> Expected:
    """The reference's gradients and their noise by our names: both take the way that weights take."""
    noise = {n: (double.gradients[n] - g).abs() for n, g in single.gradients.items()}
    values, off = (as_ours(rig, t, folder / n) for n, t in (("values", single.gradients), ("noise", noise)))
    return Expected(values, {name: tensor.max().item() for name, tensor in off.items()})


def as_ours(rig: Rig, tensors: Inputs, folder: Path) -> Inputs:
    """Tensors of the reference, saved as its checkpoint and read through the spec's map of weights."""
    carrier = copy.deepcopy(rig.reference)
    with torch.no_grad():
        for name, parameter in carrier.named_parameters():
            if name in tensors:  # the others are fixed
                parameter.copy_(tensors[name])
    save(carrier, folder)
    return {name: p.detach() for name, p in rig.ours(weights=folder).named_parameters()}
