"""The moments of a peak beside small reference models, measured here: none is fitted to one size."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any, cast

import pytest
import torch
import transformers
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from archspec import api
from archspec.backends.torch.fake.trace import Mode, Subject
from archspec.measuring.measure import LiveBytes, key_of
from tests.backends.torch.fake.moments import WHY, Peak, Sizes, Tensors, highest
from tests.backends.torch.fake.moments_text import bert, gpt2, llama

DTYPES = {4: torch.float32, 2: torch.bfloat16}
MOMENTS: dict[str, Callable[[Sizes, bool], Peak]] = {"bert": bert, "gpt2": gpt2, "llama": llama}

# Each line peaks where it says, in fp32 and with eager attention, in the reference and in ours.
TABLE = """\
model,b,s,h,ff,heads,kv,v,theirs,ours
bert,2,16,64,256,4,4,50,mlp,mlp
bert,2,128,64,256,4,4,50,scores,weighted
bert,3,19,24,72,3,3,50,output,weighted
gpt2,2,16,64,256,4,4,50,mlp,mlp
gpt2,1,128,32,96,8,8,50,scores,weighted
gpt2,3,19,24,96,3,3,2000,logits,logits
llama,2,16,64,256,4,2,50,mlp,mlp
llama,1,128,64,192,4,4,50,scores,weighted
llama,3,96,64,192,8,1,50,scores,weighted
llama,2,96,64,192,8,2,50,scores,weighted
llama,2,21,48,130,4,2,3000,logits,logits
"""
NUMBERS = ("b", "s", "h", "ff", "heads", "kv", "v")


@dataclass(frozen=True)
class Case:
    """A model, and where both of its programs peak in fp32 with eager attention."""

    model: str
    sizes: Sizes
    moments: tuple[str, str]

    def __str__(self) -> str:
        return f"{self.model}-{self.sizes.b}x{self.sizes.s}"


CASES = [
    Case(line["model"], Sizes(*(int(line[name]) for name in NUMBERS), item=4), (line["theirs"], line["ours"]))
    for line in csv.DictReader(StringIO(TABLE))
]


def config(model: str, n: Sizes) -> Any:
    kind = {"bert": "BertConfig", "gpt2": "GPT2Config", "llama": "LlamaConfig"}[model]
    own = {"n_inner": n.ff} if model == "gpt2" else {"intermediate_size": n.ff}
    if model == "llama":
        own |= {"num_key_value_heads": n.kv}
    return getattr(transformers, kind)(
        vocab_size=n.v, hidden_size=n.h, num_hidden_layers=3, num_attention_heads=n.heads, **own
    )


def theirs(model: str, n: Sizes, attention: str) -> int:
    """The peak of the reference."""
    kind = {"bert": "BertModel", "gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM"}[model]
    settings = config(model, n)
    settings._attn_implementation = attention
    before = torch.get_default_dtype()
    with FakeTensorMode():
        torch.set_default_dtype(DTYPES[n.item])
        try:
            reference = cast("nn.Module", getattr(transformers, kind)(settings)).eval()
        finally:
            torch.set_default_dtype(before)
        ids = torch.ones(n.b, n.s, dtype=torch.int64)
        known = {key_of(x) for x in (*reference.parameters(), *reference.buffers(), ids)}
        with torch.no_grad(), LiveBytes(known) as live:
            reference(ids, **({} if model == "bert" else {"use_cache": False}))
    return live.peak


def ours(model: str, n: Sizes, attention: str) -> int:
    """The peak of the emitted module."""
    settings: dict[str, object] = {
        "vocab_size": n.v, "hidden_size": n.h, "intermediate_size": n.ff, "num_heads": n.heads,
        "num_layers": 3,
    }  # fmt: skip
    if model == "llama":
        settings |= {"num_kv_heads": n.kv, "head_dim": n.h // n.heads}
    spec = api.load(model, preset="encoder" if model == "bert" else None, overrides=settings)
    subject = Subject(api.source(spec, attention=attention), model)
    dtype = "float32" if n.item == 4 else "bfloat16"
    return subject.trace({"input_ids": ((n.b, n.s), "int64")}, Mode(dtype=dtype)).peak


def name_of(moments: Mapping[str, Tensors]) -> str:
    """The moment with most."""
    return next(name for name, alive in moments.items() if alive == highest(moments))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("item", [4, 2], ids=["fp32", "bf16"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_peaks_are_their_moments(case: Case, item: int, attention: str):
    sizes = replace(case.sizes, item=item)
    found = MOMENTS[case.model](sizes, attention == "eager")
    assert theirs(case.model, sizes, attention) == sum(highest(found.reference).values())
    assert ours(case.model, sizes, attention) == sum(highest(found.ours).values())
    assert found.difference().keys() <= WHY.keys()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_cases_reach_every_moment(case: Case):
    found = MOMENTS[case.model](case.sizes, True)
    assert (name_of(found.reference), name_of(found.ours)) == case.moments
