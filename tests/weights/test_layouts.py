"""Layout traps of published checkpoints, each against the formula of the code that published it."""

import numpy as np

from tests.weights.models import assert_same, build, from_hub, numbered, table, to_hub

H, G, d, D = 6, 2, 4, 5  # heads, key-value heads, rows per head, columns


def attention(kv: int) -> dict[str, tuple[int, ...]]:
    return {"q__weight": (H * d, D), "k__weight": (kv * d, D), "v__weight": (kv * d, D)}


def test_a_transposed_fused_projection():
    """Weights stored [in, 3 · out], queries, keys and values side by side."""
    tensors = table(**attention(H), q__bias=(H * d,), k__bias=(H * d,), v__bias=(H * d,))
    ours = numbered(tensors)
    weights = build(tensors, fuse={"c_attn": ["q", "k", "v"]}, transpose=["c_attn.weight"])
    hub = to_hub(weights, ours)
    for place, part in enumerate("qkv"):
        columns = slice(place * H * d, (place + 1) * H * d)
        np.testing.assert_array_equal(hub["c_attn.weight"][:, columns].T, ours[f"{part}.weight"])
        np.testing.assert_array_equal(hub["c_attn.bias"][columns], ours[f"{part}.bias"])


def test_fused_by_head():
    """[heads, 3, d]: the reader does `qkv.view(heads, 3 · d).chunk(3)`."""
    tensors = table(qkv__weight=(3 * H * d, D))
    ours = numbered(tensors)
    weights = build(tensors, interleave={"qkv": {"groups": H, "parts": 3}})
    by_head = to_hub(weights, ours)["qkv.weight"].reshape(H, 3, d, D)
    for place, chunk in enumerate(np.split(ours["qkv.weight"], 3)):
        np.testing.assert_array_equal(by_head[:, place].reshape(H * d, D), chunk)


