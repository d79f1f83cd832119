"""FLOPs of real models, against counts that were taken on the reference implementations.

Counted by a `TorchDispatchMode` on transformers 5.23.0 and diffusers 0.42.1 with eager attention, equal to
torch 2.13's `FlopCounterMode`: 2 per multiply-add of matrix products and convolutions, no bias adds, full
attention.
Training: forward and backward of a sum of the first output; with checkpointing each layer runs again by
`torch.utils.checkpoint(use_reentrant=False)`.
"""

from typing import Any, cast

import pytest

from archspec.analysis.flops import Flops
from archspec.analysis.sizes import number
from archspec.analysis.tracing import Training
from archspec.ir.graph import Graph
from archspec.lowering.lower import lower
from archspec.resolve import load

Params = dict[str, Any]
Spec = tuple[str, str | None, str | None, Params]

TINY: Params = {
    "hidden_size": 256, "intermediate_size": 688, "num_layers": 4, "num_heads": 8, "num_kv_heads": 2,
    "vocab_size": 1000,
}  # fmt: skip
TINY_MIXTURE = TINY | {"intermediate_size": 512, "num_experts": 8, "top_k": 2, "head_dim": 32}

BERT: Spec = ("bert", "encoder", None, {})
GPT2: Spec = ("gpt2", None, None, {})
LLAMA2: Spec = ("llama", "2-7b", None, {})
TINY_LLAMA: Spec = ("llama", None, None, TINY)
UNET: Spec = ("sd15", None, "unet", {})
PICTURE = {"B": 1, "L": 77, "H": 8, "W": 8}

FORWARD: list[tuple[Spec, dict[str, int], int, dict[str, int]]] = [
    (BERT, {"B": 1, "S": 128}, 22348431360, {"linear": 21744451584, "attention": 603979776}),
    (("distilbert", "encoder", None, {}), {"B": 1, "S": 128}, 11173625856, {"linear": 10871635968}),
    (("t5", None, None, {}), {"B": 1, "S": 128, "T": 128}, 16089350144, {"linear": 15485370368}),
    (("t5", "base", None, {}), {"B": 1, "S": 128, "T": 128}, 58862862336, {}),
    (("vit", None, None, {}), {"B": 1}, 35127656448, {"conv": 231211008, "attention": 1430654976}),
    (("sd15", None, "text_encoder", {}), {"B": 1, "L": 77}, 13298503680, {"attention": 218566656}),
    (UNET, PICTURE, 803273441280, {"conv": 443946106880, "attention": 126052270080}),
    (GPT2, {"B": 1, "S": 1024}, 291648307200, {"attention": 38654705664}),
    (LLAMA2, {"B": 1, "S": 2048}, 29261612187648, {"attention": 2199023255552}),
    (("llama", None, None, {}), {"B": 1, "S": 2048}, 32938104193024, {}),
    (TINY_LLAMA, {"B": 2, "S": 128}, 1682964480, {"attention": 134217728}),
    (
        ("mixtral", None, None, {}),
        {"B": 1, "S": 2048},
        54417235640320,
        {"linear": 6038724018176, "attention": 2199023255552, "experts": 46179488366592},
    ),
    (
        ("mixtral", None, None, TINY_MIXTURE),
        {"B": 1, "S": 128},
        1107820544,
        {"linear": 235405312, "attention": 67108864, "experts": 805306368},
    ),
]

# Of a step: which output is summed, whether layers run again, forward and backward FLOPs.
TRAINING: list[tuple[Spec, dict[str, int], str, bool, int]] = [
    (BERT, {"B": 1, "S": 128}, "last_hidden_state", False, 67042934784),
    (BERT, {"B": 1, "S": 128}, "last_hidden_state", True, 89390186496),
    (GPT2, {"B": 1, "S": 1024}, "logits", False, 874944921600),
    (GPT2, {"B": 1, "S": 1024}, "logits", True, 1029563744256),
    (TINY_LLAMA, {"B": 2, "S": 128}, "logits", False, 5048893440),
    (TINY_LLAMA, {"B": 2, "S": 128}, "logits", True, 6240075776),
    (LLAMA2, {"B": 1, "S": 2048}, "logits", False, 87784836562944),
    (LLAMA2, {"B": 1, "S": 2048}, "logits", True, 110599702839296),
    (UNET, PICTURE, "noise_pred", False, 2406773063680),
]


def graph(spec: Spec) -> Graph:
    name, preset, part, params = spec
    return lower(load(name, preset=preset, graph=part, overrides=params))


