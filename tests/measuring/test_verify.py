"""What is predicted of a model is compared with the real module, and what differs is named."""

from typing import Any

import pytest

import archspec
from archspec.backends.torch.observed import Other
from archspec.errors import ArchspecError
from archspec.measuring import fvcore_count
from archspec.measuring.verify import verify
from archspec.reports.account import Account
from archspec.reports.question import Question
from archspec.reports.verify import Line, Verified
from tests.measuring.tiny import FP32, SIZES, account, of, spec

ASKED: dict[str, Any] = {
    "fp32": FP32,
    "bf16": {"dtype": "bfloat16", "precision": "bf16"},
    "autocast, eager": {"dtype": "float32", "precision": "autocast", "attention": "eager"},
    "without dropout": {**FP32, "dropout": False},
}
MEASURED = {"forward FLOPs of the run", "peak of the forward pass", "kept for the backward pass"}


def verdicts(found: Verified) -> dict[str, str]:
    return {line.label: line.verdict for line in found.lines if "fvcore" not in line.label}


def line(found: Verified, label: str) -> Line:
    return next(one for one in found.lines if one.label == label)


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_every_number_agrees(asked: dict[str, Any]):
    found = archspec.verify_cost(spec(), Question(sizes=SIZES, **asked))
    assert found.agrees
    assert set(verdicts(found).values()) == {"agrees"}
    assert set(verdicts(found)) >= MEASURED
    assert all(one.measured for one in found.lines if one.label in MEASURED)


def test_attention_that_torch_does_not_count_is_accounted_for():
    found = archspec.verify_cost(spec(), Question(sizes=SIZES, **FP32))
    run, counted = line(found, "forward FLOPs of the run"), line(found, "as FlopCounterMode counts them")
    assert run.measured is not None
    assert counted.measured is not None
    attention = 2 * 4 * SIZES["B"] * SIZES["S"] ** 2 * 16  # two layers, two products
    assert run.measured - counted.measured == attention
    assert f"{attention:,} FLOP" in counted.note


def test_the_operation_that_differs_is_named():
    """The account of one model beside the module of another, whose MLP is wider."""
    other = spec(intermediate_size=80)
    found = verify(account(spec()), archspec.source(other))
    assert not found.agrees
    assert "product 4: predicted addmm in h.0.mlp.up: " in line(found, "forward FLOPs of the run").note
    assert "predicted addmm in h.0.mlp.up: " in line(found, "peak of the forward pass").note
    assert "B of parameter tensors of 1,280 float32" in line(found, "kept for the backward pass").note


def test_mixtures_and_windows_and_convolutions_and_losses_that_feed_a_decoder():
    for name, sizes in (
        ("mixtral", SIZES),
        ("t5", {"B": 2, "S": 8, "T": 6}),
        ("convnext", {"B": 1, "H": 64, "W": 64}),
    ):
        found = archspec.verify_cost(of(name), Question(sizes=sizes, **FP32))
        assert set(verdicts(found).values()) == {"agrees"}, name
    found = archspec.verify_cost(of("longformer"), Question(sizes={"B": 2, "S": 16}, **FP32))
    assert verdicts(found)["forward FLOPs of the run"] == "agrees"
    graph = line(found, "forward FLOPs of the graph, all pairs")
    assert (graph.verdict, "windows" in graph.note) == ("explained", True)


def test_experts_with_limited_room_are_an_assumption():
    found = archspec.verify_cost(of("switch"), Question(sizes={"B": 2, "S": 16, "T": 16}, **FP32))
    run = line(found, "forward FLOPs of the run")
    assert run.verdict == "agrees" or (run.verdict == "assumed" and "even spread" in run.note)


def test_a_model_that_does_not_fit_is_compared_on_the_meta_device():
    """The same weights and FLOPs; what allocates is not verified, and why is said."""
    loaded = spec(dropout=0.0)
    found = verify(account(loaded), archspec.source(loaded), free=1000)
    said = verdicts(found)
    assert said["parameters"] == said["forward FLOPs of the run"] == "agrees"
    assert said["backward FLOPs of the run"] == "explained"
    assert said["peak, and bytes kept"] == "not verified"
    assert "1,000 B are free" in line(found, "peak, and bytes kept").note
    assert "peak of the forward pass" not in said


def test_experts_cannot_be_followed_without_numbers():
    loaded = of("mixtral")
    found = verify(account(loaded), archspec.source(loaded), free=1000)
    assert verdicts(found)["parameters"] == "agrees"
    assert verdicts(found)["forward pass"] == "not verified"


def test_what_the_source_does_not_do_is_not_verified():
    asked = Question(sizes=SIZES, checkpoint="full", **FP32)
    assert verdicts(archspec.verify_cost(spec(), asked))["activation checkpointing"] == "not verified"


def test_sizes_have_to_be_numbers():
    with pytest.raises(ArchspecError) as error:
        archspec.verify_cost(spec(), Question(sizes={"B": 2}, **FP32))
    assert [(found.code, found.hint) for found in error.value.diagnostics] == [("A001", "give S=…")]


def test_another_counter_is_shown_and_never_fails(monkeypatch: pytest.MonkeyPatch):
    """fvcore may be installed or not; here it says what it is told to."""
    loaded = spec()
    predicted: Account = account(loaded)

    def said(other: Other | str) -> Line:
        monkeypatch.setattr(fvcore_count, "installed", lambda: True)
        monkeypatch.setattr(fvcore_count, "fvcore_count", lambda module, inputs: other)  # pyright: ignore[reportUnknownLambdaType]  # it takes anything
        found = verify(predicted, archspec.source(loaded))
        assert found.agrees
        return line(found, "as fvcore counts them, times 2")

    fused = sum(k.flops for k in predicted.inference.kernels if k.name == "scaled_dot_product_attention")
    skipped = {"scaled_dot_product_attention": 2, "gelu": 2}
    assert said(Other(predicted.inference.flops - fused, skipped)).verdict == "agrees"
    differs = said(Other(1, {"gelu": 2}))
    assert (differs.verdict, differs.predicted) == ("explained", predicted.inference.flops)
    assert said("fvcore cannot trace it").verdict == "not verified"


def test_fvcore_itself_agrees_but_for_fused_attention():
    pytest.importorskip("fvcore", reason="fvcore is an extra")
    verified = archspec.verify_cost(spec(), Question(sizes=SIZES, **FP32))
    found = line(verified, "as fvcore counts them, times 2")
    assert found.verdict == "agrees"
    assert found.measured
    assert "scaled_dot_product_attention" in found.note
