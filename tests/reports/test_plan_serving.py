"""Plans of serving: who stands where, what a load costs, and what keeps it from being carried."""

from __future__ import annotations

from functools import cache

import pytest

import archspec
from archspec import ArchspecError, Cluster, Demand
from archspec.analysis.queueing import MOST_BUSY
from archspec.analysis.sharding import Shardable
from archspec.lowering.lower import lower_to_run
from archspec.reports.phases import phases
from archspec.reports.serving_plan import Group, ServingPlan
from archspec.reports.station import Batching, Streaming

H100, T4 = archspec.device("h100"), archspec.device("t4")


@cache
def plan(gpus: int = 8, *, text: float = 20, images: float = 2, allowed: float | None = None) -> ServingPlan:
    demands = {"llama": Demand(text, 1024, 256), "sd15": Demand(images, max_latency=allowed)}
    return archspec.plan_serving({name: name for name in demands}, Cluster(H100, gpus), demands)


def gpt2(rate: float, gpus: int = 8, **more: float) -> ServingPlan:
    demand = Demand(rate, 512, 128, max_latency=more.get("max_latency"))
    return archspec.plan_serving({"gpt2": "gpt2"}, Cluster(H100, gpus), {"gpt2": demand})


def where(found: ServingPlan) -> dict[str, Group]:
    return {one.name: group for group in found.groups for one in group.models}


def refused(found: ServingPlan) -> tuple[str, str]:
    with pytest.raises(ArchspecError) as caught:
        _ = found.groups
    assert [one.code for one in caught.value.diagnostics] == ["G018"]
    return caught.value.diagnostics[0].message, caught.value.diagnostics[0].hint or ""


def test_two_models_get_devices_of_their_own_where_the_load_asks_for_them():
    groups = where(plan())
    assert groups["llama"] is not groups["sd15"]
    assert plan().devices == sum(group.devices for group in plan().groups) <= 8


def test_two_models_share_a_device_where_that_is_enough():
    found = plan(text=1, images=0.1)
    (group,) = found.groups
    assert found.devices == 1
    assert sum(one.share for one in group.models) == pytest.approx(1)
    weights = sum(found.station(one.name, 1).weights for one in group.models)
    assert weights + sum(one.worst.bytes for one in group.models) <= found.room


def test_one_device_less_does_not_carry_the_load():
    least = plan().devices
    message, hint = refused(plan(least - 1))
    assert f"{least - 1} x NVIDIA H100" in message
    assert hint == f"{least} devices would do"


def test_no_device_is_busier_than_planned():
    for group in plan().groups:
        for one in group.models:
            assert one.worst.steady.busy <= MOST_BUSY + 1e-9
            assert one.best.steady.latency < one.worst.steady.latency


def test_an_allowed_latency_is_kept_and_costs_devices():
    free, strict = where(plan())["sd15"], where(plan(allowed=0.5))["sd15"]
    assert strict.devices > free.devices
    assert strict.binding == "latency"
    assert all(one.worst.steady.latency <= 0.5 for one in strict.models)


def test_a_latency_below_that_of_one_request_is_out_of_reach():
    message, hint = refused(plan(allowed=0.01))
    assert "a request to sd15 takes" in message
    assert hint.startswith("none up to ")


def test_twice_the_load_takes_more_devices_and_no_less_than_its_share():
    one, two = plan(16).devices, plan(16, text=40, images=4).devices
    assert one < two <= 2 * one


def test_what_does_not_fit_one_device_is_cut():
    """70 billion parameters in bf16 are 131 GiB: at least two devices of 80 GB."""
    spec = archspec.load("llama", preset="70b")
    found = archspec.plan_serving({"big": spec}, Cluster(H100, 8), {"big": Demand(1, 1024, 256)})
    (group,) = found.groups
    assert group.tp >= 2
    assert found.station("big", group.tp).weights * group.tp >= 2 * 70_553_706_496


def test_what_no_node_holds_says_that_its_weights_do_not_fit():
    spec = archspec.load("llama", preset="405b")
    message, hint = refused(archspec.plan_serving({"huge": spec}, Cluster(H100, 8), {"huge": Demand(1)}))
    assert "weights take 94.5 GiB of 75.6 GiB with tp 8" in message
    assert hint.startswith("none up to ")


