"""Experts compute only what chose them: each is watched for the rows that it is handed."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archspec import api

SPEC = """\
archspec: 1
name: mix
params: {num_experts: 5, top_k: 2}
inputs: {x: "[B, S, 6]", gates: "[B, S, num_experts]"}
model:
  - likely, chosen: "topk(gates, top_k)"
  - weights: "scatter(likely, chosen, num_experts)"
  - experts: {experts: num_experts, in: x, weights: weights, body: [{fc: {op: linear, out: 3}}]}
outputs: {y: experts}
"""


@pytest.fixture
def model(tmp_path: Path) -> nn.Module:
    path = tmp_path / "mix.yaml"
    path.write_text(SPEC)
    return api.compile(path)


def watched(model: nn.Module) -> dict[str, int]:
    """How many rows each expert is handed from here on, by its path."""
    seen: dict[str, int] = {}

    def count(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen[names[module]] = seen.get(names[module], 0) + given[0].shape[0]

    names = {module: name for name, module in model.named_modules() if name.endswith(".fc")}
    for module in names:
        module.register_forward_pre_hook(count)
    return seen


def test_each_expert_sees_the_rows_that_chose_it_and_no_other(model: nn.Module):
    seen, gates = watched(model), torch.rand(3, 7, 5) + 0.1
    model(torch.randn(3, 7, 6), gates)
    chosen = gates.topk(2).indices.flatten().bincount(minlength=5).tolist()
    assert seen == {f"experts.{e}.fc": count for e, count in enumerate(chosen) if count}
    assert sum(seen.values()) == 2 * 3 * 7


def test_experts_that_nobody_chose_do_not_run(model: nn.Module):
    seen, gates = watched(model), torch.zeros(1, 4, 5)
    gates[..., 2] = 1.0
    y = model(torch.randn(1, 4, 6), gates)
    assert seen == {"experts.2.fc": 4}
    assert y.shape == (1, 4, 3)


def test_without_any_choice_the_sum_is_zero(model: nn.Module):
    seen = watched(model)
    y = model(torch.randn(2, 4, 6), torch.zeros(2, 4, 5))
    assert seen == {}
    assert y.equal(torch.zeros(2, 4, 3))


def test_weights_learn_where_an_expert_was_chosen(model: nn.Module):
    gates = (torch.rand(2, 4, 5) + 0.1).requires_grad_()
    model(torch.randn(2, 4, 6), gates).square().sum().backward()
    assert gates.grad is not None
    assert (gates.grad != 0).sum(-1).eq(2).all()


def test_a_wider_gate_makes_a_wider_sum(model: nn.Module):
    x, gates = torch.randn(2, 4, 6), torch.rand(2, 4, 5) + 0.1
    y = model.bfloat16()(x.bfloat16(), gates)
    assert y.dtype == torch.float32
