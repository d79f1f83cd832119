"""A folder of ours is a folder of the reference's, and the way back loses nothing."""

from pathlib import Path

import pytest
import torch

from archspec import api
from tests.parity.catalog import ALL, Model
from tests.parity.conftest import Rigs
from tests.parity.rig import EAGER, reference_class, results

MODELS = [pytest.param(model, id=model.name) for model in ALL]


@pytest.mark.parametrize("model", MODELS)
def test_the_reference_loads_what_we_export(rigs: Rigs, model: Model, tmp_path: Path):
    rig = rigs(model)
    module = rig.ours()
    api.export_hf(module, model.spec, tmp_path, preset=model.preset, overrides=model.params, graph=model.graph)
    kind = reference_class(model.library, model.reference)
    eager = EAGER if model.library == "transformers" else {}
    again, info = kind.from_pretrained(tmp_path, output_loading_info=True, **eager)
    assert not any(info.values()), info
    for name, tensor in rig.reference.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    for case in model.cases:
        assert rig.expected(case).excess(results(again, rig.inputs(case), model)) <= 1
    back = rig.ours(weights=tmp_path).state_dict()
    assert all(torch.equal(back[name], tensor) for name, tensor in module.state_dict().items())
    assert back.keys() == module.state_dict().keys()


@pytest.mark.parametrize("model", MODELS)
def test_the_auto_class_finds_it(rigs: Rigs, model: Model, tmp_path: Path):
    api.export_hf(rigs(model).ours(), model.spec, tmp_path, preset=model.preset, overrides=model.params, graph=model.graph)
    found = reference_class(model.library, "AutoModel").from_pretrained(str(tmp_path))
    assert model.reference in (type(found).__name__, *(getattr(found.config, "architectures", None) or ()))
