"""Counts measured on the reference's classes, from the spec alone: no torch, no model."""

from __future__ import annotations

import pytest

from archspec import api
from archspec.ir.graph import parameter_count

MEASURED = [  # spec, preset, parameters of the reference's class on the meta device (tied ones once), which
    ("bert", "encoder", 109_482_240, "bert-base-uncased, BertModel"),
    ("bert", None, 109_514_298, "bert-base-uncased (MLM head), BertForMaskedLM"),
    ("bert", "large_encoder", 335_141_888, "bert-large-uncased, BertModel"),
    ("roberta", "encoder", 124_645_632, "roberta-base, RobertaModel"),
    ("distilbert", "encoder", 66_362_880, "distilbert-base-uncased, DistilBertModel"),
    ("albert", "encoder", 11_683_584, "albert-base-v2, AlbertModel"),
    ("gpt2", None, 124_439_808, "gpt2, GPT2LMHeadModel"),
    ("gpt2", "medium", 354_823_168, "gpt2-medium, GPT2LMHeadModel"),
    ("gpt2", "large", 774_030_080, "gpt2-large, GPT2LMHeadModel"),
    ("gpt2", "xl", 1_557_611_200, "gpt2-xl, GPT2LMHeadModel"),
    ("gpt2", "gpt3", 174_604_259_328, "gpt-3 175B shape (GPT2 arch), GPT2LMHeadModel"),
    ("opt", None, 125_239_296, "opt-125m, OPTForCausalLM"),
    ("gpt_neox", "pythia-70m", 70_426_624, "pythia-70m, GPTNeoXForCausalLM"),
    ("gpt_neox", None, 20_554_567_680, "gpt-neox-20b, GPTNeoXForCausalLM"),
    ("bloom", "176b", 176_247_271_424, "bloom-176b, BloomForCausalLM"),
    ("llama", "2-7b", 6_738_415_616, "llama-7b (1 and 2), LlamaForCausalLM"),
    ("llama", "2-13b", 13_015_864_320, "llama-13b (1 and 2), LlamaForCausalLM"),
    ("llama", "1-65b", 65_285_660_672, "llama-65b, LlamaForCausalLM"),
    ("llama", "2-70b", 68_976_648_192, "llama-2-70b, LlamaForCausalLM"),
    ("llama", None, 8_030_261_248, "llama-3-8b / 3.1-8b, LlamaForCausalLM"),
    ("llama", "70b", 70_553_706_496, "llama-3-70b / 3.1-70b, LlamaForCausalLM"),
    ("llama", "405b", 405_853_388_800, "llama-3.1-405b, LlamaForCausalLM"),
    ("llama", "tiny-1.1b", 1_100_048_384, "tinyllama-1.1b, LlamaForCausalLM"),
    ("mistral", None, 7_241_732_096, "mistral-7b, MistralForCausalLM"),
    ("mixtral", None, 46_702_792_704, "mixtral-8x7b, MixtralForCausalLM"),
    ("qwen2", "0.5b", 494_032_768, "qwen2.5-0.5b, Qwen2ForCausalLM"),
    ("qwen2", None, 7_615_616_512, "qwen2.5-7b, Qwen2ForCausalLM"),
    ("gemma", None, 2_506_172_416, "gemma-2b, GemmaForCausalLM"),
    ("mamba", None, 129_135_360, "mamba-130m, MambaForCausalLM"),
    ("t5", None, 60_506_624, "t5-small, T5ForConditionalGeneration"),
    ("t5", "base", 222_903_552, "t5-base, T5ForConditionalGeneration"),
    ("t5", "large", 737_668_096, "t5-large, T5ForConditionalGeneration"),
    ("bart", None, 139_420_416, "bart-base, BartModel"),
    ("longformer", "encoder", 148_659_456, "longformer-base-4096, LongformerModel"),
    ("vit", None, 86_567_656, "vit-base-patch16-224, ViTForImageClassification"),
    ("vit", "large", 304_326_632, "vit-large-patch16-224, ViTForImageClassification"),
    ("clip", None, 151_277_313, "clip-vit-base-patch32, CLIPModel"),
    ("clip", "vit_large_patch14", 427_616_513, "clip-vit-large-patch14, CLIPModel"),
]


@pytest.mark.parametrize(("spec", "preset", "count", "model"), MEASURED, ids=[row[3] for row in MEASURED])
def test_a_spec_counts_as_the_reference(spec: str, preset: str | None, count: int, model: str):
    assert parameter_count(api.lower(api.load(spec, preset=preset))) == count, model
