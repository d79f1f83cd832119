"""Activation memory in Megatron's convention: published closed forms and figures."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec import api
from archspec.analysis.sharding import Kept, Layout, LayoutError, Shardable, activations, shard
from archspec.dims import poly

GIB = 2**30


def gpt(layers: int, hidden: int, heads: int, *, vocab: int = 51200, positions: int = 2048) -> Shardable:
    sizes = {"num_layers": layers, "hidden_size": hidden, "num_heads": heads, "intermediate_size": 4 * hidden}
    sizes |= {"vocab_size": vocab, "max_positions": positions}
    return Shardable(api.lower(api.load("gpt2", overrides=sizes)))


def of_layers(kept: tuple[Kept, ...], b: int, s: int) -> int:
    """Bytes of all layers, without the ends of the model."""
    sizes = {"B": b, "S": s}
    inside = (k for k in kept if k.path.startswith("h.0"))
    return sum(int(str(poly.evaluate(k.bytes.size, sizes))) * k.times for k in inside)


# layers, hidden, heads, pp, chunks of a stage, microbatch, sp, recompute, GiB on the first stage
KORTHIKANTI = [
    pytest.param(48, 6144, 64, 1, 1, 4, False, "none", 59.25, id="22B"),
    pytest.param(96, 12288, 96, 8, 3, 1, False, "none", 66.84375, id="175B"),
    pytest.param(96, 12288, 96, 8, 3, 1, True, "selective", 12.3515625, id="175B-sp-selective"),
    pytest.param(105, 20480, 128, 35, 3, 1, True, "selective", 23.076171875, id="530B-sp-selective"),
    pytest.param(128, 25600, 160, 64, 1, 1, False, "none", 131.25, id="1T"),
]


@pytest.mark.parametrize(("layers", "hidden", "heads", "pp", "v", "b", "sp", "recompute", "gib"), KORTHIKANTI)
def test_figure_1_of_korthikanti(
    layers: int, hidden: int, heads: int, pp: int, v: int, b: int, sp: bool, recompute: str, gib: float
):
    """arXiv:2205.05198, figure 1: to the byte.

    530B has 3 layers on each of 35 stages: 3 chunks of one layer.
    """
    kept = activations(gpt(layers, hidden, heads).shard(8), sp=sp, recompute=recompute)
    layout = Layout(pp=pp, microbatches=8 * pp, interleave=v)
    in_flight = Fraction(layout.in_flight(0), pp * v)
    assert of_layers(kept, b, 2048) * in_flight / GIB == Fraction(gib)


@settings(max_examples=20)
@given(
    layers=st.integers(1, 3),
    width=st.sampled_from([8, 16]),
    heads=st.sampled_from([2, 4, 8]),
    t=st.sampled_from([1, 2]),
    b=st.integers(1, 5),
    s=st.sampled_from([2, 6, 64]),
)
def test_the_equations_of_korthikanti(layers: int, width: int, heads: int, t: int, b: int, s: int):
    """Equations 1, 2, 4 and 6 and table 2 of arXiv:2205.05198."""
    h, a = heads * width, heads
    part = gpt(layers, h, heads, vocab=64, positions=64).shard(t)
    sbh, scores = s * b * h, 5 * a * s * s * b
    wanted = {
        (False, "none"): Fraction(10 * sbh) + Fraction(24 * sbh + scores, t),
        (False, "selective"): Fraction(10 * sbh) + Fraction(24 * sbh, t),
        (False, "full"): Fraction(2 * sbh),
    }
    if t > 1:
        wanted[True, "none"] = Fraction(34 * sbh + scores, t)
        wanted[True, "selective"] = Fraction(34 * sbh, t)
        wanted[True, "full"] = Fraction(2 * sbh, t)
    for (sp, recompute), bytes_ in wanted.items():
        kept = activations(part, sp=sp, recompute=recompute)
        assert of_layers(kept, b, s) == bytes_ * layers, (sp, recompute)


def test_a_gated_mlp_keeps_gate_up_and_their_product():
    """Two norms' inputs and results, q, k, v, out's input, and 3 values of the MLP's width with silu's."""
    kept = activations(shard(api.lower("llama"), 1), recompute="selective")
    layer = sum(
        int(str(poly.evaluate(k.bytes.size, {"B": 1, "S": 1}))) for k in kept if k.path.startswith("layers.0")
    )
    assert layer == 2 * (4 * 4096 + 2 * 4096 + 2 * 1024 + 4 * 14336)


def test_each_value_says_where_and_in_how_many_layers():
    kept = {(k.path, k.value): k for k in activations(shard(api.lower("gpt2"), 2))}
    up = kept["h.0.mlp", "linear"]
    assert (str(up.elements), up.width, up.times) == ("1536 * B * S", 2, 12)
    assert kept["h.0", "x_4 mask"].width == 1
    assert kept["h.0.attn", "softmax"].core
    assert kept["loss lm", "logits_2 fp32"].width == 4


def test_what_cannot_spread_its_tokens_is_refused():
    with pytest.raises(LayoutError, match="G011 sp spreads tokens over the devices of tp, and tp is 1"):
        activations(shard(api.lower("gpt2")), sp=True)
    with pytest.raises(LayoutError, match=r"G011 sp: attention in 'layers.0.attn' needs the whole sequence"):
        activations(shard(api.lower("olmo2"), 2), sp=True)
    with pytest.raises(LayoutError, match="G011 sp: 'resnet' has no tokens"):
        activations(shard(api.lower("resnet"), 2), sp=True)


def test_another_recomputation_is_refused():
    with pytest.raises(LayoutError, match="G010 recompute is 'some', not one of none, selective, full"):
        activations(shard(api.lower("gpt2")), recompute="some")
