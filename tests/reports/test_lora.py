"""Adapters: what they add and what frozen weights leave out, beside modules wrapped as PEFT wraps them."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archspec import api
from archspec.analysis.sizes import number
from archspec.backends.torch.fake.traced import Training
from archspec.errors import ArchspecError, UnsupportedError
from archspec.measuring.inputs import inputs
from archspec.measuring.measure import Measured, measure_saved, measure_step
from archspec.reports.account import Account
from archspec.reports.lookups import limits
from archspec.reports.question import Question
from archspec.reports.shapes import shapes

RANK = 3
LLAMA: dict[str, Any] = {
    "vocab_size": 50, "hidden_size": 16, "num_layers": 3, "num_heads": 4, "num_kv_heads": 2, "head_dim": 4,
    "intermediate_size": 24,
}  # fmt: skip
GPT2: dict[str, Any] = {"vocab_size": 50, "hidden_size": 16, "num_layers": 3, "num_heads": 4}
SIZES = {"B": 2, "S": 7}
CASES: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "queries and values": ("llama", LLAMA, ("q", "v")),
    "all of attention and the MLP": ("llama", LLAMA, ("q", "k", "v", "out", "gate", "up", "down")),
    "only the last": ("llama", LLAMA, ("down",)),
    "with biases": ("gpt2", GPT2, ("qkv", "up")),
    "the head": ("llama", LLAMA, ("lm_head",)),
    "of each expert": (
        "mixtral", {**LLAMA, "num_experts": 2, "top_k": 2}, ("q", "up"),
    ),
}  # fmt: skip
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "autocast": torch.float32}


class Adapted(nn.Module):
    """Source: `peft.tuners.lora.layer.Linear.forward`, with alpha / r = 2 and no dropout."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base_layer = base
        self.lora_A = nn.Linear(base.in_features, RANK, bias=False)
        self.lora_B = nn.Linear(RANK, base.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base_layer(x) + self.lora_B(self.lora_A(x)) * 2.0


def wrapped(module: nn.Module, targets: tuple[str, ...]) -> nn.Module:
    module.requires_grad_(requires_grad=False)
    for path, inner in list(module.named_modules()):
        if isinstance(inner, nn.Linear) and set(path.split(".")) & set(targets):
            around, _, name = path.rpartition(".")
            setattr(module.get_submodule(around), name, Adapted(inner))
    return module


def account(case: str, precision: str, attention: str = "eager") -> Account:
    spec, overrides, targets = CASES[case]
    asked = Question(
        sizes=SIZES, attention=attention, precision=precision, dropout=False, hardware="cpu", lora=RANK,
        targets=targets,
    )  # fmt: skip
    return Account(api.lower(api.load(spec, overrides=overrides)), asked)


def measured(case: str, precision: str, attention: str = "eager") -> tuple[Measured, Measured]:
    spec, overrides, targets = CASES[case]
    asked, dtype = account(case, precision), PRECISIONS[precision]
    module = wrapped(api.compile(spec, overrides=overrides, attention=attention), targets).to(dtype)
    run: Any = getattr(module, "loss")  # noqa: B009  # a Module promises no such method
    if precision == "autocast":
        run = torch.autocast("cpu", dtype=torch.bfloat16)(run)
    wanted = shapes(asked.graph, asked.sizes, str(dtype).removeprefix("torch."), loss="loss")
    given = inputs(wanted, limits(asked.graph), torch.device("cpu"))
    return measure_saved(module, given, run), measure_step(module, given, run)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", CASES)
def test_a_step_with_adapters(case: str, precision: str):
    found, (saved, step) = account(case, precision), measured(case, precision)
    assert found.training.activations + found.training.weight_copies == saved.activations
    assert flops(found.training_step) == step.flops
    assert found.step.step.full == step.flops
    if case != "of each expert":  # a run on shapes gives each the same rows
        assert found.training_step.peak == step.peak


def test_fused_attention_with_adapters():
    case = "queries and values"
    found, (saved, step) = account(case, "bf16", "sdpa"), measured(case, "bf16", "sdpa")
    assert found.training.activations == saved.activations
    assert found.training_step.peak == step.peak


def flops(step: Training) -> int:
    return sum(k.flops for k in step.kernels)


def test_what_is_frozen_costs_less():
    """Only the last matrix is trained: nothing before it needs a gradient, or keeps anything."""
    last, all_ = account("only the last", "fp32"), account("all of attention and the MLP", "fp32")
    whole = Account(last.graph, Question(sizes=SIZES, attention="eager", precision="fp32", dropout=False))
    assert last.training.activations < all_.training.activations
    back = [number(each.step.backward.full, "FLOPs") for each in (last, all_, whole)]
    assert back[0] < back[1] < back[2]
    assert last.training_step.gradients == 4 * 3 * RANK * (16 + 24)


def test_in_symbols():
    """FLOPs of a step with adapters are a polynomial in B and S, and in numbers the same."""
    found = account("queries and values", "fp32")
    free = Account(found.graph, Question(lora=RANK, targets=("q", "v")))
    assert "B" in str(free.step.step.full)
    assert found.step.step.full == found.training.flops + found.training.backward_flops


def test_what_is_no_linear_layer():
    graph = api.lower(api.load("gpt2", overrides=GPT2))
    asked = Account(graph, Question(sizes=SIZES, lora=RANK, targets=("wpe",)))
    with pytest.raises(ArchspecError, match=r"D006 'wpe\.weight' is no weight of a linear layer"):
        _ = asked.step
    with pytest.raises(UnsupportedError, match=r"A011 'wpe\.weight' is no linear layer"):
        _ = asked.training_step
