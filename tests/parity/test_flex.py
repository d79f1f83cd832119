"""FlexAttention, not compiled, gives the outputs of the reference."""

import pytest
from torch.nn.attention.flex_attention import flex_attention

from tests.parity.catalog import ALL, Model
from tests.parity.conftest import Rigs

# One for each kind of what it is handed: padding, windows, a cap, a table, sinks, slopes, parts, latents.
CALLED = ("bert", "longformer", "gemma2", "t5", "gpt_oss", "bloom", "swin", "deepseek_v3")
CALLING = [pytest.param(model, id=model.name) for model in ALL if model.name in CALLED]


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@pytest.mark.parametrize("model", CALLING)
def test_outputs_equal(rigs: Rigs, model: Model):
    rig, case = rigs(model), next(iter(model.cases))
    module = rig.ours("flex")
    type(module).forward.__globals__["flex"] = flex_attention
    excesses = rig.expected(case).excesses(rig.run(module, rig.inputs(case)))
    assert {name: excess for name, excess in excesses.items() if excess > 1} == {}
