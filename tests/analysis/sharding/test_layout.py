"""Layouts: what they hold, send and idle, against published numbers, and which of them there are."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec import api
from archspec.analysis.sharding import (
    Layout,
    LayoutError,
    Shardable,
    communication,
    devices,
    layer_count,
    layouts,
    place,
    stages,
)
from archspec.ir.graph import parameter_count
from archspec.ir.verify import verify
from tests.analysis.sharding.test_activations import GIB, gpt

NAMES = ("gpt2", "llama", "t5", "deepseek_v2", "gemma2")
MODELS = {name: Shardable(api.lower(name)) for name in NAMES}


@pytest.mark.parametrize(("layers", "hidden", "heads", "pp", "gib"), [
    pytest.param(105, 20480, 128, 35, 31.640625, id="530B"),
    pytest.param(128, 25600, 160, 64, 32.958984375, id="1T"),
])  # fmt: skip
def test_weights_and_optimizer_of_korthikanti(layers: int, hidden: int, heads: int, pp: int, gib: float):
    """arXiv:2205.05198, figure 1: 18 bytes for each of 12 L h^2 / (t p); we count norms and biases, too."""
    placed = place(gpt(layers, hidden, heads), Layout(tp=8, pp=pp, microbatches=pp))
    middle = placed.held(pp // 2)
    assert middle.parameters * 18 / GIB == pytest.approx(gib, rel=3e-4)


@pytest.mark.parametrize(("billions", "layers", "hidden", "heads"), [
    (3.6, 30, 3072, 32), (7.5, 36, 4096, 32), (39.1, 48, 8192, 64), (76.1, 60, 10240, 80),
    (310.1, 96, 16384, 128), (529.6, 105, 20480, 128),
])  # fmt: skip
def test_parameters_of_narayanan(billions: float, layers: int, hidden: int, heads: int):
    """arXiv:2104.04473, table 1, to the digits printed (3.56 and 7.47 by its equation 2)."""
    model = gpt(layers, hidden, heads)
    count = parameter_count(model.trace.graph)
    formula = 12 * layers * hidden**2 * (1 + 13 / (12 * hidden) + (51200 + 2048) / (12 * layers * hidden))
    assert count == round(formula) + 2 * hidden  # the norm behind the last layer
    assert count / 1e9 == pytest.approx(billions, rel=0.011)


@pytest.mark.parametrize(("zero", "gigabytes"), [(1, 31.4), (2, 16.6), (3, 1.88)])
def test_states_of_zero(zero: int, gigabytes: float):
    """arXiv:1910.02054, figure 1: 7.5 B parameters, mixed-precision Adam (2 + 2 + 12 bytes), 64 devices."""
    held = place(gpt(36, 4096, 32), Layout(dp=64, zero=zero)).fullest
    total = 2 * held.weights + 2 * held.gradients + 12 * held.optimizer
    assert total / held.parameters * 7.5 == pytest.approx(gigabytes, rel=5e-3)


@pytest.mark.parametrize(("zero", "volume"), [(0, 2), (1, 2), (2, 2), (3, 3)])
def test_volumes_of_zero(zero: int, volume: int):
    """arXiv:1910.02054, section 7: 2 parameters' worth, 3 with weights spread, times (n - 1) / n."""
    placed = place(MODELS["gpt2"], Layout(dp=8, zero=zero))
    wire = sum(int(c.wire(8, width=8)) for c in communication(placed))
    assert wire == volume * 7 * placed.fullest.parameters


def test_pipelines_idle_and_hold_as_published():
    """Narayanan et al. 2021, section 2.2: (p - 1) / m and (p - 1) / (v m); at most p - i microbatches."""
    plain, chunks = Layout(pp=4, microbatches=8), Layout(pp=4, microbatches=8, interleave=2)
    assert (plain.bubble, chunks.bubble, Layout().bubble) == (Fraction(3, 8), Fraction(3, 16), 0)
    assert [plain.in_flight(stage) for stage in range(4)] == [4, 3, 2, 1]
    assert [chunks.in_flight(stage) for stage in range(4)] == [
        11,
        9,
        7,
        5,
    ]  # of 8 chunks: 1 + 3/8 of all layers
    assert Layout(pp=4, microbatches=2).in_flight(0) == 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pp", [1, 2, 3, 5])
def test_stages_sum_to_the_model_and_tied_weights(name: str, pp: int):
    graph = MODELS[name].trace.graph
    found = stages(graph, pp)
    assert sum(stage.layers for stage in found) == layer_count(graph)
    assert max(s.layers for s in found) - min(s.layers for s in found) <= 1
    copies = (
        0
        if pp == 1 or not graph.ties
        else {"gpt2": 50257 * 768, "t5": 32128 * 512, "gemma2": 256000 * 2304}[name]
    )
    assert sum(stage.parameters for stage in found) == parameter_count(graph) + copies


def test_stages_without_ends_take_the_layers_that_are_over():
    assert [stage.layers for stage in stages(MODELS["llama"].trace.graph, 5)] == [6, 7, 7, 6, 6]
    assert [s.chunks for s in stages(MODELS["gpt2"].trace.graph, 2, 3)] == [(2, 2, 2)] * 2


