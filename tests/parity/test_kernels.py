"""Generated kernels, in Triton's interpreter, give the outputs and the gradients of the reference."""

from pathlib import Path

import pytest

from archspec import api
from tests.backends.torch.kernels import interpreter as interpreter  # repairs what runs the kernels
from tests.parity.catalog import ALL, Model
from tests.parity.compare import Expected
from tests.parity.conftest import Rigs
from tests.parity.test_training import Learned, gradients, read, theirs

# One for each kind of what a kernel gives gradients to: a padded batch, windows, a cap, a table of distances.
TRAINED = ("bert", "longformer", "gemma2", "t5")


def attends(model: Model) -> bool:
    spec = api.load(model.spec, preset=model.preset, overrides=model.params, graph=model.graph)
    return bool(api.kernels(spec))


ATTENDING = [pytest.param(model, id=model.name) for model in ALL if attends(model)]
LEARNING = [pytest.param(model, id=model.name) for model in ALL if model.name in TRAINED]


@pytest.mark.parametrize("model", ATTENDING)
def test_outputs_equal(rigs: Rigs, model: Model):
    rig, case = rigs(model), next(iter(model.cases))
    got = rig.run(rig.ours("triton"), rig.inputs(case))
    excesses = rig.expected(case).excesses(got)
    assert {name: excess for name, excess in excesses.items() if excess > 1} == {}


@pytest.mark.parametrize("model", LEARNING)
def test_losses_and_gradients_equal(rigs: Rigs, model: Model, tmp_path: Path):
    rig, loss = rigs(model), model.loss
    assert loss is not None, "a model that is trained has a loss"
    module = rig.ours("triton")
    got = Learned.of(module, module.loss(**read(rig, loss)))
    single, double = theirs(rig, loss)
    assert Expected.measured(single.loss, double.loss).excess(got.loss) <= 1
    expected = rig.once(("gradients",), lambda: gradients(rig, single, double, tmp_path))
    excesses = expected.excesses(got.gradients)
    assert {name: excess for name, excess in excesses.items() if excess > 1} == {}