def label(value: object) -> str | None:
    return "-".join(filter(None, cast("Spec", value)[:3])) if isinstance(value, tuple) else None


@pytest.mark.parametrize(("spec", "sizes", "flops", "classes"), FORWARD, ids=label)
def test_forward(spec: Spec, sizes: dict[str, int], flops: int, classes: dict[str, int]):
    found = Flops.of(graph(spec), sizes)
    assert found.forward.full == flops
    by_class = found.by_class()
    assert {name: by_class[name].full for name in classes} == classes


def test_bart_is_counted_without_its_head():
    """The reference, BartModel, ends before the head: 26,273,120,256 with 128 tokens on either side."""
    found = Flops.of(graph(("bart", None, None, {})), {"B": 1, "S": 128, "T": 128})
    head = 2 * 128 * 768 * 50265
    assert found.forward.full == 26273120256 + head
    assert found.by_path(1)["lm_head"].full == head


def test_longformer_is_counted_without_its_global_projections():
    """The reference makes those of global tokens alone, and there are none. Windows it computes in blocks.

    Its linear layers are 695,785,881,600 for 4,096 tokens, its windows 130,459,631,616 with what blocks add.
    """
    found = Flops.of(graph(("longformer", "encoder", None, {})), {"B": 1, "S": 4096})
    lines = [line for line in found.lines if line.kind == "linear" and "global" not in line.path]
    assert sum(number(line.forward.full, line.path) for line in lines) == 695785881600
    pairs = 4096 * 513 - 256 * 257
    windows = found.by_class()["attention"].exact
    assert windows == 12 * 2 * 12 * (64 + 64) * pairs == 75035049984


@pytest.mark.parametrize(("spec", "sizes", "output", "checkpoint", "flops"), TRAINING, ids=label)
def test_a_step_of_training(spec: Spec, sizes: dict[str, int], output: str, checkpoint: bool, flops: int):
    training = Training((output,), "full" if checkpoint else "none")
    assert Flops.of(graph(spec), sizes, training=training).step.full == flops


# FLOPs per token of a step, attention causal. Megatron-Bridge, docs/performance-summary.md @067f987df, gives
# TFLOP/s and tokens/s, from which they follow.
PER_TOKEN = [
    (("llama", "70b", None, {}), 8192, 448813982521.8, 2e-3),
    (("llama", "405b", None, {}), 8192, 2523972602739.7, 2e-3),
    (("deepseek_v3", "671b", None, {}), 4096, 250e9, 2e-2),  # arXiv:2505.09343, table 2
]


@pytest.mark.parametrize(("spec", "length", "published", "tolerance"), PER_TOKEN, ids=label)
def test_training_flops_per_token(spec: Spec, length: int, published: float, tolerance: float):
    found = Flops.of(graph(spec), {"B": 1, "S": length}, training=Training()).step.exact
    assert isinstance(found, int)
    assert found / length == pytest.approx(published, rel=tolerance)


# torchvision, `_ops` of the weights' metadata: billions of multiply-adds, to three digits.
@pytest.mark.parametrize(
    ("spec", "preset", "macs"),
    [("vit", None, 17.564), ("vit", "large", 61.555), ("resnet", None, 4.089), ("resnet", "18", 1.814)],
)
def test_torchvision(spec: str, preset: str | None, macs: float):
    one = graph((spec, preset, None, {}))
    sizes = {"B": 1} | {name: 224 for name in ("H", "W") if name in one.dims}
    full = Flops.of(one, sizes).forward.full
    assert isinstance(full, int)
    assert round(full / 2e9, 3) == pytest.approx(macs, abs=6e-4)


# pytorch-image-models, results/benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv @aa4b5850: billions of
# multiply-adds. They count some work on single elements too, so they are up to half a percent more.
@pytest.mark.parametrize(
    ("spec", "preset", "macs"),
    [("vit", None, 17.58), ("vit", "large", 61.6), ("vit", "huge_patch14", 167.4), ("resnet", None, 4.11),
     ("swin", None, 4.51), ("convnext", "base", 15.38)],
)  # fmt: skip
def test_timm(spec: str, preset: str | None, macs: float):
    one = graph((spec, preset, None, {}))
    sizes = {"B": 1} | {name: 224 for name in ("H", "W") if name in one.dims}
    full = Flops.of(one, sizes).forward.full
    assert isinstance(full, int)
    assert full / 2e9 == pytest.approx(macs, rel=6e-3)