def test_experts_are_spread_beside_what_all_hold():
    model = MODELS["deepseek_v2"]
    experts = 59 * 160 * 3 * 5120 * 1536
    whole = parameter_count(model.trace.graph)
    held = place(model, Layout(dp=8, ep=8, zero=1)).held(0)
    assert held.parameters == whole - experts + experts // 8
    assert held.optimizer == -(-(whole - experts) // 8) + experts // 8  # one device of each expert


@settings(max_examples=30)
@given(data=st.data(), name=st.sampled_from(NAMES), gpus=st.sampled_from([1, 2, 6, 8, 12, 16]))
def test_every_layout_uses_all_devices_and_can_be_placed(data: st.DataObject, name: str, gpus: int):
    found = list(layouts(MODELS[name], gpus, 8, batch=48, long=True))
    assert len(set(found)) == len(found)
    layout = data.draw(st.sampled_from(found))
    layout.require(gpus)
    placed = place(MODELS[name], layout)
    assert all(c.times > 0 and devices(placed, c) > 1 for c in communication(placed))
    verify(placed.sharded.graph)


def test_a_search_knows_what_a_model_allows():
    found = list(layouts(MODELS["gpt2"], 8, 8, batch=8))
    assert {layout.tp for layout in found} == {1, 2, 4}  # 12 heads
    assert {layout.pp for layout in found} == {1, 2, 4, 8}
    assert {layout.ep for layout in found} == {1}
    assert {layout.tp for layout in layouts(MODELS["llama"], 16, 4, batch=16)} == {1, 2, 4}  # a node has 4
    assert {layout.ep for layout in layouts(MODELS["deepseek_v2"], 8, 1, batch=8)} == {1, 2, 4, 8}
    assert {layout.cp for layout in layouts(MODELS["llama"], 4, 1, batch=8, long=True)} == {1, 2, 4}
    mamba = Shardable(api.lower("mamba"))
    assert {layout.cp for layout in layouts(mamba, 4, 1, batch=8, long=True)} == {1}


REFUSED = [
    ({"dp": 0, "microbatches": -1}, ["G006", "G006"], "dp is 0, not 1 or more"),
    ({"zero": 4}, ["G007"], "zero is 4, not 0, 1, 2 or 3"),
    ({"dp": 2, "cp": 2, "ep": 3}, ["G008"], "ep 3 does not divide the 4 devices of dp * cp"),
    ({"interleave": 2}, ["G009"], "interleave 2 needs pp above 1 and microbatches in multiples of pp"),
    ({"pp": 4, "interleave": 2, "microbatches": 6}, ["G009"], "not pp 4 and 6"),
]


@pytest.mark.parametrize(("sizes", "codes", "message"), REFUSED)
def test_layouts_that_cannot_be(sizes: dict[str, int], codes: list[str], message: str):
    with pytest.raises(LayoutError) as caught:
        Layout(**sizes)  # type: ignore[arg-type]  # the sizes are numbers
    assert [d.code for d in caught.value.diagnostics] == codes
    assert message in str(caught.value)


UNFIT = [
    ("gpt2", Layout(pp=13), "G012 pp 13: 'gpt2' has 12 layers (pp 12)"),
    (
        "gpt2",
        Layout(pp=2, microbatches=2, interleave=4),
        "G013 interleave 4: 8 chunks do not divide 12 layers",
    ),
    ("gpt2", Layout(sp=True), "G011 sp spreads tokens over the devices of tp, and tp is 1"),
    ("gpt2", Layout(tp=5), "G001 tp 5 does not divide num_heads = 12 (tp 4 or 6 would do)"),
    ("llama", Layout(dp=2, ep=2), "G005 ep 2: 'llama' has no experts to spread"),
]


@pytest.mark.parametrize(("name", "layout", "message"), UNFIT)
def test_models_that_do_not_fit_a_layout(name: str, layout: Layout, message: str):
    with pytest.raises(LayoutError) as caught:
        place(MODELS[name], layout)
    assert message in str(caught.value)


@pytest.mark.parametrize(("name", "message"), [
    ("mamba", "G015 cp: concat in 'layers.0.mixer.conv1d' mixes tokens, and is no attention"),
    ("resnet", "G015 cp: 'resnet' has no attention to spread a sequence for"),
])  # fmt: skip
def test_a_sequence_that_cannot_be_spread(name: str, message: str):
    with pytest.raises(LayoutError, match=message):
        place(Shardable(api.lower(name)), Layout(cp=2))


def test_a_layout_for_another_number_of_devices():
    with pytest.raises(LayoutError, match=r"G014 dp 2 \* tp 2 \* pp 1 \* cp 1 = 4, not 8 devices"):
        Layout(dp=2, tp=2).require(8)


def test_a_batch_that_replicas_cannot_share():
    with pytest.raises(LayoutError, match="G006 gpus is 0"):
        next(layouts(MODELS["gpt2"], 0))
    with pytest.raises(LayoutError, match="G016 'gpt2' has no layout for 13 devices and a batch of 3"):
        list(layouts(MODELS["gpt2"], 13, 1, batch=3))
