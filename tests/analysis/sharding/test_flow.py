"""What tensor, sequence and expert parallelism send: Megatron's operators, found from the graph."""

from collections import Counter

import pytest

from archspec import api
from archspec.analysis.sharding import Collective, Layout, Shardable, communication, devices, place, shard
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.num import Num


def at(amount: Num, **sizes: int) -> int:
    return int(n.num(poly.evaluate(amount.size, sizes)))


def listed(name: str, tp: int, ep: int = 1) -> list[tuple[str, str, str, str, str, int]]:
    found = shard(api.lower(name), tp, ep).collectives
    return [(c.kind, c.when, c.path, c.value, str(c.elements), c.times) for c in found]


def test_a_gpt_layer_sums_twice_forward_and_twice_backward():
    """Shoeybi et al. 2019, arXiv:1909.08053, figures 3 and 4."""
    layer = [c for c in listed("gpt2", 2) if c[2].startswith("h.")]
    size = "768 * B * S"
    assert layer == [
        ("all_reduce", "backward", "h.0.ln_1", "layer_norm", size, 12),
        ("all_reduce", "forward", "h.0.attn.out", "linear", size, 12),
        ("all_reduce", "backward", "h.0.ln_2", "layer_norm", size, 12),
        ("all_reduce", "forward", "h.0.mlp.down", "linear", size, 12),
    ]


def test_a_vocabulary_sums_rows_and_scores_and_is_gathered_only_for_output():
    """Shoeybi et al. 2019, section 3: b*s numbers instead of b*s*v for the loss."""
    ends = [c for c in listed("llama", 2) if not c[2].startswith("layers.")]
    assert ends == [
        ("all_reduce", "forward", "embed", "rows", "4096 * B * S", 1),
        ("all_reduce", "backward", "norm", "rms_norm", "4096 * B * S", 1),
        *(("all_reduce", "forward", "loss lm", v, "B * (S - 1)", 1) for v in ("maximum", "score", "sum")),
        ("all_gather", "output", "", "linear", "128256 * B * S", 1),
    ]


def test_parallel_branches_share_one_sum():
    """Wang and Komatsuzaki 2021, GPT-J: attention and MLP are added before the all_reduce."""
    forward = [c for c in listed("gpt_neox", 4) if c[1] == "forward" and c[2].startswith("layers.")]
    assert forward == [("all_reduce", "forward", "layers.0", "joined", "6144 * B * S", 44)]


def test_a_mixer_sums_its_small_projection_inside():
    forward = [c for c in listed("mamba", 2) if c[1] == "forward" and c[2].startswith("layers.")]
    assert [(c[3], c[4]) for c in forward] == [("linear", "80 * B * S"), ("linear", "768 * B * S")]


def test_gains_of_heads_sum_their_gradients_once_a_step():
    step = {(c[2], c[3], c[4], c[5]) for c in listed("qwen3", 2) if c[1] == "step"}
    assert step == {(f"layers.0.attn.{name}_norm", "weight", "128", 36) for name in "qk"}


def test_key_heads_on_two_devices_sum_their_gradients_once_a_step():
    step = {(c[2], c[4]) for c in listed("llama", 16) if c[1] == "step"}
    assert step == {("layers.0.attn.k", str(128 * 4096)), ("layers.0.attn.v", str(128 * 4096))}


def test_experts_and_shared_experts_share_one_sum():
    forward = [c for c in listed("deepseek_v2", 2) if c[1] == "forward" and c[2].startswith("layers.1.mlp")]
    assert forward == [("all_reduce", "forward", "layers.1.mlp", "sum", "5120 * B * S", 59)]


@pytest.mark.parametrize(
    ("name", "top_k", "width", "layers"), [("mixtral", 2, 4096, 32), ("deepseek_v2", 6, 5120, 59)]
)
def test_tokens_travel_to_their_experts_and_back(name: str, top_k: int, width: int, layers: int):
    moved = [c for c in shard(api.lower(name), 1, 4).collectives if c.kind == "all_to_all"]
    assert [(c.when, c.times) for c in moved] == [(w, layers) for w in ("forward",) * 2 + ("backward",) * 2]
    assert all(at(c.payload(), B=3, S=10) == 2 * 30 * top_k * width * layers for c in moved)
    assert at(moved[0].wire(4), B=4, S=10) == 2 * 40 * top_k * width * layers * 3 // 4


def test_sequence_parallelism_sends_as_much_and_gathers_once_more():
    """Korthikanti et al. 2022, section 4.2.2: all_reduce is reduce_scatter and all_gather."""
    model = Shardable(api.lower("gpt2"))
    plain, spread = (
        [
            c
            for c in communication(place(model, Layout(tp=4, sp=sp)))
            if c.path.startswith("h.") and c.when != "step"
        ]
        for sp in (False, True)
    )
    assert Counter(c.kind for c in spread) == {"reduce_scatter": 4, "all_gather": 6}
    sent = [sum(at(c.wire(4), B=2, S=8) for c in found) for found in (plain, spread)]
    assert sent[1] == sent[0] * 10 // 8  # two gathers of ten move what was not kept


def test_whole_weights_sum_their_gradients_under_sequence_parallelism():
    found = communication(place(Shardable(api.lower("gpt2")), Layout(tp=4, sp=True)))
    step = {(c.path, c.value) for c in found if c.when == "step" and c.over == "tp"}
    assert {("h.0.ln_1", "weight"), ("h.0.attn.out", "bias"), ("wpe", "weight"), ("ln_f", "bias")} <= step
    assert ("h.0.mlp.up", "bias") not in step


def test_a_ring_passes_keys_and_values_to_all_others():
    """Liu et al. 2023, arXiv:2310.01889: each block of keys and values visits the cp - 1 other devices."""
    found = [c for c in communication(place(Shardable(api.lower("llama")), Layout(cp=4))) if c.over == "cp"]
    forward = sum(at(c.payload(), B=1, S=64) for c in found if c.when == "forward")
    backward = sum(at(c.payload(), B=1, S=64) for c in found if c.when == "backward")
    assert forward == 32 * 2 * (64 // 4) * 3 * 8 * 128 * 2
    assert backward == 2 * forward


def test_a_wire_carries_what_a_ring_does():
    """Rabenseifner 2004: 2 (n - 1) / n of the payload for all_reduce, half for its halves."""
    reduce_, gather = (
        Collective(k, "dp", "step", "", "x", n.num(1000), "float") for k in ("all_reduce", "all_gather")
    )
    assert (int(reduce_.wire(4)), int(gather.wire(4)), int(gather.wire(1))) == (3000, 1500, 0)
    assert int(Collective("send", "pp", "forward", "", "x", n.num(7), "float32", 3).wire(2)) == 84


def test_devices_of_each_axis():
    placed = place(Shardable(api.lower("mixtral")), Layout(dp=4, tp=2, pp=2, cp=2, ep=4, microbatches=2))
    counts = {c.over: devices(placed, c) for c in communication(placed)}
    assert counts == {"tp": 2, "ep": 4, "cp": 2, "pp": 2, "dp": 8, "edp": 2}
