"""Parameter counts of the released models, from their specs alone.

They were counted on the reference implementations, transformers 5.23.0 with the released configurations, on
the meta device, tied tensors once. GPT-3 has its published shape (Brown et al. 2020, table 2.1) in the
architecture of GPT-2.
"""

from typing import Any

import pytest

from archspec.ir.graph import parameter_count
from archspec.lowering.lower import lower
from archspec.resolve import load

BERT_LARGE = {"hidden_size": 1024, "num_layers": 24, "num_heads": 16}
GPT3 = {"hidden_size": 12288, "num_layers": 96, "num_heads": 96, "max_positions": 2048}

COUNTS: list[tuple[str, str, str | None, dict[str, Any], int]] = [
    ("gpt2", "gpt2", None, {}, 124_439_808),
    ("gpt2-medium", "gpt2", "medium", {}, 354_823_168),
    ("gpt2-large", "gpt2", "large", {}, 774_030_080),
    ("gpt2-xl", "gpt2", "xl", {}, 1_557_611_200),
    ("gpt-3 175B shape (GPT2 arch)", "gpt2", None, GPT3, 174_604_259_328),
    ("bert-base-uncased", "bert", "encoder", {}, 109_482_240),
    ("bert-base-uncased (MLM head)", "bert", None, {}, 109_514_298),
    ("bert-large-uncased", "bert", "large_encoder", {}, 335_141_888),
    ("bert-large-uncased, by its sizes", "bert", "encoder", BERT_LARGE, 335_141_888),
    ("roberta-base", "roberta", "encoder", {}, 124_645_632),
    ("distilbert-base-uncased", "distilbert", "encoder", {}, 66_362_880),
    ("albert-base-v2", "albert", "encoder", {}, 11_683_584),
    ("t5-small", "t5", None, {}, 60_506_624),
    ("t5-base", "t5", "base", {}, 222_903_552),
    ("t5-large", "t5", "large", {}, 737_668_096),
    ("flan-t5-base (v1.1)", "t5", "v1_1_base", {}, 222_903_552),
]


@pytest.mark.parametrize(("spec", "preset", "params", "count"), [pytest.param(*r, id=n) for n, *r in COUNTS])
def test_counts(spec: str, preset: str | None, params: dict[str, Any], count: int):
    assert parameter_count(lower(load(spec, preset=preset, overrides=params))) == count
