"""Parts of models give what the whole gives: placement and sums are those of the same numbers."""

import pytest
import torch

from archspec import api
from tests.analysis.sharding.rank_models import Devices

SMALL = {"num_layers": 2, "hidden_size": 32, "num_heads": 8, "intermediate_size": 40, "vocab_size": 37}
GROUPED = {**SMALL, "num_kv_heads": 2, "head_dim": 8}
LATENT = {
    **SMALL,
    "num_heads": 4,
    "q_rank": 8,
    "kv_rank": 8,
    "nope_dim": 8,
    "rope_dim": 4,
    "value_dim": 8,
    "expert_size": 16,
    "num_experts": 8,
    "num_groups": 2,
    "top_groups": 1,
    "top_k": 2,
}
RELATIVE = {
    "hidden_size": 32,
    "num_heads": 4,
    "head_dim": 8,
    "intermediate_size": 40,
    "vocab_size": 37,
    "num_encoder_layers": 2,
    "num_decoder_layers": 2,
}
MIXER = {"num_layers": 2, "hidden_size": 16, "intermediate_size": 32, "state_size": 4, "time_step_rank": 4}
CASES = [
    ("gpt2", 2, {**SMALL, "max_positions": 16}),  # fused projections, a vocabulary that is padded, tied
    ("bert", 4, SMALL),  # after-norm, a dense layer in the head that stays whole
    ("llama", 2, GROUPED),  # key heads are cut
    ("llama", 4, GROUPED),  # two devices share each key head
    ("gemma", 2, {**GROUPED, "num_kv_heads": 1}),  # one key head for all
    ("qwen3", 4, GROUPED),  # a norm of each head
    ("mixtral", 2, {**GROUPED, "num_experts": 4}),  # gates times parts of sums
    ("deepseek_v2", 2, LATENT),  # latent keys, shared experts beside the others
    ("mamba", 2, {**MIXER, "vocab_size": 37}),  # a sum inside the mixer
    ("rwkv", 2, {**SMALL, "attention_size": 32}),
    ("t5", 2, RELATIVE),  # a learned bias of each head, cross attention
]


@pytest.mark.parametrize(("name", "tp", "sizes"), CASES, ids=[f"{name}-{tp}" for name, tp, _ in CASES])
def test_devices_give_the_logits_of_the_whole(name: str, tp: int, sizes: dict[str, object]):
    known = {p for p, _ in api.lower(name).root.bindings}
    graph = api.lower(api.load(name, overrides={k: v for k, v in sizes.items() if k in known}))
    devices = Devices(graph, tp)
    assert devices.left == set()  # every sum of the list was done
    ids = torch.randint(0, 37, (2, 7), generator=torch.Generator().manual_seed(1))
    inputs = {"input_ids": ids, **({"decoder_input_ids": ids} if name == "t5" else {})}
    whole, together = devices.logits(**inputs)
    assert whole.abs().max() > 0.05
    torch.testing.assert_close(together, whole, rtol=1e-4, atol=2e-5)


def test_leaving_out_one_sum_shows():
    graph = api.lower(api.load("gpt2", overrides={**SMALL, "max_positions": 16}))
    devices = Devices(graph, 2)
    for hooks in devices.hooks:
        hooks["h.1.mlp.down"].remove()
    whole, together = devices.logits(input_ids=torch.arange(7)[None])
    assert (whole - together).abs().max() > 1e-3


EVEN = {**SMALL, "vocab_size": 40}
BACKWARD = [
    ("gpt2", 2, {**EVEN, "max_positions": 16, "dropout": 0.0}),
    ("llama", 2, {**GROUPED, "vocab_size": 40}),
    ("llama", 4, {**GROUPED, "vocab_size": 40}),
    ("qwen3", 4, {**GROUPED, "vocab_size": 40}),
    ("opt", 4, {**EVEN, "dropout": 0.0}),
]


@pytest.mark.parametrize(("name", "tp", "sizes"), BACKWARD, ids=[f"{name}-{tp}" for name, tp, _ in BACKWARD])
def test_devices_give_the_gradients_of_the_whole(name: str, tp: int, sizes: dict[str, object]):
    known = {p for p, _ in api.lower(name).root.bindings}
    graph = api.lower(api.load(name, overrides={k: v for k, v in sizes.items() if k in known}))
    devices = Devices(graph, tp)
    assert devices.left_backward == set()
    ids = torch.randint(0, 40, (2, 7), generator=torch.Generator().manual_seed(1))
    for weight, wanted, found in devices.gradients(input_ids=ids):
        scale = max(1.0, float(wanted.abs().max()))
        assert float((found - wanted).abs().max()) < 1e-4 * scale, weight