def test_fused_by_group():
    """[groups, n + 2, d]: the reader takes all but the last two as queries, then a key, then a value."""
    tensors = table(**attention(G))
    ours = numbered(tensors)
    rules = {"interleave": {"qkv": {"groups": G, "parts": [H // G, 1, 1]}}, "fuse": {"qkv": ["q", "k", "v"]}}
    weights = build(tensors, **rules)
    by_group = to_hub(weights, ours)["qkv.weight"].reshape(G, H // G + 2, d, D)
    np.testing.assert_array_equal(by_group[:, :-2].reshape(H * d, D), ours["q.weight"])
    np.testing.assert_array_equal(by_group[:, -2].reshape(G * d, D), ours["k.weight"])
    np.testing.assert_array_equal(by_group[:, -1].reshape(G * d, D), ours["v.weight"])
    assert_same(from_hub(weights, {"qkv.weight": by_group.reshape(-1, D)}), ours)


def test_a_packed_projection_without_submodules():
    """torch.nn.MultiheadAttention: in_proj_weight and in_proj_bias."""
    shapes: dict[str, tuple[int, ...]] = {f"a__{part}__weight": (4, 3) for part in "qkv"}
    shapes |= {f"a__{part}__bias": (4,) for part in "qkv"}
    fuse = {f"a.in_proj_{leaf}": [f"{part}.{leaf}" for part in "qkv"] for leaf in ("weight", "bias")}
    weights = build(table(**shapes), fuse=fuse)
    assert weights.hub_shapes() == {"a.in_proj_weight": (12, 3), "a.in_proj_bias": (12,)}


def test_rotary_pairs_side_by_side():
    """Ours is what the usual conversion script makes of interleaved pairs."""
    tensors = table(q__weight=(H * d, D), k__weight=(G * d, D))
    weights = build(tensors, rope={"q": {"head_dim": d}, "k": {"head_dim": d}})
    hub = numbered(tensors)
    ours = from_hub(weights, hub)
    for name, heads in (("q.weight", H), ("k.weight", G)):
        halves = hub[name].reshape(heads, d // 2, 2, D).swapaxes(1, 2).reshape(heads * d, D)
        np.testing.assert_array_equal(ours[name], halves)


def test_rotary_pairs_of_a_part_of_each_head():
    weights = build(table(q__weight=(2 * 6, 1)), rope={"q": {"head_dim": 6, "rotary_dim": 4}})
    hub = to_hub(weights, {"q.weight": np.arange(12).reshape(12, 1)})
    assert hub["q.weight"].ravel().tolist() == [0, 2, 1, 3, 4, 5, 6, 8, 7, 9, 10, 11]


def test_a_gate_in_the_other_half():
    """One reader activates the first half of a fused GEGLU, another the second."""
    tensors = table(up__weight=(6, D), up__bias=(6,))
    ours = numbered(tensors)
    hub = to_hub(build(tensors, reorder={"up": [1, 0]}), ours)
    np.testing.assert_array_equal(
        hub["up.weight"], np.concatenate([ours["up.weight"][3:], ours["up.weight"][:3]])
    )
    assert_same(from_hub(build(tensors, reorder={"up": [1, 0]}), hub), ours)


def test_experts_that_are_stacked_transposed_and_interleaved():
    """[experts, in, 2 · inner] with gate and up in alternate columns."""
    tensors = table(experts__gate=(3, 4, D), experts__up=(3, 4, D))
    ours = numbered(tensors)
    weights = build(
        tensors,
        fuse={"experts.gate_up_proj": {"from": ["gate", "up"], "axis": 1}},
        interleave={"gate_up_proj": {"groups": 4, "parts": 2, "axis": 1}},
        transpose=["gate_up_proj"],
    )
    stored = to_hub(weights, ours)["experts.gate_up_proj"]
    assert stored.shape == (3, D, 8)
    np.testing.assert_array_equal(stored[..., ::2].swapaxes(1, 2), ours["experts.gate"])
    np.testing.assert_array_equal(stored[..., 1::2].swapaxes(1, 2), ours["experts.up"])


def test_experts_that_are_stored_one_by_one():
    tensors = table(moe__gate_up=(3, 8, D), moe__down=(3, D, 4))
    ours = numbered(tensors)
    weights = build(
        tensors,
        split={"moe.gate_up": {"into": ["gate", "up"], "axis": 1}},
        unstack={"moe.gate": "experts.*.w1", "moe.up": "experts.*.w3", "moe.down": "experts.*.w2"},
    )
    hub = to_hub(weights, ours)
    assert len(hub) == 9
    np.testing.assert_array_equal(hub["experts.2.w3"], ours["moe.gate_up"][2, 4:])
    np.testing.assert_array_equal(hub["experts.1.w2"], ours["moe.down"][1])
    assert_same(from_hub(weights, hub), ours)


def test_rotary_rows_are_arranged_before_they_are_fused_or_after_they_are_split():
    rope = {"q": {"head_dim": d}, "k": {"head_dim": d}}
    apart = table(**attention(G))
    whole = table(qkv__weight=((H + 2 * G) * d, D))
    sizes = [H * d, G * d, G * d]
    ours = numbered(apart)
    fused = to_hub(build(apart, rope=rope, fuse={"qkv": ["q", "k", "v"]}), ours)
    joined = {"qkv.weight": np.concatenate(list(ours.values()))}
    split = to_hub(build(whole, rope=rope, split={"qkv": {"into": ["q", "k", "v"], "sizes": sizes}}), joined)
    np.testing.assert_array_equal(
        fused["qkv.weight"], np.concatenate([split[f"{part}.weight"] for part in "qkv"])
    )
    np.testing.assert_array_equal(split["v.weight"], ours["v.weight"])
    assert not np.array_equal(split["q.weight"], ours["q.weight"])


def test_a_token_with_axes_of_one():
    weights = build(
        table(cls=(8,), proj__weight=(6, 12)), reshape={"cls": [1, 1, 8], "proj.weight": [6, 3, 2, -1]}
    )
    assert weights.hub_shapes() == {"cls": (1, 1, 8), "proj.weight": (6, 3, 2, 2)}


def test_the_layouts_of_four_axes_are_not_transposed():
    weights = build(table(conv__weight=(4, 3, 2, 1), lin__weight=(4, 3)), transpose=["weight"])
    assert weights.hub_shapes() == {"conv.weight": (4, 3, 2, 1), "lin.weight": (3, 4)}