def test_steps_of_tp_are_shorter_but_not_by_all_of_it():
    """Each device reads half of the weights, and then both wait for sums."""
    model = Shardable(archspec.lower("llama"))
    one, two = (Streaming(model, Demand(1, 1024, 256), H100, tp, "bfloat16") for tp in (1, 2))
    end = plan().ends[1]
    (alone,), (shared,) = (list(s.carried(1.0, 1, 1.0, end)) for s in (one, two))
    assert two.weights == pytest.approx(one.weights / 2, rel=0.01)
    assert 0.5 < shared.steady.latency / alone.steady.latency < 0.75


def test_decoding_alone_takes_what_gpt_fast_measured():
    """Llama 3.1 8B, bf16, batch 1 on A100-80GB: 93.89 tokens/s (gpt-fast README)."""
    device = archspec.device("a100-80gb")
    model = Shardable(archspec.lower("llama"))
    station = Streaming(model, Demand(0.001, 5, 200), device, 1, "bfloat16")
    (found,) = station.carried(0.001, 1, 1.0, plan().ends[1])
    seconds = (found.steady.latency - found.steady.first) / 199
    assert 1 / seconds == pytest.approx(93.89, rel=0.1)


def test_an_image_runs_the_text_encoder_once_the_unet_at_each_step_and_the_decoder_once():
    graph, running = lower_to_run(archspec.load("sd15"))
    found = phases(graph, running, {}, inputs=512, steps=50)
    assert [(one.graph.name, one.rows, one.times) for one in found] == [
        ("last_hidden_state", 2, 1),  # the prompt, and the empty one to lead away from
        ("prediction", 2, 50),
        ("image", 1, 1),
    ]
    assert found[0].sizes == {"L": 77}
    assert {"H": 8, "W": 8}.items() <= found[1].sizes.items()


def test_a_classifier_answers_at_once():
    graph, running = lower_to_run(archspec.load("vit"))
    (phase,) = phases(graph, running, {}, inputs=512, steps=50)
    station = Batching((phase,), Demand(100.0), H100, "bfloat16")
    found = list(station.carried(100.0, 1, 1.0, plan().ends[0]))
    assert [one.steady.latency for one in found] == sorted(one.steady.latency for one in found)
    assert station.weights == 2 * 86_567_656


def test_cost_is_that_of_the_devices_at_the_load():
    found = gpt2(10)
    tables = archspec.plan_tables(found)
    cost = next(row for row in tables[1].rows if row.label == "1,000 requests").values[0]
    hourly = H100.dollars_per_hour()
    assert cost == hourly.scaled(found.devices / 3600).scaled(1000 / 10)


def test_tables_name_what_binds():
    rows = {row.label: row for row in archspec.plan_tables(plan(allowed=0.5))[0].rows}
    assert rows["sd15"].note == "with one replica less latency is not enough"
    assert rows["together"].values[-1] == plan(allowed=0.5).devices


@pytest.mark.parametrize("wrong", [Demand(0.0), Demand(1, 0), Demand(1, 8, 0), Demand(1, max_latency=-1.0)])
def test_what_is_no_load_is_refused(wrong: Demand):
    with pytest.raises(ArchspecError) as caught:
        archspec.plan_serving({"gpt2": "gpt2"}, Cluster(H100, 1), {"gpt2": wrong})
    assert caught.value.diagnostics[0].code == "D004"


@pytest.mark.parametrize("names", [("gpt2", "gpt3"), ("gpt3", "gpt2")])
def test_models_and_loads_must_meet(names: tuple[str, str]):
    with pytest.raises(ArchspecError) as caught:
        archspec.plan_serving({names[0]: "gpt2"}, Cluster(H100, 1), {names[1]: Demand(1)})
    assert caught.value.diagnostics[0].code == "G019"


def test_a_missing_size_and_a_missing_figure_are_said():
    for name, device, code in (("vit", T4, "D003"), ("clip", H100, "A001")):
        found = archspec.plan_serving({name: name}, Cluster(device, 1), {name: Demand(1)})
        with pytest.raises(ArchspecError) as caught:
            _ = found.groups
        assert caught.value.diagnostics[0].code == code


def test_more_tokens_than_positions_are_refused():
    demand = Demand(1, 1000, 100)
    found = archspec.plan_serving({"gpt2": "gpt2"}, Cluster(H100, 1), {"gpt2": demand})
    with pytest.raises(ArchspecError) as caught:
        _ = found.groups
    assert caught.value.diagnostics[0].code == "A003"
