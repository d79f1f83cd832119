"""A folder of ours is a folder of the reference's, and the way back loses nothing."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from archspec import api
from tests.parity.catalog import ALL, Model
from tests.parity.conftest import Rigs
from tests.parity.rig import EAGER, reference_class, results

MODELS = [pytest.param(model, id=model.name) for model in ALL]


def export(module: nn.Module, model: Model, folder: Path) -> None:
    settings: dict[str, Any] = {"preset": model.preset, "overrides": model.params, "graph": model.graph}
    api.export_hf(module, model.spec, folder, **settings)


@pytest.mark.parametrize("model", MODELS)
def test_the_reference_loads_what_we_export(rigs: Rigs, model: Model, tmp_path: Path):
    rig = rigs(model)
    module = rig.ours()
    export(module, model, tmp_path)
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
    export(rigs(model).ours(), model, tmp_path)
    found = reference_class(model.library, "AutoModel").from_pretrained(str(tmp_path))
    assert model.reference in (type(found).__name__, *(getattr(found.config, "architectures", None) or ()))
